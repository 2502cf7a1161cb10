"""Log lines about buckets with the same problem: a few by name, then how many there are."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping

log = logging.getLogger(__name__)

NAMED_LIMIT = 3
"""Number of buckets that have a line of their own within WINDOW_SECONDS, of one kind of problem."""
WINDOW_SECONDS = 3600.0


@dataclass(slots=True)
class _Kind:
    """The buckets that have a kind of problem, and what was told since `began` (monotonic clock)."""

    began: float
    buckets: set[str] = field(default_factory=set)
    named: int = 0
    counted: int = 0
    """The largest number of buckets that was told."""


class BucketProblems:
    """Logs a problem of a target's buckets, of each once until it is over. Safe to use from many threads.

    The first buckets of an hour are named. Of more, the 4th, 10th, 100th … have lines with the number, and
    the others have lines of level debug.
    """

    def __init__(self, target: str, text: str, monotonic: Callable[[], float], level: int) -> None:
        """Make one that knows of no problem; `text` says what it is, and `level` is that of its lines."""
        self._target = target
        self._text = text
        self._monotonic = monotonic
        self._level = level
        self._lock = threading.Lock()
        self._kinds: dict[str, _Kind] = {}

    def begin(self, bucket: str, kind: str = "", fields: Mapping[str, object] | None = None) -> None:
        """Log that a bucket has a kind of problem, unless it has it already; `fields` are added."""
        with self._lock:
            known = self._kinds.setdefault(kind, _Kind(self._monotonic()))
            if bucket in known.buckets:
                return
            known.buckets.add(bucket)
            level, text, number = self._next_line(known)
        shown = {"target": self._target, "bucket": bucket, "buckets": number, **(fields or {})}
        log.log(
            level, text, extra={"fields": {name: each for name, each in shown.items() if each is not None}}
        )

    def end(self, bucket: str, but: Collection[str] = ()) -> None:
        """Note that a bucket has no problem any more `but` of these kinds."""
        with self._lock:
            for kind, known in self._kinds.items():
                if kind not in but:
                    known.buckets.discard(bucket)

    def keep_only(self, names: Container[str]) -> None:
        """Forget all buckets but those of these names."""
        with self._lock:
            for known in self._kinds.values():
                known.buckets = {name for name in known.buckets if name in names}

    def _next_line(self, known: _Kind) -> tuple[int, str, int | None]:
        """Return level and text of the newest bucket's line, and the number of buckets if it is told."""
        now = self._monotonic()
        if now >= known.began + WINDOW_SECONDS:
            known.began, known.named, known.counted = now, 0, 0
        if known.named < NAMED_LIMIT:
            known.named += 1
            return self._level, self._text, None
        number = len(known.buckets)
        if number <= known.counted or not _is_round(number):
            return logging.DEBUG, self._text, None
        known.counted = number
        return self._level, f"{self._text}; further such buckets are named at level debug only", number


def _is_round(number: int) -> bool:
    return number == NAMED_LIMIT + 1 or (number >= 10 and str(number).strip("0") == "1")  # noqa: PLR2004 - tens
