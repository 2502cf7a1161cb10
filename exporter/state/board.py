"""The latest finished result of each bucket: what the metrics and pages are drawn from."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.config.settings import AgesAs
    from exporter.model.cost import PriceList
    from exporter.model.results import ScanResult, Summary
    from exporter.model.top_uploads import TopUploads

MISSING_SCANS = 2
"""Number of scans in a row that find no bucket, before its values are dropped; one may be a store's error."""

Key = tuple[str, str]
"""Target and bucket."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one bucket. `success` is None until a first scan has ended.

    `ages` are the bounds of its age histogram. `summary` and `top_uploads` are None where there is nothing
    to show: before the first success, after `keep_for` seconds of failures, and where there is no bucket.
    """

    target: str
    bucket: str
    store: str
    keep_for: float
    ages: tuple[float, ...] = ()
    ages_as: AgesAs = "histogram"
    success: bool | None = None
    complete: bool = False
    failure: Failure | None = None
    """Of the last scan; None where it finished, or none has ended yet."""
    warning: str = ""
    """Why the last scan, though it finished, left uploads unsized."""
    notices: tuple[str, ...] = ()
    """What the last scan, if it finished, had to work around or to leave out."""
    duration: float | None = None
    last_success: float | None = None
    summary: Summary | None = None
    top_uploads: TopUploads | None = None
    missing: int = 0
    price_list: PriceList | None = None
    """The target's own prices, None where the config has none."""
    cleanup_after: float | None = None
    """Seconds after which the store itself removes uploads; None where the config says nothing of it."""
    fresh_at: float = 0.0
    """Monotonic time of the last success."""
    source: object = None
    """Target and bucket with their present settings; the board refuses an outcome whose source differs."""


class Board:
    """Holds the entries. Safe to use from many threads; an entry is replaced, never changed."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make an empty board."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[Key, Entry] = {}

    def declare(self, entries: Iterable[Entry]) -> None:
        """Show these entries from now on, and drop all others."""
        with self._lock:
            self._entries = {(entry.target, entry.bucket): entry for entry in entries}

    def watch(self, target: str, buckets: Iterable[str], new: Mapping[str, Entry]) -> None:
        """Show these buckets of a target from now on, and drop its others.

        `new` are by bucket the entries to begin or to replace; the others stay as they are.
        """
        with self._lock:
            shown = {key: entry for key, entry in self._entries.items() if key[0] != target}
            for bucket in buckets:
                entry = new.get(bucket) or self._entries.get((target, bucket))
                if entry:
                    shown[target, bucket] = entry
            self._entries = shown

    def get(self, key: Key) -> Entry | None:
        """Return what is known of a bucket, None where it is not shown."""
        with self._lock:
            return self._entries.get(key)

    def restored(self, entry: Entry, result: ScanResult, age: float) -> Entry:
        """Return the entry with the result of a scan that ended `age` seconds ago, unless that is too old."""
        if age > entry.keep_for:
            return entry
        fresh_at = self._monotonic() - age
        return replace(
            entry,
            last_success=result.finished,
            summary=result.summary,
            top_uploads=result.top_uploads,
            fresh_at=fresh_at,
        )

    def publish(self, key: Key, result: ScanResult, source: object = None) -> bool:
        """Show the result of a finished scan; false where the bucket is no longer shown with this source."""
        summary = result.summary
        return self._replace(
            key,
            source,
            lambda entry: replace(
                entry,
                success=True,
                complete=summary.complete,
                failure=None,
                warning=result.warning,
                notices=result.notices,
                duration=result.duration,
                last_success=result.finished,
                summary=summary,
                top_uploads=result.top_uploads,
                missing=0,
                fresh_at=self._monotonic(),
            ),
        )

    def fail(self, key: Key, failure: Failure, duration: float | None, source: object = None) -> bool:
        """Show that a scan failed, and why; false where the bucket is no longer shown with this source.

        `duration` is None for a scan that was not begun.
        """
        return self._replace(key, source, lambda entry: _failed(entry, failure, duration))

    def entries(self) -> list[Entry]:
        """Return all entries in a stable order, without values that are older than `keep_for`."""
        now = self._monotonic()
        with self._lock:
            for key, entry in self._entries.items():
                if entry.summary and entry.success is False and now - entry.fresh_at > entry.keep_for:
                    self._entries[key] = replace(entry, summary=None, top_uploads=None)
            return list(self._entries.values())

    def all_shown(self) -> bool:
        """Whether each bucket was scanned once, or shows the result of an earlier process."""
        with self._lock:
            return all(entry.success is not None or entry.summary for entry in self._entries.values())

    def _replace(self, key: Key, source: object, change: Callable[[Entry], Entry]) -> bool:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.source != source:
                return False
            self._entries[key] = change(entry)
            return True


def _failed(entry: Entry, failure: Failure, duration: float | None) -> Entry:
    missing = entry.missing
    if duration is not None:  # else no request was sent, so that nothing new is known
        missing = missing + 1 if failure.reason is Reason.NOT_FOUND else 0
    return replace(
        entry,
        success=False,
        complete=False,
        failure=failure,
        warning="",
        notices=(),
        duration=duration if duration is not None else entry.duration,
        missing=missing,
        summary=None if missing >= MISSING_SCANS else entry.summary,
        top_uploads=None if missing >= MISSING_SCANS else entry.top_uploads,
    )
