"""The latest finished result of each bucket: what the metrics and pages are drawn from."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.model.errors import Failure, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.model.cost import PriceList
    from exporter.model.results import ScanResult, Summary
    from exporter.model.top_uploads import TopUploads

MISSING_SCANS = 2
"""So many scans in a row that find no bucket take its values down; one may be a store's hiccup."""

Key = tuple[str, str]
"""Target and bucket."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one bucket. `success` is None until a first attempt has ended.

    `ages` are the bounds of its age histogram. `summary` is None where there is nothing to show: before the
    first success, after `keep_for` of failures, and for a bucket that is gone; then `worst` is, too.
    """

    target: str
    bucket: str
    store: str
    keep_for: float
    ages: tuple[float, ...] = ()
    success: bool | None = None
    complete: bool = False
    failure: Failure | None = None
    """Of the last scan; None where it finished, or none has ended yet."""
    trouble: str = ""
    """Why the last scan, though it finished, left uploads unsized."""
    duration: float | None = None
    last_success: float | None = None
    summary: Summary | None = None
    worst: TopUploads | None = None
    missing: int = 0
    tariff: PriceList | None = None
    """What its bytes cost, None where nobody said."""
    fresh_at: float = 0.0
    """Monotonic time of the last success."""


class Board:
    """Holds the entries. Safe to use from many threads; an entry is replaced, never changed."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make an empty board."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[Key, Entry] = {}

    def declare(self, entries: Iterable[Entry]) -> None:
        """Show these buckets from now on, untried, and drop all others."""
        with self._lock:
            self._entries = {(entry.target, entry.bucket): entry for entry in entries}

    def watch(self, target: str, entries: Iterable[Entry]) -> None:
        """Show these buckets of a target from now on, and drop its others."""
        with self._lock:
            others = {key: entry for key, entry in self._entries.items() if key[0] != target}
            self._entries = others | {(entry.target, entry.bucket): entry for entry in entries}

    def get(self, key: Key) -> Entry | None:
        """Return what is known of a bucket, None where it is not shown."""
        with self._lock:
            return self._entries.get(key)

    def restored(self, entry: Entry, result: ScanResult, age: float) -> Entry:
        """Return the entry with what an earlier scan found `age` seconds ago; one too old is not shown."""
        if age > entry.keep_for:
            return entry
        fresh_at = self._monotonic() - age
        return replace(
            entry,
            last_success=result.finished,
            summary=result.summary,
            worst=result.worst,
            fresh_at=fresh_at,
        )

    def restore(self, key: Key, result: ScanResult, age: float) -> None:
        """Show what an earlier process found `age` seconds ago, until a scan of this one has ended."""

        def restored(entry: Entry) -> Entry:
            return entry if entry.success is not None else self.restored(entry, result, age)

        self._replace(key, restored)

    def publish(self, key: Key, result: ScanResult) -> None:
        """Show the result of a finished scan; a bucket that is no longer declared is left out."""
        summary = result.summary
        self._replace(
            key,
            lambda entry: replace(
                entry,
                success=True,
                complete=not summary.unsized,
                failure=None,
                trouble=result.trouble,
                duration=result.duration,
                last_success=result.finished,
                summary=summary,
                worst=result.worst,
                missing=0,
                fresh_at=self._monotonic(),
            ),
        )

    def fail(self, key: Key, failure: Failure, duration: float | None) -> None:
        """Show that a scan failed, and why; `duration` is None for one that was not even begun."""
        self._replace(key, lambda entry: _failed(entry, failure, duration))

    def entries(self) -> list[Entry]:
        """Return all entries in a stable order, values older than `keep_for` taken down."""
        now = self._monotonic()
        with self._lock:
            for key, entry in self._entries.items():
                if entry.summary and entry.success is False and now - entry.fresh_at > entry.keep_for:
                    self._entries[key] = replace(entry, summary=None, worst=None)
            return list(self._entries.values())

    def all_shown(self) -> bool:
        """Whether of every bucket a first attempt has ended, or an earlier process's result is shown."""
        with self._lock:
            return all(entry.success is not None or entry.summary for entry in self._entries.values())

    def _replace(self, key: Key, change: Callable[[Entry], Entry]) -> None:
        with self._lock:
            if entry := self._entries.get(key):
                self._entries[key] = change(entry)


def _failed(entry: Entry, failure: Failure, duration: float | None) -> Entry:
    missing = entry.missing
    if duration is not None:  # else nothing was asked, so that nothing new is known
        missing = missing + 1 if failure.reason is Reason.NOT_FOUND else 0
    return replace(
        entry,
        success=False,
        complete=False,
        failure=failure,
        trouble="",
        duration=duration if duration is not None else entry.duration,
        missing=missing,
        summary=None if missing >= MISSING_SCANS else entry.summary,
        worst=None if missing >= MISSING_SCANS else entry.worst,
    )
