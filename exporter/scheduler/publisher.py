"""Publishes the outcomes of scans: on the board, in the log, in the count of failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.scheduler.scan_log import ScanLog
from exporter.scheduler.scan_summary import MANY_BUCKETS, ScanSummaries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.config.settings import BucketSettings
    from exporter.model.errors import Failure, Reason
    from exporter.model.results import ScanResult
    from exporter.scheduler.watched_target import WatchedTarget
    from exporter.state.board import Board


class Publisher:
    """Publishes outcomes of scans; one of earlier settings, which the board refuses, is not logged either."""

    def __init__(
        self,
        board: Board,
        count_failure: Callable[[str, Reason], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make one; `count_failure` gets the target's name and the reason of each failed scan."""
        self._board = board
        self._count_failure = count_failure
        self._log = ScanLog(monotonic)
        self._summaries = ScanSummaries(monotonic)

    def publish(self, watched: WatchedTarget, bucket: BucketSettings, result: ScanResult) -> None:
        """Publish the result of a finished scan."""
        target = watched.settings.name
        if self._board.publish((target, bucket.name), result, watched.source(bucket)):
            summed = self._sum_up(watched, bucket.name, result)
            self._log.finished(target, bucket.name, result, summed=summed)

    def fail(
        self,
        watched: WatchedTarget,
        bucket: BucketSettings,
        failure: Failure,
        duration: float,
        cause: Exception | None = None,
    ) -> None:
        """Publish that a scan failed after `duration` seconds; `cause` is its exception, if any."""
        target = watched.settings.name
        if self._board.fail((target, bucket.name), failure, duration, watched.source(bucket)):
            self._count_failure(target, failure.reason)
            self._log.failed(target, bucket.name, failure, duration=duration, cause=cause)
            self._sum_up(watched, bucket.name, cause)

    def _sum_up(self, watched: WatchedTarget, bucket: str, outcome: ScanResult | Exception | None) -> bool:
        """Add a scan to the sums of a target with many buckets; return whether it has."""
        buckets, settings = len(watched.queue), watched.settings
        if buckets <= MANY_BUCKETS:
            return False
        self._summaries.add(settings.name, bucket, outcome, buckets=buckets, interval=settings.scan.interval)
        return True

    def keep_only(self, target: str, names: Collection[str]) -> None:
        """Forget all buckets of a target but those of these names."""
        self._log.keep_only(target, names)
        if not names:
            self._summaries.forget(target)

    def hold(self, watched: WatchedTarget, bucket: BucketSettings, failure: Failure) -> None:
        """Publish why a bucket was not scanned; that is no failed scan."""
        self._board.fail((watched.settings.name, bucket.name), failure, None, watched.source(bucket))
