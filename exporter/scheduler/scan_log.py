"""What the log says of scans: a line each, but the same trouble of a bucket only once in a while."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

import logging
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import ScanResult

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
        repeated = self._repeats.failed(target, bucket, f"{what}: {result.warning}")
        level = logging.INFO if repeated is None else logging.WARNING
        trouble = {"overdue": summary.overdue or None, "error": result.warning, "repeated": repeated or None}
        log.log(level, "scan finished, %s", what, extra={"fields": fields | found | made | trouble})

    def failed(
        self,
        target: str,
        bucket: str,
        failure: Failure,
        *,
        duration: float,
        cause: Exception | None,
    ) -> None:
        """Tell that a scan failed; what was told a moment ago only those who look for bugs.

        `cause` is what it ended with, None where that is not known: our own bugs have their traceback told.
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


EVERY_SECONDS = 3600.0
"""The same failure of the same bucket is told again after so long."""

MESSAGES_LIMIT = 8

SUBJECTS_LIMIT = 10_000
"""So many different failures of a bucket, and so many failing buckets, are remembered."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(slots=True)
class _Told:
    """When a failure was told, and how often it was met since."""

    moment: float
    untold: int = 0


@dataclass(slots=True)
class _Subject:
    failures: int = 0
    told: dict[str, _Told] = field(default_factory=dict)


class Repeats:
    """Remembers which failures were told. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make one that has been told nothing."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._subjects: dict[tuple[str, str], _Subject] = {}

    def failed(self, target: str, bucket: str, what: str) -> int | None:
        """Note a failure; returns how often the same one was left untold before, None if this one is to be.

        Texts that differ in numbers only (a duration, a port) are the same.
        """
        now, what = self._monotonic(), _NUMBER.sub("#", what)
        with self._lock:
            subject = self._subjects.setdefault((target, bucket), _Subject())
            _forget_oldest(self._subjects, SUBJECTS_LIMIT)
            subject.failures += 1
            told = subject.told.pop(what, None)
            if told is not None and now - told.moment < EVERY_SECONDS:
                told.untold += 1
                subject.told[what] = told
                return None
            subject.told[what] = _Told(now)
            _forget_oldest(subject.told, MESSAGES_LIMIT)
            return told.untold if told else 0

    def ended(self, target: str, bucket: str) -> int:
        """Note that all is well; returns how many failures that ends."""
        with self._lock:
            subject = self._subjects.pop((target, bucket), None)
        return subject.failures if subject else 0


def _forget_oldest(known: dict[str, _Told] | dict[tuple[str, str], _Subject], limit: int) -> None:
    if len(known) > limit:
        del known[next(iter(known))]  # type: ignore[arg-type] # a key of its own
