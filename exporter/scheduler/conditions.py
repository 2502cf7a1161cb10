"""Which conditions of buckets hold now, so that each is logged when it begins and when it is over."""

from __future__ import annotations

import re
import threading
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from exporter.scheduler.repeat_filter import BUCKETS_LIMIT, without_numbers

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

CONDITIONS_LIMIT = 32
"""Number of conditions of a bucket that are told apart; further ones are ignored."""

_QUOTED = re.compile(r"""(?<!\w)(['"])(?:\\.|(?!\1|\\).)*\1""")
"""A key that stands for several; the next scan may name another one."""


class Changes(NamedTuple):
    """The conditions that begin now, and those that are over, each as it was first told."""

    begun: list[str]
    over: list[str]


class Conditions:
    """Remembers the conditions of each bucket. Safe to use from many threads."""

    def __init__(self) -> None:
        """Make one in which none holds."""
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], dict[str, str]] = {}

    def update(self, target: str, bucket: str, texts: Iterable[str]) -> Changes:
        """Note the conditions that hold now.

        Texts that differ only in numbers and in what they quote are the same condition. Those of more than
        BUCKETS_LIMIT buckets are ignored.
        """
        now = {without_numbers(_QUOTED.sub("", text)): text for text in islice(texts, CONDITIONS_LIMIT)}
        with self._lock:
            before = self._buckets.pop((target, bucket), {})
            if len(self._buckets) >= BUCKETS_LIMIT:
                now = {}
            if now:
                self._buckets[target, bucket] = {each: before.get(each, text) for each, text in now.items()}
        begun = [text for each, text in now.items() if each not in before]
        return Changes(begun, [text for each, text in before.items() if each not in now])

    def keep_only(self, target: str, names: Container[str]) -> None:
        """Forget all buckets of a target but those of these names."""
        with self._lock:
            for key in [key for key in self._buckets if key[0] == target and key[1] not in names]:
                del self._buckets[key]
