"""What the log says of scans: a line each, but the same trouble of a bucket only once in a while."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.model import Reason, StoreError
from exporter.repeats import Repeats

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.board import ScanResult

log = logging.getLogger(__name__)


class ScanLog:
    """Writes the lines. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Make one that has written nothing."""
        self._repeats = Repeats(monotonic)

    def finished(self, target: str, bucket: str, result: ScanResult) -> None:
        """Tell what a scan found; trouble that was told a moment ago is no warning again."""
        summary = result.summary
        fields: dict[str, object] = {"target": target, "bucket": bucket}
        found = {"uploads": summary.uploads, "bytes": summary.bytes, "unsized": summary.unsized}
        made = {"duration": round(result.duration, 3), "requests": result.requests}
        if not (summary.unsized or summary.overdue):
            if failures := self._repeats.ended(target, bucket):
                log.info("scans are all right again", extra={"fields": fields | {"failures": failures}})
            log.info("scan finished", extra={"fields": fields | found | made})
            return
        what = "uploads unsized" if summary.unsized else "uploads not asked again in time"
        repeated = self._repeats.failed(target, bucket, f"{what}: {result.trouble}")
        level = logging.INFO if repeated is None else logging.WARNING
        trouble = {"overdue": summary.overdue or None, "error": result.trouble, "repeated": repeated or None}
        log.log(level, "scan finished, %s", what, extra={"fields": fields | found | made | trouble})

    def failed(
        self,
        target: str,
        bucket: str,
        failure: tuple[Reason, str],
        *,
        duration: float,
        cause: Exception | None,
    ) -> None:
        """Tell that a scan failed; what was told a moment ago only those who look for bugs.

        `cause` is what it ended with, None where that is not known: our own bugs have their traceback told.
        """
        reason, message = failure
        repeated = self._repeats.failed(target, bucket, f"{reason}: {message}")
        fields = {
            "target": target,
            "bucket": bucket,
            "reason": reason.value,
            "duration": round(duration, 3),
            "requests": cause.requests if isinstance(cause, StoreError) else None,
            "error": message,
            "repeated": repeated or None,
        }
        level = logging.DEBUG if repeated is None else logging.ERROR
        bug = cause if failure[0] is Reason.INTERNAL and not isinstance(cause, StoreError) else None
        log.log(level, "scan failed", extra={"fields": fields}, exc_info=bug)
