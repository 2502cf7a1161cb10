"""One target as it is watched: whose turn it is, what scans it, what is remembered of its buckets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from exporter.state.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import ScanResult
    from exporter.scheduler.discovery import DiscoverySchedule
    from exporter.scheduler.target_queue import TargetQueue


class BucketScanner(Protocol):
    """What scans a bucket of one target; see `exporter.scan.scanner.Scanner`."""

    def scan(self, bucket: BucketSettings, ledger: Ledger) -> ScanResult:
        """Return the result, or raise StoreError or StoppingError."""


@dataclass(slots=True, eq=False)
class WatchedTarget:
    """One target in the loop.

    `finding` is None where the buckets are listed in the config. A target that is no longer watched, or
    with other settings, is `retired`: `halt` makes what is under way end, `end` gives back what it held.
    """

    target: TargetSettings
    lane: TargetQueue
    scanner: BucketScanner
    new_ledger: Callable[[BucketSettings], Ledger] = lambda _: Ledger()
    finding: DiscoverySchedule | None = None
    halt: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    signing_region: Callable[[], str] = lambda: ""
    ledgers: dict[BucketSettings, Ledger] = field(default_factory=dict)
    workers: int = 0
    finders: int = 0
    retired: bool = False

    def ledger(self, bucket: BucketSettings) -> Ledger:
        """Return what is remembered of a bucket with these settings."""
        known = self.ledgers.get(bucket)
        if known is None:
            known = self.ledgers[bucket] = self.new_ledger(bucket)
        return known

    def shows(self, bucket: BucketSettings) -> bool:
        """Whether what a scan of this bucket found is still wanted."""
        return not self.retired and self.lane.watches(bucket)

    @property
    def idle(self) -> bool:
        """Whether nothing of it is under way."""
        return self.workers == self.finders == 0
