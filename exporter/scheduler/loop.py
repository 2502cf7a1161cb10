"""The loop: every second it starts scans of the buckets that are due, and listings of buckets."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import schedule

from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.model.scarcity import TOO_LITTLE, is_scarcity
from exporter.scheduler.discovery import warn_of_endpoint
from exporter.scheduler.starvation import Starvation

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings
    from exporter.scheduler.discovery import DiscoverySchedule
    from exporter.scheduler.publisher import Publisher
    from exporter.scheduler.reconciler import Reconciler
    from exporter.scheduler.watched_target import WatchedTarget

log = logging.getLogger(__name__)

TICK_SECONDS = 1
_NOT_PUBLISHED = Failure(Reason.INTERNAL, "the scan's outcome could not be published")


class Loop:
    """Runs the scans of all targets on threads of their own. Nothing that a scan does ends it."""

    def __init__(  # noqa: PLR0913 - what it works on, and what it calls
        self,
        reconciler: Reconciler,
        publisher: Publisher,
        stop: threading.Event,
        *,
        on_idle: Callable[[], None] = lambda: None,
        on_tick: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a loop that ends once `stop` is set.

        `on_idle` is called when the last scan has ended, `on_tick` with every tick; neither may raise.
        """
        self._reconciler = reconciler
        self._publisher = publisher
        self._stop = stop
        self._on_idle = on_idle
        self._on_tick = on_tick
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._starvation = Starvation()
        self._scheduler = schedule.Scheduler()
        self._schedule()

    @property
    def threads(self) -> int:
        """Number of threads that scan or list now."""
        return len(self._threads)

    def run(self) -> None:
        """Tick until the stop is set.

        Raises ScarcityError where no scan can be made with the memory or the threads that the system gives.
        """
        self.tick()
        while not self._stop.wait(min(TICK_SECONDS, max(0.0, self._idle_seconds()))):
            if self._idle_seconds() > TICK_SECONDS:  # schedule reads the wall clock, which was set back
                self._schedule()
            self._scheduler.run_pending()
            self._starvation.check()

    def _schedule(self) -> None:
        self._scheduler.clear()
        self._scheduler.every(TICK_SECONDS).seconds.do(self.tick)

    def _idle_seconds(self) -> float:
        return self._scheduler.idle_seconds or 0.0

    def tick(self) -> None:
        """Start what is due of each target, as far as it has workers left."""
        for watched in self._reconciler.targets:
            try:
                self._start_due(watched)
            except Exception as error:  # noqa: BLE001 - a failing target must not stop the others
                self._note_unexpected(error, "unexpected failure", watched)
        self._on_tick()

    def join(self, timeout: float) -> list[str]:
        """Wait for threads under way, at most `timeout` seconds; return the targets whose did not end."""
        deadline = time.monotonic() + timeout
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return sorted({thread.name for thread in threads if thread.is_alive()})

    def _start_due(self, watched: WatchedTarget) -> None:
        now, scan = self._monotonic(), watched.settings.scan
        if watched.discovery and watched.discovery.take(now):
            self._start_discovery(watched, watched.discovery)
        while (bucket := self._next_for_new_worker(watched)) is not None:
            self._start_worker(watched, bucket)
        for hold in watched.queue.take_held(now):
            self._publisher.hold(watched, hold.bucket, hold.failure)
        limit = scan.timeout + scan.request_timeout  # an SDK's credential chain has no deadline
        for bucket in watched.queue.take_overdue(now, limit):
            failure = Failure(
                Reason.TIMEOUT,
                "the scan is still running after scan.timeout: a call, or reading its answer, does not end",
            )
            self._publisher.fail(watched, bucket, failure, limit)

    def _next_for_new_worker(self, watched: WatchedTarget) -> BucketSettings | None:
        return None if self._stop.is_set() else watched.begin_worker(self._monotonic())

    def _start_worker(self, watched: WatchedTarget, bucket: BucketSettings) -> None:
        try:
            self._start_thread(watched, lambda: self._work(watched, bucket))
        except (RuntimeError, MemoryError) as error:  # no more threads: the bucket waits for its next turn
            failure = Failure(Reason.INTERNAL, f"{error}: allow more threads or lower scan.workers")
            watched.end_worker()
            watched.queue.finish(bucket, self._monotonic(), failure)
            self._starvation.note(error)
            self._publisher.fail(watched, bucket, failure, 0.0)

    def _start_discovery(self, watched: WatchedTarget, discovery: DiscoverySchedule) -> None:
        if not watched.begin_discovery():
            return
        try:
            self._start_thread(watched, lambda: self._discover(watched, discovery))
        except (RuntimeError, MemoryError) as error:  # likewise; the next tick tries again
            self._starvation.note(error)
            watched.end_discovery()
            discovery.cancel()

    def _start_thread(self, watched: WatchedTarget, work: Callable[[], None]) -> None:
        """Run `work` on a new thread; raises RuntimeError or MemoryError where the system has no more."""

        def run() -> None:
            try:
                work()
            finally:
                self._forget(thread)
                if not self._threads:
                    self._on_idle()

        thread = threading.Thread(target=run, name=watched.settings.name, daemon=True)
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            self._forget(thread)
            raise

    def _forget(self, thread: threading.Thread) -> None:
        with self._lock:
            self._threads.discard(thread)

    def _work(self, watched: WatchedTarget, first: BucketSettings) -> None:
        """Scan the first bucket, then whatever else of the target is due."""
        bucket: BucketSettings | None = first
        try:
            while bucket is not None:
                failure: Failure | None = _NOT_PUBLISHED
                try:
                    failure = self._scan(watched, bucket)
                finally:  # whatever happens, its turn comes again
                    watched.queue.finish(bucket, self._monotonic(), failure)
                ended = watched.retired or self._stop.is_set()
                bucket = None if ended else watched.queue.take(self._monotonic())
        except StoppingError:
            log.debug("scan given up", extra={"fields": _fields(watched, bucket or first)})
        except Exception as error:  # noqa: BLE001 - its outcome could not be published
            self._note_unexpected(error, "unexpected failure", watched)
        finally:
            watched.end_worker()

    def _scan(self, watched: WatchedTarget, bucket: BucketSettings) -> Failure | None:
        """Scan one bucket and publish the outcome; returns the failure, if it was one.

        Raises StoppingError, and nothing else.
        """
        started = self._monotonic()
        log.debug("scan begins", extra={"fields": _fields(watched, bucket)})
        try:
            result = watched.scanner.scan(bucket, watched.ledger(bucket))
            self._publisher.publish(watched, bucket, result)
        except StoppingError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug of the exporter, too, is shown and ends nothing
            self._starvation.note(error)
            failure = Failure.of(error)
            self._publisher.fail(watched, bucket, failure, self._monotonic() - started, error)
            return failure
        self._starvation.note(None)
        return None

    def _discover(self, watched: WatchedTarget, discovery: DiscoverySchedule) -> None:
        """List the target's buckets, and have them watched."""
        fields: dict[str, object] = {"target": watched.settings.name}
        try:
            buckets, selection = discovery.find()
            self._reconciler.found(watched, buckets)
            self._starvation.note(None)
            is_new = discovery.succeed(self._monotonic(), time.time(), selection)
            log.debug("buckets found", extra={"fields": fields | {"buckets": len(buckets)}})
            if is_new and selection.problem:
                log.warning("no bucket is watched", extra={"fields": fields | {"error": selection.problem}})
            warn_of_endpoint(watched.settings, buckets)
        except StoppingError:
            discovery.cancel()
        except StoreError as error:
            failure = Failure.of(error)
            self._starvation.note(error)
            if discovery.fail(self._monotonic(), failure):
                why = {"reason": failure.reason.value, "error": failure.message}
                log.error("the list of buckets cannot be read", extra={"fields": fields | why})  # noqa: TRY400
        except Exception as error:  # noqa: BLE001 - a bug of the exporter: shown, and ends nothing
            discovery.fail(self._monotonic(), Failure.of(error))
            self._note_unexpected(error, "discovery failed unexpectedly", watched)
        finally:
            watched.end_discovery()

    def _note_unexpected(self, error: Exception, what: str, watched: WatchedTarget) -> None:
        """Log what no store caused: a bug of the exporter with its traceback, a lack of memory without."""
        self._starvation.note(error)
        fields = {"target": watched.settings.name}
        if not is_scarcity(error):
            log.error(what, exc_info=error, extra={"fields": fields})
            return
        with suppress(MemoryError):  # what cannot be logged either
            log.error("too little memory", extra={"fields": fields | {"error": TOO_LITTLE}})


def _fields(watched: WatchedTarget, bucket: BucketSettings) -> dict[str, object]:
    return {"target": watched.settings.name, "bucket": bucket.name}
