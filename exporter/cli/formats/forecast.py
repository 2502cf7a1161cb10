"""Forecasts as an aligned table, with their assumptions."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from exporter.cli.terminal.table import Column, table
from exporter.scan.forecast import Estimate, sum_estimates
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.cli.forecast import Forecast

_COLUMNS = (
    Column("target", cut=True),
    Column("bucket", cut=True),
    *(Column(title, right=True) for title in ("uploads", "first scan", "steady scan", "month")),
    *(Column(title, right=True) for title in ("plain month", "times less", "cost", "plain cost")),
)
_COST_COLUMNS = 2
"""The last columns; left out where no price is set."""
_DECIMALS_BELOW = 100
_ASSUMPTIONS = """\
Requests include the listing's. Month: 30 days of scans, the first one included. Steady scan: one after the
first, on average. Plain month: every upload is asked about at every scan.{cost}
Assumed: every upload has been idle since its initiation (without a date: since now), as a listing does not
tell when parts came; one that still grows costs a request per scan. A part list longer than 1,000 costs up to
one more request per further 1,000. Lifecycle rules and tags, where set, cost a request an hour each. New
uploads and retries are not foreseen."""


def estimate_table(forecasts: Sequence[Forecast], width: int | None = None) -> str:
    """Return a row per bucket and a total per target, no wider than `width`, and then what was assumed.

    On a terminal, which has a width, a failure is its reason alone: `check` tells the whole of it.
    """
    with_cost = any(each.target.price_per_1000_requests is not None for each in forecasts)
    columns = _COLUMNS if with_cost else _COLUMNS[:-_COST_COLUMNS]
    rows = [row[: len(columns)] for row in _rows(forecasts, brief=width is not None)]
    cost = " Cost: a month's, by the set price." if with_cost else ""
    return "\n".join((table(columns, rows, width), "", _ASSUMPTIONS.format(cost=cost)))


def _rows(forecasts: Iterable[Forecast], *, brief: bool) -> Iterator[tuple[str, ...]]:
    for target, group in groupby(forecasts, key=lambda each: each.target):
        buckets, price = list(group), target.price_per_1000_requests
        for each in buckets:
            outcome = each.outcome
            if isinstance(outcome, str) and brief:
                outcome = outcome.partition(": ")[0]
            yield (target.name, each.bucket or "(all)", *_cells(outcome, price))
        estimates = [each.outcome for each in buckets if isinstance(each.outcome, Estimate)]
        if len(buckets) > 1 and estimates:
            of = "" if len(estimates) == len(buckets) else f" of {len(estimates):,} of {len(buckets):,}"
            yield (target.name, f"(total{of})", *_cells(sum_estimates(estimates), price))


def _cells(outcome: Estimate | str, price: float | None) -> tuple[str, ...]:
    if isinstance(outcome, str):
        return (f"failed: {one_line(outcome)}",)
    requests = (
        outcome.first_scan,
        outcome.later_scan,
        outcome.month,
        outcome.month_always,
        outcome.savings_factor,
    )
    return (
        f"{outcome.uploads:,}",
        *map(_number, requests),
        *(_money(number, price) for number in (outcome.month, outcome.month_always)),
    )


def _number(value: float) -> str:
    """Return a readable number: below 100 with one decimal unless that is 0."""
    return f"{value:,.1f}" if value < _DECIMALS_BELOW and round(value, 1) % 1 else f"{value:,.0f}"


def _money(requests: float, price: float | None) -> str:
    return "-" if price is None else f"{requests / 1000 * price:,.2f}"
