"""One log line for many scans: of a target with many buckets, a line per interval instead of one per scan."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import ScanResult

log = logging.getLogger(__name__)

MANY_BUCKETS = 20
"""Number of buckets above which a target's scans are summed up; up to it, each scan has a line of its own."""


@dataclass(slots=True)
class _Round:
    """The scans of one target since `began` (monotonic clock); a bucket's last finished one counts."""

    began: float
    first: bool
    scans: int = 0
    failed: int = 0
    requests: int = 0
    found: dict[str, tuple[int, int | None, int]] = field(default_factory=dict)
    """By bucket its uploads, their bytes and how many are unsized."""


class ScanSummaries:
    """Sums up scans and writes the lines. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Make one that knows of no scan."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rounds: dict[str, _Round] = {}

    def add(
        self, target: str, bucket: str, result: ScanResult | None, *, buckets: int, interval: float
    ) -> None:
        """Add a scan, None a failed one, of a target with so many buckets, each scanned once an `interval`.

        A line is written once an interval, the first one when every bucket may have had its scan.
        """
        with self._lock:
            now = self._monotonic()
            of_target = self._rounds.setdefault(target, _Round(now, first=True))
            of_target.scans += 1
            if result is None:
                of_target.failed += 1
            else:
                of_target.requests += result.requests
                summary = result.summary
                of_target.found[bucket] = summary.uploads, summary.bytes, summary.unsized
            complete = of_target.first and of_target.scans >= buckets
            if not complete and now - of_target.began < interval:
                return
            self._rounds[target] = _Round(now, first=False)
        _write(target, of_target, now)


def _write(target: str, ended: _Round, now: float) -> None:
    uploads, sizes, unsized = zip(*ended.found.values(), strict=True) if ended.found else ((), (), ())
    known = [size for size in sizes if size is not None]
    fields = {
        "target": target,
        "scans": ended.scans,
        "failed": ended.failed,
        "buckets": len(ended.found),
        "uploads": sum(uploads),
        "bytes": sum(known) if known else None,
        "unsized": sum(unsized),
        "requests": ended.requests,
        "duration": round(now - ended.began, 3),
    }
    log.info("scans finished", extra={"fields": fields})
