"""The columns of the status page: what each shows of a bucket, and what it sorts by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.text.humanize import NOTHING, human_bytes, human_seconds
from exporter.web.bucket_rows import HEALTHS, age_groups
from exporter.web.pages.age_chart import spark
from exporter.web.pages.layout import ago, money, number, text, when

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.results import Summary
    from exporter.web.bucket_rows import BucketRow

Value = str | float | None


class Column(NamedTuple):
    """A column: its name in links, its title, what it shows at a time (HTML), what it sorts by."""

    key: str
    title: str
    show: Callable[[BucketRow, float], str]
    value: Callable[[BucketRow], Value]
    number: bool = False
    descending: bool = True
    """Which order a first click gives."""


def _health(row: BucketRow, _: float) -> str:
    badge = f'<span class="badge {row.health}">{_WORDS[row.health]}</span>'
    return (
        f"{badge}<small>since the start</small>" if row.health == "waiting" and row.entry.summary else badge
    )


def why(row: BucketRow) -> str:
    """Return the reason of a failure in full, '' where there is none."""
    entry = row.entry
    return text(str(entry.failure or entry.trouble))


_WORDS = {"failing": "failing", "incomplete": "incomplete", "waiting": "not scanned", "ok": "ok"}


def _of(take: Callable[[Summary], float | None]) -> Callable[[BucketRow], Value]:
    return lambda row: take(row.entry.summary) if row.entry.summary else None


def _uploads(row: BucketRow, _: float) -> str:
    summary = row.entry.summary
    return number(summary.uploads if summary else None)


def _bytes(row: BucketRow, _: float) -> str:
    summary = row.entry.summary
    shown = human_bytes(summary.bytes if summary else None)
    unsized = f"<small>{number(summary.unsized)} unsized</small>" if summary and summary.unsized else ""
    return shown + unsized


def _stale(row: BucketRow, _: float) -> str:
    summary = row.entry.summary
    if summary is None:
        return NOTHING
    size = f"<small>{human_bytes(summary.stale_bytes)}</small>" if summary.stale else ""
    return number(summary.stale) + size


def _since(take: Callable[[Summary], float | None]) -> Callable[[BucketRow, float], str]:
    """Show a moment and how long before its scan it was: what ended since must not seem to grow older."""

    def show(row: BucketRow, _: float) -> str:
        entry = row.entry
        moment = take(entry.summary) if entry.summary else None
        if moment is None or entry.last_success is None:
            return NOTHING
        return f"{human_seconds(max(0.0, entry.last_success - moment))}<small>{when(moment)}</small>"

    return show


def _next(row: BucketRow, now: float) -> str:
    turn = row.turn
    if turn is None:
        return NOTHING
    if turn.running_since is not None:
        return f"now<small>for {human_seconds(max(0.0, now - turn.running_since))}</small>"
    return f"in {human_seconds(turn.due - now)}" if turn.due > now else "due"


def _cost(row: BucketRow, _: float) -> str:
    return money(row.cost) if row.cost else NOTHING


COLUMNS = (
    Column(
        "health",
        "Health",
        _health,
        lambda row: HEALTHS.index(row.health),
        descending=False,
    ),
    Column("uploads", "Uploads", _uploads, _of(lambda summary: summary.uploads), number=True),
    Column("bytes", "Bytes", _bytes, _of(lambda summary: summary.bytes), number=True),
    Column("stale", "Stale", _stale, _of(lambda summary: summary.stale), number=True),
    Column(
        "oldest",
        "Oldest",
        _since(lambda summary: summary.oldest_initiated),
        _of(lambda summary: summary.oldest_initiated),
        descending=False,
    ),
    Column(
        "idle",
        "Longest idle",
        _since(lambda summary: summary.oldest_activity),
        _of(lambda summary: summary.oldest_activity),
        descending=False,
    ),
    Column(
        "scanned",
        "Last success",
        lambda row, now: ago(row.entry.last_success, now),
        lambda row: row.entry.last_success,
        descending=False,
    ),
    Column("next", "Next scan", _next, lambda row: row.turn.due if row.turn else None, descending=False),
    Column(
        "duration",
        "Took",
        lambda row, _: human_seconds(row.entry.duration),
        lambda row: row.entry.duration,
        number=True,
    ),
    Column("cost", "A month", _cost, lambda row: row.cost[1] if row.cost else None, number=True),
)
NAME = Column(
    "name",
    "Bucket",
    lambda row, _: f"{text(row.entry.bucket)}<small>{text(row.entry.target)}</small>",
    lambda row: (row.entry.target, row.entry.bucket),  # type: ignore[arg-type, return-value]  # it compares
    descending=False,
)
AGES = "Ages"


def ages_of(row: BucketRow) -> str:
    """Return the picture of a bucket's ages."""
    return spark(age_groups(row.entry)) or NOTHING
