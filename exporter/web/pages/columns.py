"""The columns of the status page: what each shows of a bucket, and what it sorts by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import age_at
from exporter.text.humanize import DASH, human_bytes, human_count, human_seconds
from exporter.web.bucket_rows import HEALTHS, age_groups
from exporter.web.pages.age_chart import sparkline
from exporter.web.pages.values import Cell, at_odds, moment, money, time_ago

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import Summary
    from exporter.web.bucket_rows import BucketRow

SortValue = str | float | None


class Column(NamedTuple):
    """A column: its name in links, its title, its cell for a bucket at a time (Unix seconds), its sort value.

    `descending` is the order that a first click on its head gives.
    """

    key: str
    title: str
    cell: Callable[[BucketRow, float], Cell]
    sort_by: Callable[[BucketRow], SortValue]
    descending: bool = True
    css_class: str = ""
    sortable: bool = True


def _health(row: BucketRow, _: float) -> Cell:
    restored = row.health == "waiting" and row.entry.summary
    return Cell(_WORDS[row.health], "since the start" if restored else "", badge=row.health)


_WORDS = {"failing": "failing", "incomplete": "incomplete", "waiting": "not scanned", "ok": "ok"}


def _of_summary(read: Callable[[Summary], float | None]) -> Callable[[BucketRow], SortValue]:
    return lambda row: read(row.entry.summary) if row.entry.summary else None


def _uploads(row: BucketRow, _: float) -> Cell:
    summary = row.entry.summary
    return Cell(human_count(summary.uploads), at_odds(summary)) if summary else Cell()


def _ages(row: BucketRow, _: float) -> Cell:
    return Cell(picture=sparkline(age_groups(row.entry)))


def _bytes(row: BucketRow, _: float) -> Cell:
    summary = row.entry.summary
    unsized = f"{human_count(summary.unsized)} unsized" if summary and summary.unsized else ""
    return Cell(human_bytes(summary.bytes if summary else None), unsized)


def _stale(row: BucketRow, _: float) -> Cell:
    summary = row.entry.summary
    if summary is None:
        return Cell()
    return Cell(human_count(summary.stale), human_bytes(summary.stale_bytes) if summary.stale else "")


def _before_scan(read: Callable[[Summary], float | None]) -> Callable[[BucketRow, float], Cell]:
    """Return what shows a moment, and how long before the scan it was: later the upload may have ended."""

    def cell(row: BucketRow, _: float) -> Cell:
        entry = row.entry
        seconds = read(entry.summary) if entry.summary else None
        if seconds is None or entry.last_success is None:
            return Cell()
        return Cell(human_seconds(age_at(entry.last_success, seconds)), moment(seconds))

    return cell


def _next_scan(row: BucketRow, now: float) -> Cell:
    times = row.scan_times
    if times is None:
        return Cell()
    if times.running_since is not None:
        return Cell("now", f"for {human_seconds(age_at(now, times.running_since))}")
    return Cell(f"in {human_seconds(times.due - now)}" if times.due > now else "due")


def _cost(row: BucketRow, _: float) -> Cell:
    return Cell(money(row.cost) if row.cost else DASH)


_NUMBER = "number"
NAME = Column(
    "name",
    "Bucket",
    lambda row, _: Cell(row.entry.bucket, row.entry.target),
    lambda row: (row.entry.target, row.entry.bucket),  # type: ignore[arg-type, return-value]  # it compares
    descending=False,
)
COLUMNS = (
    Column("health", "Health", _health, lambda row: HEALTHS.index(row.health), descending=False),
    Column("uploads", "Uploads", _uploads, _of_summary(lambda summary: summary.uploads), css_class=_NUMBER),
    Column("ages", "Ages", _ages, lambda _: None, sortable=False),
    Column("bytes", "Bytes", _bytes, _of_summary(lambda summary: summary.bytes), css_class=_NUMBER),
    Column("stale", "Stale", _stale, _of_summary(lambda summary: summary.stale), css_class=_NUMBER),
    Column(
        "oldest",
        "Oldest",
        _before_scan(lambda summary: summary.oldest_initiated),
        _of_summary(lambda summary: summary.oldest_initiated),
        descending=False,
    ),
    Column(
        "idle",
        "Longest idle",
        _before_scan(lambda summary: summary.oldest_activity),
        _of_summary(lambda summary: summary.oldest_activity),
        descending=False,
    ),
    Column(
        "scanned",
        "Last success",
        lambda row, now: time_ago(row.entry.last_success, now),
        lambda row: row.entry.last_success,
        descending=False,
    ),
    Column(
        "next",
        "Next scan",
        _next_scan,
        lambda row: row.scan_times.due if row.scan_times else None,
        descending=False,
    ),
    Column(
        "duration",
        "Took",
        lambda row, _: Cell(human_seconds(row.entry.duration)),
        lambda row: row.entry.duration,
        css_class=_NUMBER,
    ),
    Column("cost", "A month", _cost, lambda row: row.cost[1] if row.cost else None, css_class=_NUMBER),
)
"""All but the first, which is `NAME`."""
