"""The board and what is watched, side by side: a row per bucket, in order, filtered and added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.board import Entry
    from exporter.summary import Summary
    from exporter.watched import Turn, Watched

HEALTHS = ("failing", "incomplete", "untried", "ok")
"""The worst first. Incomplete: bytes of some uploads are not known."""


class Row(NamedTuple):
    """A bucket as it is shown. `turn` is None where it is not known when it is scanned."""

    entry: Entry
    turn: Turn | None = None

    @property
    def health(self) -> str:
        """One of HEALTHS."""
        if self.entry.success is None:
            return "untried"
        if not self.entry.success:
            return "failing"
        return "ok" if self.entry.complete else "incomplete"

    @property
    def age(self) -> float | None:
        """For how many seconds the oldest upload had been in progress at the last good scan."""
        return self._before_scan(self.entry.summary.oldest_initiated if self.entry.summary else None)

    @property
    def idle(self) -> float | None:
        """For how many seconds the least active upload had not changed then."""
        return self._before_scan(self.entry.summary.oldest_activity if self.entry.summary else None)

    def _before_scan(self, moment: float | None) -> float | None:
        scanned = self.entry.last_success
        return None if moment is None or scanned is None else max(0.0, scanned - moment)


class Totals(NamedTuple):
    """What rows add up to. `bytes` and `stale_bytes` are those that are known, None where none are."""

    buckets: int
    failing: int
    uploads: int | None
    bytes: int | None
    stale: int | None
    stale_bytes: int | None
    age: float | None
    age_counts: tuple[int, ...]


def rows_of(entries: Iterable[Entry], watched: Iterable[Watched]) -> list[Row]:
    """Return a row per entry."""
    turns = {(each.settings.name, name): turn for each in watched for name, turn in each.turns.items()}
    return [Row(entry, turns.get((entry.target, entry.bucket))) for entry in entries]


_Value = float | str | None
_MOST_FIRST = ("stale", "bytes", "uploads", "age", "idle", "took")


def _of_summary(value: Callable[[Summary], float | None]) -> Callable[[Row], _Value]:
    return lambda row: value(row.entry.summary) if row.entry.summary else None


ORDERS: dict[str, Callable[[Row], _Value]] = {
    "health": lambda row: HEALTHS.index(row.health),
    "target": lambda row: row.entry.target,
    "bucket": lambda row: row.entry.bucket,
    "uploads": _of_summary(lambda summary: summary.uploads),
    "bytes": _of_summary(lambda summary: summary.bytes),
    "stale": _of_summary(lambda summary: summary.stale),
    "age": lambda row: row.age,
    "idle": lambda row: row.idle,
    "scanned": lambda row: row.entry.last_success,
    "next": lambda row: row.turn and row.turn.due,
    "took": lambda row: row.entry.duration,
}


def usual_direction(order: str) -> str:
    """Return in which direction people want a column first."""
    return "desc" if order in _MOST_FIRST else "asc"


def in_order(rows: Iterable[Row], order: str, direction: str) -> list[Row]:
    """Return the rows in this order, what is not known last, equal ones by target and bucket."""
    value = ORDERS[order]
    by_name = sorted(rows, key=lambda row: (row.entry.target, row.entry.bucket))
    known = [row for row in by_name if value(row) is not None]
    unknown = [row for row in by_name if value(row) is None]
    return sorted(known, key=value, reverse=direction == "desc") + unknown  # type: ignore[arg-type]


def chosen(rows: Iterable[Row], target: str, health: str, text: str) -> list[Row]:
    """Return the rows of a target, of a health, that have a text in what they say; '' stands for all."""
    wanted = text.casefold()
    return [
        row
        for row in rows
        if target in {"", row.entry.target} and health in {"", row.health} and wanted in _said(row.entry)
    ]


def _said(entry: Entry) -> str:
    return f"{entry.target}\n{entry.bucket}\n{entry.reason or ''}\n{entry.message}".casefold()


def totals_of(rows: Sequence[Row]) -> Totals:
    """Add rows up."""
    summaries = [row.entry.summary for row in rows if row.entry.summary]
    ages = [summary.age_counts for summary in summaries if summary.age_counts]
    same = len({row.entry.ages for row in rows}) == 1
    return Totals(
        buckets=len(rows),
        failing=sum(row.health == "failing" for row in rows),
        uploads=_sum(summary.uploads for summary in summaries),
        bytes=_sum(summary.bytes for summary in summaries),
        stale=_sum(summary.stale for summary in summaries),
        stale_bytes=_sum(summary.stale_bytes for summary in summaries),
        age=max((row.age for row in rows if row.age is not None), default=None),
        age_counts=tuple(map(sum, zip(*ages, strict=True))) if ages and same else (),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
