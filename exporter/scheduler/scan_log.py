"""Log lines about scans: one for each, but a repeated problem of a bucket is a warning once an hour only.

What is odd about a store's answers is a line when it begins, and another when it is over.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason, StoreError
from exporter.scheduler.conditions import Conditions
from exporter.scheduler.repeat_filter import RepeatFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import ScanResult, Summary

log = logging.getLogger(__name__)

_UNLISTED = "the listing lacks uploads that the store has"
_DENIED = "the store lists uploads and denies that it has them"
_OVER = {
    _UNLISTED: "the listing hides no upload any more",
    _DENIED: "the store lists no uploads any more that it denies",
}


class ScanLog:
    """Writes the lines. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Make one that has written nothing."""
        self._repeats = RepeatFilter(monotonic)
        self._begun = RepeatFilter(monotonic)
        self._conditions = Conditions()

    def finished(self, target: str, bucket: str, result: ScanResult) -> None:
        """Log a finished scan, and what is newly odd about the store's answers, or no longer.

        Unsized or overdue uploads are a warning, unless that was logged lately.
        """
        self._log_result(target, bucket, result)
        self._log_conditions(target, bucket, result)

    def _log_result(self, target: str, bucket: str, result: ScanResult) -> None:
        summary = result.summary
        fields: dict[str, object] = {"target": target, "bucket": bucket}
        found = {"uploads": summary.uploads, "bytes": summary.bytes, "unsized": summary.unsized}
        cost = {"duration": round(result.duration, 3), "requests": result.requests} | _at_odds(summary)
        if not (summary.unsized or summary.overdue):
            if failures := self._repeats.recovered(target, bucket):
                log.info("scans succeed again", extra={"fields": fields | {"failures": failures}})
            log.info("scan finished", extra={"fields": fields | found | cost})
            return
        problem = "uploads unsized" if summary.unsized else "uploads not asked again in time"
        repeated = self._repeats.failed(target, bucket, f"{problem}: {result.warning}")
        level = logging.INFO if repeated is None else logging.WARNING
        why = {
            "overdue": summary.overdue or None,
            "error": result.warning,
            "key": result.unknown_key or None,
            "repeated": repeated or None,
        }
        log.log(level, "scan finished, %s", problem, extra={"fields": fields | found | cost | why})

    def _log_conditions(self, target: str, bucket: str, result: ScanResult) -> None:
        counts = {_UNLISTED: result.summary.unlisted, _DENIED: result.summary.denied}
        fields: dict[str, object] = {"target": target, "bucket": bucket}
        texts = (*(text for text, count in counts.items() if count), *result.notices)
        changes = self._conditions.update(target, bucket, texts)
        for text in changes.begun:
            repeated = self._begun.failed(target, bucket, text)
            level = logging.INFO if repeated is None else logging.WARNING
            extra = fields | {"repeated": repeated or None}
            if text in counts:
                log.log(level, text, extra={"fields": extra | {"uploads": counts[text]}})
            else:
                log.log(level, "the scan has a notice", extra={"fields": extra | {"notice": text}})
        for text in changes.over:
            if text in _OVER:
                log.info(_OVER[text], extra={"fields": fields})
            else:
                log.info("the scan's notice is over", extra={"fields": fields | {"notice": text}})

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


def _at_odds(summary: Summary) -> dict[str, int]:
    return {name: n for name, n in (("unlisted", summary.unlisted), ("denied", summary.denied)) if n}
