"""When to scan, and with which workers: ticks, takes what is due, puts results on the board."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import schedule

from exporter.ledger import Ledger
from exporter.model import Reason, StoppingError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.board import Board, ScanResult
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.lane import Lane

log = logging.getLogger(__name__)

TICK_SECONDS = 1


class Scans(Protocol):
    """What scans a bucket of one target; see `exporter.scan.Scanner`."""

    def scan(self, bucket: BucketSettings, ledger: Ledger) -> ScanResult:
        """Return the result, or raise StoreError or StoppingError."""


@dataclass(slots=True)
class Track:
    """One target in the loop: its lane, its scanner, and a ledger for each of its buckets."""

    target: TargetSettings
    lane: Lane
    scanner: Scans
    new_ledger: Callable[[BucketSettings], Ledger] = lambda _: Ledger()
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    workers: int = 0

    def ledger(self, bucket: BucketSettings) -> Ledger:
        """Return what is remembered of a bucket."""
        if bucket.name not in self.ledgers:
            self.ledgers[bucket.name] = self.new_ledger(bucket)
        return self.ledgers[bucket.name]


class Loop:
    """Runs the scans of all targets on threads of their own. Nothing that a scan does ends it."""

    def __init__(
        self,
        tracks: Sequence[Track],
        board: Board,
        stop: threading.Event,
        *,
        on_failure: Callable[[str, Reason], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a loop that ends once `stop` is set; `on_failure` is told target and reason."""
        self._tracks = tracks
        self._board = board
        self._stop = stop
        self._on_failure = on_failure
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._scheduler = schedule.Scheduler()
        self._schedule()

    def run(self) -> None:
        """Tick until the stop is set."""
        self.tick()
        while not self._stop.wait(min(TICK_SECONDS, max(0.0, self._idle_seconds()))):
            if self._idle_seconds() > TICK_SECONDS:  # schedule reads the wall clock, which was set back
                self._schedule()
            self._scheduler.run_pending()

    def _schedule(self) -> None:
        self._scheduler.clear()
        self._scheduler.every(TICK_SECONDS).seconds.do(self.tick)

    def _idle_seconds(self) -> float:
        return self._scheduler.idle_seconds or 0.0

    def tick(self) -> None:
        """Start a worker for each due bucket that its target has a worker left for."""
        for track in self._tracks:
            try:
                self._tend(track)
            except Exception:  # one target's trouble is not another's
                log.exception("unexpected failure", extra={"fields": {"target": track.target.name}})

    def join(self, timeout: float) -> list[str]:
        """Wait for scans under way, at most `timeout` seconds; return the targets whose did not end."""
        deadline = time.monotonic() + timeout
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sorted({thread.name for thread in threads if thread.is_alive()})

    def _tend(self, track: Track) -> None:
        now, settings = self._monotonic(), track.target.scan
        while (bucket := self._take(track)) is not None:
            self._start(track, bucket)
        for hold in track.lane.holds(now):
            self._board.fail((track.target.name, hold.bucket.name), hold.reason, hold.message, None)
        limit = settings.timeout + settings.request_timeout
        for bucket in track.lane.overdue(now, limit):  # the SDK's own credential chain has no deadline
            self._show_failure(track, bucket, (Reason.TIMEOUT, "the scan does not end; what hangs?"), limit)

    def _start(self, track: Track, bucket: BucketSettings) -> None:
        thread = threading.Thread(
            target=self._work, args=(track, bucket), name=track.target.name, daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more: the bucket waits for its next turn
            with self._lock:
                track.workers -= 1
                self._threads.discard(thread)
            failure = Reason.INTERNAL, f"{error}: allow more threads or lower scan.workers"
            track.lane.finish(bucket, self._monotonic(), failure)
            self._show_failure(track, bucket, failure, 0.0)

    def _take(self, track: Track) -> BucketSettings | None:
        """Return a due bucket for a new worker."""
        with self._lock:
            if track.workers >= track.target.scan.workers or self._stop.is_set():
                return None
            bucket = track.lane.take(self._monotonic())
            if bucket is not None:
                track.workers += 1
            return bucket

    def _work(self, track: Track, first: BucketSettings) -> None:
        """Scan the first bucket, then whatever else of the target is due."""
        bucket: BucketSettings | None = first
        try:
            while bucket is not None:
                failure = self._scan(track, bucket)
                track.lane.finish(bucket, self._monotonic(), failure)
                bucket = None if self._stop.is_set() else track.lane.take(self._monotonic())
        except StoppingError:
            log.debug("scan given up", extra={"fields": _fields(track, bucket or first)})
        finally:
            with self._lock:
                track.workers -= 1
                self._threads.discard(threading.current_thread())

    def _scan(self, track: Track, bucket: BucketSettings) -> tuple[Reason, str] | None:
        """Scan one bucket and show the outcome; returns reason and message of a failure.

        Raises StoppingError, and nothing else.
        """
        started = self._monotonic()
        ledger = track.ledger(bucket)
        log.debug("scan begins", extra={"fields": _fields(track, bucket)})
        try:
            self._show(track, bucket, track.scanner.scan(bucket, ledger))
        except StoppingError:
            raise
        except StoreError as error:
            failure = error.reason, str(error)
        except Exception as error:  # our own bug: named, shown, and not allowed to end the loop
            log.exception("scan failed unexpectedly", extra={"fields": _fields(track, bucket)})
            failure = Reason.INTERNAL, f"unexpected {type(error).__name__}; please report it"
        else:
            return None
        self._show_failure(track, bucket, failure, self._monotonic() - started)
        return failure

    def _show(self, track: Track, bucket: BucketSettings, result: ScanResult) -> None:
        self._board.publish((track.target.name, bucket.name), result)
        summary = result.summary
        found = {"uploads": summary.uploads, "bytes": summary.bytes, "unsized": summary.unsized}
        overdue = {"overdue": summary.overdue or None}
        fields = _fields(track, bucket) | found | overdue | {"duration": round(result.duration, 3)}
        trouble = fields | {"error": result.trouble}
        if summary.unsized:
            log.warning("scan finished, uploads unsized", extra={"fields": trouble})
        elif summary.overdue:
            log.warning("scan finished, uploads not asked again in time", extra={"fields": trouble})
        else:
            log.info("scan finished", extra={"fields": fields})

    def _show_failure(
        self, track: Track, bucket: BucketSettings, failure: tuple[Reason, str], duration: float
    ) -> None:
        reason, message = failure
        self._board.fail((track.target.name, bucket.name), reason, message, duration)
        self._on_failure(track.target.name, reason)
        fields = _fields(track, bucket) | {"reason": reason.value, "duration": round(duration, 3)}
        log.error("scan failed", extra={"fields": fields | {"error": message}})


def _fields(track: Track, bucket: BucketSettings) -> dict[str, object]:
    return {"target": track.target.name, "bucket": bucket.name}
