"""The columns of the status page: what each shows of a bucket, and what the list can be sorted by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import age_at
from exporter.text.humanize import human_bytes, human_count, human_seconds
from exporter.web.bucket_rows import STATES, age_groups, byte_groups
from exporter.web.pages.age_chart import sparkline
from exporter.web.pages.shortened import shortened
from exporter.web.pages.values import Cell, at_odds, day, moment, money_amount, time_ago
from exporter.web.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import Summary
    from exporter.web.bucket_rows import BucketRow
    from exporter.web.pages.values import Moment

SortValue = str | float | None


class View(NamedTuple):
    """What cells depend on besides their bucket: the time (Unix seconds), whether `/uploads` is served."""

    now: float
    uploads: bool


class Column(NamedTuple):
    """A column: its name, which is that of an ordering if it has one; its title; its cell for a bucket."""

    key: str
    title: str
    cell: Callable[[BucketRow, View], Cell]
    css_class: str = ""


class Ordering(NamedTuple):
    """What the list can be sorted by: its name in links, its title, the value of a bucket.

    `descending` is the order that is meant where none is given.
    """

    key: str
    title: str
    value: Callable[[BucketRow], SortValue]
    descending: bool = True


def _name(row: BucketRow, _: View) -> Cell:
    return Cell(shortened(row.entry.bucket), shortened(row.entry.target))


def _health(row: BucketRow, _: View) -> Cell:
    restored = row.health == "waiting" and row.entry.summary
    return Cell(STATE_WORDS[row.state], "since the start" if restored else "", badge=row.state)


STATE_WORDS = {state: "not scanned" if state == "waiting" else state for state in STATES}
"""The states of buckets as pages call them."""


def _uploads(row: BucketRow, _: View) -> Cell:
    summary = row.entry.summary
    return Cell(human_count(summary.uploads), at_odds(summary)) if summary else Cell()


def _ages(row: BucketRow, _: View) -> Cell:
    """Return a picture of bytes by age; of uploads where no bytes are known, or there are none."""
    in_bytes = sparkline("Bytes", byte_groups(row.entry), human_bytes)
    return Cell(picture=in_bytes or sparkline("Uploads", age_groups(row.entry), human_count))


def _bytes(row: BucketRow, _: View) -> Cell:
    summary = row.entry.summary
    unsized = f"{human_count(summary.unsized)} unsized" if summary and summary.unsized else ""
    return Cell(human_bytes(summary.bytes if summary else None), unsized)


def _stale(row: BucketRow, view: View) -> Cell:
    entry, summary = row.entry, row.entry.summary
    if summary is None or not summary.stale:
        return Cell(human_count(summary.stale)) if summary else Cell()
    link = uploads_link(target=entry.target, bucket=entry.bucket, stale="true") if view.uploads else ""
    title = f"The stale uploads of {entry.bucket}" if link else ""
    return Cell(
        human_count(summary.stale), human_bytes(summary.stale_bytes), link=link, title=title, warns=True
    )


def uploads_link(**values: str) -> str:
    """Return a link to the page of uploads with these values in its query."""
    return Query({}).link("uploads", **values)


def _oldest(row: BucketRow, _: View) -> Cell:
    summary = row.entry.summary
    initiated = summary.oldest_initiated if summary else None
    note = "" if initiated is None else day(initiated)
    return _before_scan(row, initiated, note, at_least=row.dated_by_first_sight)


def _idle(row: BucketRow, _: View) -> Cell:
    return _before_scan(row, row.entry.summary.oldest_activity if row.entry.summary else None)


def _before_scan(
    row: BucketRow, seconds: float | None, note: str | Moment = "", *, at_least: bool = False
) -> Cell:
    """Return a cell with how long before the scan a moment was: later the upload may have ended."""
    last_success = row.entry.last_success
    if seconds is None or last_success is None:
        return Cell()
    return Cell(moment(seconds, last_success, at_least=at_least), note)


def _scanned(row: BucketRow, view: View) -> Cell:
    entry, took = row.entry, ""
    if entry.duration is not None:
        took = f"{'took' if entry.success else 'last try'} {human_seconds(entry.duration)}"
    return time_ago(entry.last_success, view.now, took)


def _next_scan(row: BucketRow, view: View) -> Cell:
    times, now = row.scan_times, view.now
    if times is None:
        return Cell()
    if times.running_since is not None:
        return Cell("now", f"for {human_seconds(age_at(now, times.running_since))}")
    return Cell(f"in {human_seconds(times.due - now)}" if times.due > now else "due")


def _cost(row: BucketRow, _: View) -> Cell:
    return Cell(money_amount(row.cost), row.cost[0]) if row.cost else Cell()


_NUMBER = "number"
NAME = Column("name", "Bucket", _name)
COLUMNS = (
    Column("health", "Health", _health),
    Column("uploads", "Uploads", _uploads, _NUMBER),
    Column("bytes", "Bytes", _bytes, _NUMBER),
    Column("ages", "By age", _ages),
    Column("stale", "Stale", _stale, _NUMBER),
    Column("oldest", "Oldest", _oldest),
    Column("idle", "Longest idle", _idle),
    Column("scanned", "Last success", _scanned),
    Column("next", "Next scan", _next_scan),
    Column("cost", "A month", _cost, _NUMBER),
)
"""All but the first, which is `NAME`."""


def _of_summary(read: Callable[[Summary], float | None]) -> Callable[[BucketRow], SortValue]:
    return lambda row: read(row.entry.summary) if row.entry.summary else None


def _since(seconds: float | None) -> float | None:
    """Return what is the greater the longer ago a moment was."""
    return None if seconds is None else -seconds


ORDERINGS = (
    Ordering("health", "Health", lambda row: STATES.index(row.state), descending=False),
    Ordering(
        "name",
        "Bucket",
        lambda row: (row.entry.target, row.entry.bucket),  # type: ignore[arg-type, return-value]  # it compares
        descending=False,
    ),
    Ordering("uploads", "Uploads", _of_summary(lambda summary: summary.uploads)),
    Ordering("bytes", "Bytes", _of_summary(lambda summary: summary.bytes)),
    Ordering("stale", "Stale uploads", _of_summary(lambda summary: summary.stale)),
    Ordering("stale_bytes", "Stale bytes", _of_summary(lambda summary: summary.stale_bytes)),
    Ordering("oldest", "Age", _of_summary(lambda summary: _since(summary.oldest_initiated))),
    Ordering("idle", "Idle time", _of_summary(lambda summary: _since(summary.oldest_activity))),
    Ordering("scanned", "Last success", lambda row: _since(row.entry.last_success)),
    Ordering(
        "next", "Next scan", lambda row: row.scan_times.due if row.scan_times else None, descending=False
    ),
    Ordering("duration", "Duration", lambda row: row.entry.duration),
    Ordering("cost", "Cost", lambda row: row.cost[1] if row.cost else None),
)
