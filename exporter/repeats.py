"""Which failures are worth a line of the log, and which say again what was said a moment ago."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_SECONDS = 3600.0
"""The same failure of the same bucket is told again after so long."""
MESSAGES_LIMIT = 8
SUBJECTS_LIMIT = 10_000
"""So many different failures of a bucket, and so many failing buckets, are remembered."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(slots=True)
class _Told:
    """When a failure was told, and how often it was met since."""

    moment: float
    untold: int = 0


@dataclass(slots=True)
class _Subject:
    failures: int = 0
    told: dict[str, _Told] = field(default_factory=dict)


class Repeats:
    """Remembers which failures were told. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make one that has been told nothing."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._subjects: dict[tuple[str, str], _Subject] = {}

    def failed(self, target: str, bucket: str, what: str) -> int | None:
        """Note a failure; returns how often the same one was left untold before, None if this one is to be.

        Texts that differ in numbers only (a duration, a port) are the same.
        """
        now, what = self._monotonic(), _NUMBER.sub("#", what)
        with self._lock:
            subject = self._subjects.setdefault((target, bucket), _Subject())
            _forget_oldest(self._subjects, SUBJECTS_LIMIT)
            subject.failures += 1
            told = subject.told.pop(what, None)
            if told is not None and now - told.moment < EVERY_SECONDS:
                told.untold += 1
                subject.told[what] = told
                return None
            subject.told[what] = _Told(now)
            _forget_oldest(subject.told, MESSAGES_LIMIT)
            return told.untold if told else 0

    def ended(self, target: str, bucket: str) -> int:
        """Note that all is well; returns how many failures that ends."""
        with self._lock:
            subject = self._subjects.pop((target, bucket), None)
        return subject.failures if subject else 0


def _forget_oldest(known: dict[str, _Told] | dict[tuple[str, str], _Subject], limit: int) -> None:
    if len(known) > limit:
        del known[next(iter(known))]  # type: ignore[arg-type] # a key of its own
