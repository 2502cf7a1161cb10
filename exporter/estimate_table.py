"""Estimates as an aligned table, and what they assume."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from exporter.estimate import Estimate, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.foretell import Foretold

_HEAD = (
    *("target", "bucket", "uploads", "first scan", "steady scan", "month", "plain month", "times less"),
    *("cost", "plain cost"),
)
_NAMES = 2
"""The columns of names, which begin a row; numbers follow, or why there are none."""
_MONEY = 2
_FEW = 100
_ASSUMPTIONS = """\
Requests include the listing's. Month: 30 days of scans, the first one included. Steady scan: one after the
first, on average. Plain month: every upload is asked about at every scan. Cost: a month's, by the set price.
Assumed: every upload has been idle since its initiation (without a date: since now), as a listing does not
tell when parts came; one that still grows costs a request per scan. A part list longer than 1,000 costs up to
one more request per further 1,000. New uploads and retries are not foreseen."""


def table(foretold: Sequence[Foretold]) -> str:
    """Return a row per bucket and a total per target, and then what was assumed."""
    with_money = any(each.target.price_per_1000_requests is not None for each in foretold)
    rows = [_HEAD, *_rows(foretold)]
    rows = [row if with_money or _failed(row) else row[:-_MONEY] for row in rows]
    return "\n".join((*_aligned(rows), "", _ASSUMPTIONS))


def _rows(foretold: Iterable[Foretold]) -> Iterator[tuple[str, ...]]:
    for target, group in groupby(foretold, key=lambda each: each.target):
        buckets, price = list(group), target.price_per_1000_requests
        for each in buckets:
            yield (target.name, each.bucket, *_cells(each.outcome, price))
        estimates = [each.outcome for each in buckets if isinstance(each.outcome, Estimate)]
        if len(buckets) > 1 and estimates:
            of = "" if len(estimates) == len(buckets) else f" of {len(estimates):,} of {len(buckets):,}"
            yield (target.name, f"(total{of})", *_cells(total(estimates), price))


def _cells(outcome: Estimate | str, price: float | None) -> tuple[str, ...]:
    if isinstance(outcome, str):
        return (f"failed: {_printable(outcome)}",)
    requests = (outcome.first, outcome.steady, outcome.month, outcome.plain, outcome.times_less)
    return (
        f"{outcome.uploads:,}",
        *map(_number, requests),
        *(_money(number, price) for number in (outcome.month, outcome.plain)),
    )


def _number(value: float) -> str:
    """Return a number as people read it: few requests with a decimal, unless it is none."""
    return f"{value:,.1f}" if value < _FEW and round(value, 1) % 1 else f"{value:,.0f}"


def _money(requests: float, price: float | None) -> str:
    return "-" if price is None else f"{requests / 1000 * price:,.2f}"


def _printable(text: str) -> str:
    """Return a store's words on one line, without what a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))


def _failed(row: Sequence[str]) -> bool:
    return len(row) == _NAMES + 1


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    whole = [row for row in rows if not _failed(row)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    for number in range(_NAMES):
        widths[number] = max(len(row[number]) for row in rows)
    for row in rows:
        names = [cell.ljust(width) for cell, width in zip(row[:_NAMES], widths, strict=False)]
        cells = [
            cell if _failed(row) else cell.rjust(width)
            for cell, width in zip(row[_NAMES:], widths[_NAMES:], strict=False)
        ]
        yield "  ".join((*names, *cells))
