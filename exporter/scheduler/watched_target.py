"""One target as it is watched: its queue, what scans its buckets, and which threads work for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from exporter.state.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import ScanResult
    from exporter.scheduler.discovery import DiscoverySchedule
    from exporter.scheduler.target_queue import TargetQueue


class BucketScanner(Protocol):
    """What scans a bucket of one target; see `exporter.scan.scanner.Scanner`."""

    def scan(self, bucket: BucketSettings, ledger: Ledger) -> ScanResult:
        """Return the result, or raise StoreError or StoppingError."""

    def keep_only(self, names: Container[str]) -> None:
        """Forget what is kept between scans of all buckets but those of these names."""


@dataclass(slots=True, eq=False)
class WatchedTarget:
    """A target with its queue, its scanner and its ledgers. Safe to use from many threads.

    `discovery` is None where the buckets are listed in the config. `cancel` makes scans and listings under
    way raise StoppingError, `close` closes the store's connections.
    """

    settings: TargetSettings
    queue: TargetQueue
    scanner: BucketScanner
    new_ledger: Callable[[BucketSettings], Ledger] = lambda _: Ledger()
    discovery: DiscoverySchedule | None = None
    cancel: Callable[[], None] = lambda: None
    close: Callable[[], None] = lambda: None
    signing_region: Callable[[], str] = lambda: ""
    _ledgers: dict[BucketSettings, Ledger] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _threads: int = field(default=0, init=False)
    _workers: int = field(default=0, init=False)
    _retired: bool = field(default=False, init=False)

    @property
    def retired(self) -> bool:
        """Whether it is no longer watched, or another one with other settings took its place."""
        return self._retired

    @property
    def idle(self) -> bool:
        """Whether no thread works for it."""
        return self._threads == 0

    def source(self, bucket: BucketSettings) -> object:
        """Return the source of a bucket's results: this target, and the bucket with these settings."""
        return self, bucket

    def ledger(self, bucket: BucketSettings) -> Ledger:
        """Return the ledger of a bucket with these settings."""
        known = self._ledgers.get(bucket)
        if known is None:
            known = self._ledgers[bucket] = self.new_ledger(bucket)
        return known

    def keep_only(self, buckets: Collection[BucketSettings]) -> None:
        """Drop from memory what is kept between scans of all buckets but these."""
        self.keep_ledgers(buckets)
        self.scanner.keep_only({bucket.name for bucket in buckets})

    def keep_ledgers(self, buckets: Collection[BucketSettings]) -> None:
        """Drop the ledgers of all buckets but these from memory."""
        for bucket in self._ledgers.copy().keys() - set(buckets):  # a copy: workers add to them
            self._ledgers.pop(bucket, None)

    def begin_worker(self, now: float) -> BucketSettings | None:
        """Return a due bucket for a new worker, None without one or where no further worker is allowed."""
        with self._lock:
            if self._retired or self._workers >= self.settings.scan.workers:
                return None
            bucket = self.queue.take(now)
            if bucket is not None:
                self._workers += 1
                self._threads += 1
            return bucket

    def end_worker(self) -> None:
        """Note that a worker has ended."""
        self._end_thread(workers=1)

    def begin_discovery(self) -> bool:
        """Whether a thread may list the buckets; then it counts as working."""
        with self._lock:
            self._threads += not self._retired
            return not self._retired

    def end_discovery(self) -> None:
        """Note that the thread that listed the buckets has ended."""
        self._end_thread()

    def retire(self) -> None:
        """Begin no more work and cancel what is under way; close the store once all of it has ended."""
        with self._lock:
            self._retired = True
            idle = self.idle
        self.cancel()
        if idle:
            self.close()

    def _end_thread(self, *, workers: int = 0) -> None:
        with self._lock:
            self._workers -= workers
            self._threads -= 1
            ended = self._retired and self.idle
        if ended:
            self.close()
