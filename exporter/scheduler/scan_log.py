"""Log lines about scans: one for each, but a repeated problem of a bucket is a warning once an hour only.

What is odd about a store's answers is told in the line of the scan with which it begins, or is over.
"""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Failure, Reason, StoreError
from exporter.model.scarcity import is_scarcity
from exporter.scheduler.conditions import Conditions
from exporter.scheduler.repeat_filter import RepeatFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from exporter.model.results import ScanResult, Summary

log = logging.getLogger(__name__)

_UNLISTED = "the listing lacks uploads that the store has"
_DENIED = "the store lists uploads and denies that it has them"
_OVER = {
    _UNLISTED: "the listing hides no upload any more",
    _DENIED: "the store lists no uploads any more that it denies",
}


class _Words(NamedTuple):
    """A part of a line: its texts, the level that it asks for, its fields, how often it came up before."""

    texts: tuple[str, ...]
    level: int = logging.DEBUG
    fields: Mapping[str, object] = MappingProxyType({})
    repeated: int = 0


class ScanLog:
    """Writes the lines. Safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Make one that has written nothing."""
        self._repeats = RepeatFilter(monotonic)
        self._begun = RepeatFilter(monotonic)
        self._conditions = Conditions()

    def finished(self, target: str, bucket: str, result: ScanResult, *, summed: bool = False) -> None:
        """Log a finished scan in one line, with what is newly odd about the store's answers, or no longer is.

        Unsized or overdue uploads, and what is newly odd, make it a warning, unless that was logged lately.
        `summed`: other lines sum the scans up, and this one is of level debug where it has no news.
        """
        found = self._find_problem(target, bucket, result)
        news = self._find_news(target, bucket, result)
        level = max(found.level, news.level, logging.DEBUG if summed else logging.INFO)
        summary = result.summary
        fields: dict[str, object] = {
            "target": target,
            "bucket": bucket,
            "uploads": summary.uploads,
            "bytes": summary.bytes,
            "unsized": summary.unsized,
            "duration": round(result.duration, 3),
            "requests": result.requests,
            **_at_odds(summary),
            **found.fields,
            **news.fields,
            "repeated": max(found.repeated, news.repeated) or None,
        }
        log.log(level, "; ".join((*found.texts, *news.texts)), extra={"fields": fields})

    def _find_problem(self, target: str, bucket: str, result: ScanResult) -> _Words:
        """Return how the scan ended: well, again well, or with uploads whose bytes are not known."""
        summary = result.summary
        if not (summary.unsized or summary.overdue):
            if failures := self._repeats.recovered(target, bucket):
                return _Words(("scans succeed again",), logging.INFO, {"failures": failures})
            return _Words(("scan finished",))
        problem = "uploads unsized" if summary.unsized else "uploads not asked again in time"
        repeated = self._repeats.failed(target, bucket, f"{problem}: {result.warning}")
        why = {
            "overdue": summary.overdue or None,
            "error": result.warning,
            "key": result.unknown_key or None,
        }
        return _Words((f"scan finished, {problem}",), _level(repeated), why, repeated or 0)

    def _find_news(self, target: str, bucket: str, result: ScanResult) -> _Words:
        """Return which conditions begin, and which are over."""
        counts = {_UNLISTED: result.summary.unlisted, _DENIED: result.summary.denied}
        texts = (*(text for text, count in counts.items() if count), *result.notices)
        changes = self._conditions.update(target, bucket, texts)
        repeats = [self._begun.failed(target, bucket, text) for text in changes.begun]
        begun, over = ([text for text in each if text not in _OVER] for each in changes)
        words = (
            *(text for text in changes.begun if text in _OVER),
            *(["the scan has a notice"] if begun else []),
            *(_OVER[text] for text in changes.over if text in _OVER),
            *(["the scan's notice is over"] if over else []),
        )
        fields = {"notice": "; ".join(begun) or None, "notice_over": "; ".join(over) or None}
        level = max((logging.INFO, *map(_level, repeats)))
        known = max((repeated for repeated in repeats if repeated), default=0)
        return _Words(words, level if words else logging.DEBUG, fields, known)

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
        is_bug = failure.reason is Reason.INTERNAL and not (
            isinstance(cause, StoreError) or is_scarcity(cause)
        )
        log.log(level, "scan failed", extra={"fields": fields}, exc_info=cause if is_bug else None)

    def keep_only(self, target: str, names: Collection[str]) -> None:
        """Forget all buckets of a target but those of these names."""
        for each in (self._repeats, self._begun, self._conditions):
            each.keep_only(target, names)


def _level(repeated: int | None) -> int:
    """Return the level of a problem that came up so often since it was logged; None: it was logged lately."""
    return logging.DEBUG if repeated is None else logging.WARNING


def _at_odds(summary: Summary) -> dict[str, int]:
    return {name: n for name, n in (("unlisted", summary.unlisted), ("denied", summary.denied)) if n}
