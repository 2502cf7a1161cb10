"""When to scan, and with which workers: ticks, takes what is due, puts results on the board."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import schedule

from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.scheduler.scan_log import ScanLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.results import ScanResult
    from exporter.scheduler.discovery import DiscoverySchedule
    from exporter.scheduler.target import WatchedTarget
    from exporter.state.board import Board

log = logging.getLogger(__name__)

T = TypeVar("T")

TICK_SECONDS = 1


class Loop:
    """Runs the scans of all targets on threads of their own. Nothing that a scan does ends it."""

    def __init__(  # noqa: PLR0913 - what it drives, and whom it tells
        self,
        tracks: Sequence[WatchedTarget],
        board: Board,
        stop: threading.Event,
        *,
        on_failure: Callable[[str, Reason], None],
        on_found: Callable[[WatchedTarget, tuple[BucketSettings, ...]], None] = lambda *_: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a loop that ends once `stop` is set.

        `on_failure` is told target and reason, `on_found` which buckets a target has.
        """
        self._tracks = list(tracks)
        self._board = board
        self._stop = stop
        self._on_failure = on_failure
        self._on_found = on_found
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._log = ScanLog(monotonic)
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
        with self._lock:
            tracks = list(self._tracks)
        for track in tracks:
            try:
                self._tend(track)
            except Exception:  # one target's trouble is not another's
                log.exception("unexpected failure", extra={"fields": {"target": track.target.name}})

    def replace(self, tracks: Sequence[WatchedTarget], show: Callable[[], None]) -> None:
        """Run these tracks from now on; `show` puts their buckets on the board in the same instant.

        The others end: what is under way is given up, and nothing of it is shown any more.
        """
        with self._lock:
            gone = [track for track in self._tracks if track not in tracks]
            for track in gone:
                track.retired = True
            self._tracks = list(tracks)
            show()
            idle = [track for track in gone if track.idle]
        for track in gone:
            track.halt()
        for track in idle:
            track.end()

    def watch(
        self, track: WatchedTarget, buckets: Sequence[BucketSettings], show: Callable[[], None]
    ) -> None:
        """Have the track hand out these buckets; `show` puts them on the board in the same instant."""
        with self._lock:
            track.lane.watch(buckets, self._monotonic())
            show()

    def join(self, timeout: float) -> list[str]:
        """Wait for scans under way, at most `timeout` seconds; return the targets whose did not end."""
        deadline = time.monotonic() + timeout
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sorted({thread.name for thread in threads if thread.is_alive()})

    def _tend(self, track: WatchedTarget) -> None:
        now, settings = self._monotonic(), track.target.scan
        if track.finding and track.finding.take(now):
            self._start_finding(track, track.finding)
        while (bucket := self._take(track)) is not None:
            self._start(track, bucket)
        for hold in track.lane.holds(now):
            self._fail(track, hold.bucket, hold.failure, None)
        limit = settings.timeout + settings.request_timeout
        for bucket in track.lane.overdue(now, limit):  # the SDK's own credential chain has no deadline
            failure = Failure(Reason.TIMEOUT, "the scan does not end; what hangs?")
            self._show_failure(track, bucket, failure, limit)

    def _start(self, track: WatchedTarget, bucket: BucketSettings) -> None:
        try:
            self._thread(track, self._work, bucket)
        except RuntimeError as error:  # the system has no more: the bucket waits for its next turn
            failure = Failure(Reason.INTERNAL, f"{error}: allow more threads or lower scan.workers")
            self._leave(track, workers=1)
            track.lane.finish(bucket, self._monotonic(), failure)
            self._show_failure(track, bucket, failure, 0.0)

    def _start_finding(self, track: WatchedTarget, finding: DiscoverySchedule) -> None:
        with self._lock:
            if track.retired:
                return
            track.finders += 1
        try:
            self._thread(track, self._find, finding)
        except RuntimeError:
            self._leave(track, finders=1)
            finding.give_up()

    def _thread(self, track: WatchedTarget, work: Callable[[WatchedTarget, T], None], subject: T) -> None:
        """Start a thread; raises RuntimeError where the system has no more."""
        thread = threading.Thread(target=work, args=(track, subject), name=track.target.name, daemon=True)
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._threads.discard(thread)
            raise

    def _leave(self, track: WatchedTarget, *, workers: int = 0, finders: int = 0) -> None:
        """Note that a thread has ended; the last one of a retired track gives back what that held."""
        with self._lock:
            track.workers -= workers
            track.finders -= finders
            self._threads.discard(threading.current_thread())
            ended = track.retired and track.idle
        if ended:
            track.end()

    def _take(self, track: WatchedTarget) -> BucketSettings | None:
        """Return a due bucket for a new worker."""
        with self._lock:
            if track.workers >= track.target.scan.workers or track.retired or self._stop.is_set():
                return None
            bucket = track.lane.take(self._monotonic())
            if bucket is not None:
                track.workers += 1
            return bucket

    def _work(self, track: WatchedTarget, first: BucketSettings) -> None:
        """Scan the first bucket, then whatever else of the target is due."""
        bucket: BucketSettings | None = first
        try:
            while bucket is not None:
                failure = self._scan(track, bucket)
                track.lane.finish(bucket, self._monotonic(), failure)
                ended = track.retired or self._stop.is_set()
                bucket = None if ended else track.lane.take(self._monotonic())
        except StoppingError:
            log.debug("scan given up", extra={"fields": _fields(track, bucket or first)})
        finally:
            self._leave(track, workers=1)

    def _find(self, track: WatchedTarget, finding: DiscoverySchedule) -> None:
        """Ask which buckets the target has."""
        fields: dict[str, object] = {"target": track.target.name}
        try:
            buckets = finding.find()
            self._on_found(track, buckets)
            finding.succeed(self._monotonic(), time.time())
            log.debug("buckets found", extra={"fields": fields | {"buckets": len(buckets)}})
        except StoppingError:
            finding.give_up()
        except StoreError as error:
            failure = Failure.of(error)
            if finding.fail(self._monotonic(), failure):
                told = {"reason": failure.reason.value, "error": failure.message}
                log.error("the list of buckets cannot be had", extra={"fields": fields | told})  # noqa: TRY400
        except Exception as error:  # our own bug: named, shown, and not allowed to end the loop
            log.exception("discovery failed unexpectedly", extra={"fields": fields})
            finding.fail(self._monotonic(), Failure.of(error))
        finally:
            self._leave(track, finders=1)

    def _scan(self, track: WatchedTarget, bucket: BucketSettings) -> Failure | None:
        """Scan one bucket and show the outcome; returns the failure, if it was one.

        Raises StoppingError, and nothing else.
        """
        started = self._monotonic()
        log.debug("scan begins", extra={"fields": _fields(track, bucket)})
        try:
            self._show(track, bucket, track.scanner.scan(bucket, track.ledger(bucket)))
        except StoppingError:
            raise
        except Exception as error:  # noqa: BLE001 - our own bug too: named, shown, and does not end the loop
            failure = Failure.of(error)
            self._show_failure(track, bucket, failure, self._monotonic() - started, error)
            return failure
        return None

    def _show(self, track: WatchedTarget, bucket: BucketSettings, result: ScanResult) -> None:
        with self._lock:
            if not track.shows(bucket):
                return
            self._board.publish((track.target.name, bucket.name), result)
        self._log.finished(track.target.name, bucket.name, result)

    def _fail(
        self,
        track: WatchedTarget,
        bucket: BucketSettings,
        failure: Failure,
        duration: float | None,
    ) -> bool:
        """Show a failure; false where nobody wants to know any more."""
        with self._lock:
            if wanted := track.shows(bucket):
                self._board.fail((track.target.name, bucket.name), failure, duration)
            return wanted

    def _show_failure(
        self,
        track: WatchedTarget,
        bucket: BucketSettings,
        failure: Failure,
        duration: float,
        cause: Exception | None = None,
    ) -> None:
        if not self._fail(track, bucket, failure, duration):
            return
        self._on_failure(track.target.name, failure.reason)
        self._log.failed(track.target.name, bucket.name, failure, duration=duration, cause=cause)


def _fields(track: WatchedTarget, bucket: BucketSettings) -> dict[str, object]:
    return {"target": track.target.name, "bucket": bucket.name}
