"""Bytes by storage class, under labels that are safe and not too many."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.model.results import OTHER_CLASS

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CLASSES = 20
"""Maximum number of storage classes of a bucket that keep their name; the others are counted as `other`."""

_CLASS_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
# of Amazon S3 and Glacier, OBS, Google and Azure: names that a flood of invented ones must not push out
_WELL_KNOWN_CLASSES = frozenset(
    {
        *("STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"),
        *("GLACIER", "GLACIER_IR", "DEEP_ARCHIVE", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW", "WARM", "COLD"),
        *("NEARLINE", "COLDLINE", "ARCHIVE", "Hot", "Cool", "Cold", "Archive", "Premium", "unknown"),
    }
)


class ClassBytes(dict[str, int]):
    """The bytes of each storage class by its label; of MAX_CLASSES, whatever the order of what is added."""

    def add(self, storage_class: str, size: int) -> None:
        """Add bytes to a class; beyond MAX_CLASSES the last in rank is merged into `other` for good."""
        label = storage_class if storage_class in self else _label(storage_class)
        self[label] = self.get(label, 0) + size
        if len(self) > MAX_CLASSES + (OTHER_CLASS in self):
            last = max((name for name in self if name != OTHER_CLASS), key=_rank)
            self[OTHER_CLASS] = self.get(OTHER_CLASS, 0) + self.pop(last)

    def add_all(self, sizes: Mapping[str, int]) -> None:
        """Add the bytes of several classes."""
        for label, size in sizes.items():
            self.add(label, size)


@lru_cache(maxsize=64)
def _label(storage_class: str) -> str:
    return storage_class if _CLASS_NAME.fullmatch(storage_class) else OTHER_CLASS


def _rank(label: str) -> tuple[bool, str]:
    return (label not in _WELL_KNOWN_CLASSES, label)
