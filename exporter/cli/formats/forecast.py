"""Forecasts as an aligned table, with their assumptions."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from exporter.cli.terminal.table import Column, table
from exporter.config.settings import StoreKind
from exporter.scan.forecast import Estimate, sum_estimates
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.cli.forecast import Forecast

_NAMES = (Column("target", cut=True), Column("bucket", cut=True))
_LISTED = Column("listed", right=True)
"""Left out where every store lists its uploads alone."""
_NUMBERS = tuple(
    Column(title, right=True)
    for title in ("uploads", "first scan", "steady scan", "month", "plain month", "times less")
)
_COSTS = (Column("cost", right=True), Column("plain cost", right=True))
"""Left out where no price is set."""
_DECIMALS_BELOW = 100
_COST_NOTE = " Cost: a month's, by the set price."
_LISTED_NOTE = """
Listed: finished blobs, too, where the store cannot list uploads alone; the requests of listing go by them."""
_ASSUMPTIONS = """\
Requests include the listing's. Month: 30 days of scans, the first one included. Steady scan: one after the
first, on average. Plain month: every upload is asked about at every scan.{cost}{listed}
Assumed: every upload has been idle since its initiation (without a date: since now), as a listing does not
tell when parts came; one that still grows costs a request per scan.{parts} Lifecycle rules and tags, where
set, cost a request an hour each. New uploads and retries are not foreseen."""
_PARTS_NOTE = """ A part list longer than 1,000 costs up
to one more request per further 1,000, blocks of Azure aside."""


def estimate_table(forecasts: Sequence[Forecast], width: int | None = None) -> str:
    """Return a row per bucket and a total per target, no wider than `width`, and then what was assumed.

    On a terminal, which has a width, a failure is its reason alone: `check` tells the whole of it.
    """
    with_cost = any(each.target.price_per_1000_requests is not None for each in forecasts)
    estimates = (each.outcome for each in forecasts if isinstance(each.outcome, Estimate))
    with_listed = any(each.listed is not None for each in estimates)
    columns = (*_NAMES, *((_LISTED,) if with_listed else ()), *_NUMBERS, *(_COSTS if with_cost else ()))
    rows = [row[: len(columns)] for row in _rows(forecasts, brief=width is not None, with_listed=with_listed)]
    notes = {"cost": _COST_NOTE if with_cost else "", "listed": _LISTED_NOTE if with_listed else ""}
    in_pages = any(each.target.store is not StoreKind.AZURE for each in forecasts)
    notes["parts"] = _PARTS_NOTE if in_pages else ""
    return "\n".join((table(columns, rows, width), "", _ASSUMPTIONS.format(**notes)))


def _rows(forecasts: Iterable[Forecast], *, brief: bool, with_listed: bool) -> Iterator[tuple[str, ...]]:
    for target, group in groupby(forecasts, key=lambda each: each.target):
        buckets, price = list(group), target.price_per_1000_requests
        for each in buckets:
            outcome = each.outcome
            if isinstance(outcome, str) and brief:
                outcome = outcome.partition(": ")[0]
            yield (target.name, each.bucket or "(all)", *_cells(outcome, price, with_listed=with_listed))
        estimates = [each.outcome for each in buckets if isinstance(each.outcome, Estimate)]
        if len(buckets) > 1 and estimates:
            of = "" if len(estimates) == len(buckets) else f" of {len(estimates):,} of {len(buckets):,}"
            yield (
                target.name,
                f"(total{of})",
                *_cells(sum_estimates(estimates), price, with_listed=with_listed),
            )


def _cells(outcome: Estimate | str, price: float | None, *, with_listed: bool) -> tuple[str, ...]:
    if isinstance(outcome, str):
        return (f"failed: {one_line(outcome)}",)
    requests = (
        outcome.first_scan,
        outcome.later_scan,
        outcome.month,
        outcome.month_always,
        outcome.savings_factor,
    )
    listed = outcome.uploads if outcome.listed is None else outcome.listed
    return (
        *((f"{listed:,}",) if with_listed else ()),
        f"{outcome.uploads:,}",
        *map(_number, requests),
        *(_money(number, price) for number in (outcome.month, outcome.month_always)),
    )


def _number(value: float) -> str:
    """Return a readable number: below 100 with one decimal unless that is 0."""
    return f"{value:,.1f}" if value < _DECIMALS_BELOW and round(value, 1) % 1 else f"{value:,.0f}"


def _money(requests: float, price: float | None) -> str:
    return "-" if price is None else f"{requests / 1000 * price:,.2f}"
