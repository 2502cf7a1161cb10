"""One log line for many scans: of a target with many buckets, a line per interval instead of one per scan."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.model.results import ScanResult

if TYPE_CHECKING:
    from collections.abc import Callable

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
    requests: int | None = 0
    """None once a scan is among them whose number is not known."""
    found: dict[str, tuple[int, int | None, int]] = field(default_factory=dict)
    """By bucket its uploads, their bytes and how many are unsized."""

    def add(self, bucket: str, outcome: ScanResult | Exception | None) -> None:
        """Add a scan; see `ScanSummaries.add`."""
        self.scans += 1
        requests = outcome.requests if isinstance(outcome, (ScanResult, StoreError)) else None
        self.requests = None if requests is None or self.requests is None else self.requests + requests
        if isinstance(outcome, ScanResult):
            summary = outcome.summary
            self.found[bucket] = summary.uploads, summary.bytes, summary.unsized
        else:
            self.failed += 1


class ScanSummaries:
    """Sums up scans and writes the lines. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Make one that knows of no scan."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rounds: dict[str, _Round] = {}

    def add(
        self,
        target: str,
        bucket: str,
        outcome: ScanResult | Exception | None,
        *,
        buckets: int,
        interval: float,
    ) -> None:
        """Add a scan of a target with so many buckets, each scanned once an `interval`.

        `outcome` is its result, or the exception that ended it, if any.

        A line is written once an interval, the first one when every bucket may have had its scan.
        """
        with self._lock:
            now = self._monotonic()
            of_target = self._rounds.setdefault(target, _Round(now, first=True))
            of_target.add(bucket, outcome)
            complete = of_target.first and of_target.scans >= buckets
            if not complete and now - of_target.began < interval:
                return
            self._rounds[target] = _Round(now, first=False)
        _write(target, of_target, now)

    def forget(self, target: str) -> None:
        """Forget the scans of a target."""
        with self._lock:
            self._rounds.pop(target, None)


def _write(target: str, ended: _Round, now: float) -> None:
    uploads, sizes, unsized = zip(*ended.found.values(), strict=True) if ended.found else ((), (), ())
    known = [size for size in sizes if size is not None]
    fields = {
        "target": target,
        "scans": ended.scans,
        "failed": ended.failed,
        "buckets": len(ended.found),
        "uploads": sum(uploads) if uploads else None,
        "bytes": sum(known) if known else None,
        "unsized": sum(unsized) if unsized else None,
        "requests": ended.requests,
        "duration": round(now - ended.began, 3),
    }
    log.info("scans finished", extra={"fields": fields})
