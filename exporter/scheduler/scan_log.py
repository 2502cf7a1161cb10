"""Log lines about scans: one for each, but a repeated problem of a bucket is a warning once an hour only."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason, StoreError
from exporter.scheduler.repeat_filter import RepeatFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import ScanResult

log = logging.getLogger(__name__)


class ScanLog:
    """Writes the lines. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Make one that has written nothing."""
        self._repeats = RepeatFilter(monotonic)

    def finished(self, target: str, bucket: str, result: ScanResult) -> None:
        """Log a finished scan; unsized or overdue uploads are a warning, unless that was logged lately."""
        summary = result.summary
        fields: dict[str, object] = {"target": target, "bucket": bucket}
        found = {"uploads": summary.uploads, "bytes": summary.bytes, "unsized": summary.unsized}
        cost = {"duration": round(result.duration, 3), "requests": result.requests}
        if not (summary.unsized or summary.overdue):
            if failures := self._repeats.recovered(target, bucket):
                log.info("scans succeed again", extra={"fields": fields | {"failures": failures}})
            log.info("scan finished", extra={"fields": fields | found | cost})
            return
        problem = "uploads unsized" if summary.unsized else "uploads not asked again in time"
        repeated = self._repeats.failed(target, bucket, f"{problem}: {result.warning}")
        level = logging.INFO if repeated is None else logging.WARNING
        why = {"overdue": summary.overdue or None, "error": result.warning, "repeated": repeated or None}
        log.log(level, "scan finished, %s", problem, extra={"fields": fields | found | cost | why})

    def failed(
        self,
        target: str,
        bucket: str,
        failure: Failure,
        *,
        duration: float,
        cause: Exception | None,
    ) -> None:
        """Log a failed scan: an error, or at level debug where it was logged lately.

        `cause` is the exception that ended it, if any; a bug of the exporter is logged with its traceback.
        """
        repeated = self._repeats.failed(target, bucket, str(failure))
        fields = {
            "target": target,
            "bucket": bucket,
            "reason": failure.reason.value,
            "duration": round(duration, 3),
            "requests": cause.requests if isinstance(cause, StoreError) else None,
            "error": failure.message,
            "repeated": repeated or None,
        }
        level = logging.DEBUG if repeated is None else logging.ERROR
        bug = cause if failure.reason is Reason.INTERNAL and not isinstance(cause, StoreError) else None
        log.log(level, "scan failed", extra={"fields": fields}, exc_info=bug)
