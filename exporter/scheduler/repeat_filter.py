"""Which problems of buckets were logged lately, and need no line of their own again."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

LOG_AGAIN_SECONDS = 3600.0
"""Time after which the same problem of the same bucket is logged again."""
MESSAGES_LIMIT = 8
"""Number of different problems that are remembered of a bucket."""
BUCKETS_LIMIT = 10_000
"""Number of buckets with problems that are remembered."""
LINES_LIMIT = 1000
"""Number of problems of one target's buckets that are logged in LOG_AGAIN_SECONDS."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def without_numbers(problem: str) -> str:
    """Return what texts of the same problem have in common."""
    return _NUMBER.sub("#", problem)


@dataclass(slots=True)
class _Logged:
    """When a problem was last logged, and how often it came up since."""

    moment: float
    repeats: int = 0


@dataclass(slots=True)
class _Lines:
    """How many problems of a target were logged since `began`."""

    began: float
    number: int = 0


@dataclass(slots=True)
class _Bucket:
    failures: int = 0
    logged: dict[str, _Logged] = field(default_factory=dict)


class RepeatFilter:
    """Remembers which problems were logged. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make one that remembers nothing."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._lines: dict[str, _Lines] = {}

    def failed(self, target: str, bucket: str, problem: str) -> int | None:
        """Note a problem; returns None where it needs no line, else how often it came up since it had one.

        It needs none where it had one lately, or LINES_LIMIT problems of the target had. Texts that differ in
        numbers only (a duration, a port) are the same problem.
        """
        now, problem = self._monotonic(), without_numbers(problem)
        with self._lock:
            known = self._buckets.get((target, bucket), _Bucket())
            known.failures += 1
            logged = known.logged.pop(problem, None)
            lately = logged is not None and now - logged.moment < LOG_AGAIN_SECONDS
            if lately or not self._has_room(target, now):
                if logged is not None:
                    logged.repeats += 1
                    known.logged[problem] = logged
                return None
            known.logged[problem] = _Logged(now)
            _drop_oldest(known.logged, MESSAGES_LIMIT)
            self._buckets[target, bucket] = known
            _drop_oldest(self._buckets, BUCKETS_LIMIT)
            return logged.repeats if logged else 0

    def _has_room(self, target: str, now: float) -> bool:
        """Count a line of a target; return whether it may be written."""
        lines = self._lines.get(target)
        if lines is None or now - lines.began >= LOG_AGAIN_SECONDS:
            lines = self._lines[target] = _Lines(now)
        lines.number += 1
        return lines.number <= LINES_LIMIT

    def recovered(self, target: str, bucket: str) -> int:
        """Note that a bucket has no problem any more; returns the number of failures before that."""
        with self._lock:
            known = self._buckets.pop((target, bucket), None)
        return known.failures if known else 0

    def keep_only(self, target: str, names: Collection[str]) -> None:
        """Forget all buckets of a target but those of these names."""
        with self._lock:
            for key in [key for key in self._buckets if key[0] == target and key[1] not in names]:
                del self._buckets[key]
            if not names:
                self._lines.pop(target, None)


def _drop_oldest(entries: dict[Any, Any], limit: int) -> None:
    if len(entries) > limit:
        del entries[next(iter(entries))]
