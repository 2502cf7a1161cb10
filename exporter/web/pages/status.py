"""The status page: totals, the distribution of ages, a row per bucket. Plain HTML; no script runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.text.humanize import human_bytes, human_count, human_seconds
from exporter.web.bucket_rows import HEALTHS, sort_rows, total, total_ages
from exporter.web.pages.age_chart import chart
from exporter.web.pages.columns import COLUMNS, NAME
from exporter.web.pages.layout import render_page
from exporter.web.pages.values import ALL, Cell, Choice, Moment, at_odds, moment, money
from exporter.web.query import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.web.bucket_rows import BucketRow, Totals
    from exporter.web.pages.columns import Column
    from exporter.web.pages.layout import PageContext
    from exporter.web.pages.problems import Problems
    from exporter.web.query import Query

PAGE_SIZE = 100
"""Number of buckets on a page."""
_MAX_PAGE = 1_000_000
_PATH = "./"


class _Order(NamedTuple):
    """What rows are sorted by, and whether the largest comes first."""

    column: Column
    descending: bool


class _Tile(NamedTuple):
    """A total: its name, its value, a note below it, and where the note links to."""

    name: str
    value: str
    note: str | Moment
    link: str = ""


class _Head(NamedTuple):
    """The head of a column; `link` sorts by it, `aria_sort` is '' where the table is sorted by another."""

    title: str
    css_class: str
    link: str
    aria_sort: str


class _Row(NamedTuple):
    """A bucket: its name, its further cells, and why its last scan failed, or what it found odd."""

    name: Cell
    cells: Sequence[tuple[Column, Cell]]
    texts: Sequence[str]


class _Pager(NamedTuple):
    """Which page of a list this is, with links to its neighbours, '' where there is none."""

    page: int
    pages: int
    previous: str
    next: str


def status_page(
    rows: Sequence[BucketRow], context: PageContext, query: Query, now: float, problems: Problems
) -> str:
    """Return the page as HTML; by default failing buckets come first. `now` is Unix seconds."""
    totals = total(rows)
    columns = [NAME, *(column for column in COLUMNS if column.key != "cost" or totals.costs)]
    order = _order(columns, query)
    found = sort_rows(_filter(rows, query), order.column.sort_by, descending=order.descending)
    pager = _pager(query, len(found))
    first = (pager.page - 1) * PAGE_SIZE
    return render_page(
        "status.html",
        context,
        "/",
        now=moment(now),
        problems=problems,
        tiles=_tiles(totals),
        ages=chart(total_ages(rows)),
        search=query.text("q"),
        choices=_choices(rows, query),
        sort_choices=_sort_choices(columns, order),
        buckets=len(found),
        heads=[_head(column, order, query) for column in columns],
        rows=[_row(row, columns, now) for row in found[first : first + PAGE_SIZE]],
        pager=pager,
    )


def _order(columns: Sequence[Column], query: Query) -> _Order:
    """Return the order of a query, the usual one where it names none that there is."""
    by_key = {column.key: column for column in columns if column.sortable}
    column = by_key.get(query.text("sort"), by_key["health"])
    return _Order(column, {"asc": False, "desc": True}.get(query.text("order"), column.descending))


def _filter(rows: Sequence[BucketRow], query: Query) -> list[BucketRow]:
    """Return the rows of a query's target and health, with its words in a name or in what is wrong."""
    target, health, words = query.text("target"), query.text("health"), query.text("q").casefold()
    return [
        row
        for row in rows
        if target in {"", row.entry.target}
        and health in {"", row.health}
        and (not words or any(words in text.casefold() for text in _texts(row)))
    ]


def _texts(row: BucketRow) -> tuple[str, ...]:
    return row.entry.bucket, row.entry.target, *row.texts


def _pager(query: Query, buckets: int) -> _Pager:
    pages = max(1, -(-buckets // PAGE_SIZE))
    try:
        page = min(query.number("page", 1, _MAX_PAGE), pages)
    except QueryError:
        page = 1
    previous, following = (
        query.link(_PATH, page=str(each)) if 1 <= each <= pages else "" for each in (page - 1, page + 1)
    )
    return _Pager(page, pages, previous, following)


def _tiles(totals: Totals) -> list[_Tile]:
    failing = totals.healths["failing"]
    tiles = [
        _Tile(
            "Buckets",
            human_count(totals.buckets),
            f"{human_count(failing)} failing" if failing else "none failing",
            "./?health=failing#list" if failing else "",
        ),
        _Tile("Uploads", human_count(totals.uploads), _uploads_note(totals)),
        _Tile("Bytes", human_bytes(totals.bytes), _count(totals.unsized, "uploads unsized")),
        _Tile("Stale", human_count(totals.stale), human_bytes(totals.stale_bytes) if totals.stale else ""),
        _Tile("Oldest", human_seconds(totals.oldest_age), moment(totals.oldest) if totals.oldest else ""),
    ]
    if totals.costs:
        tiles.append(_Tile("A month", ", ".join(map(money, totals.costs)), "where prices are known"))
    return tiles


def _uploads_note(totals: Totals) -> str:
    return ", ".join(filter(None, (_count(totals.unknown, "buckets not known"), at_odds(totals))))


def _count(count: int, what: str) -> str:
    return f"{human_count(count)} {what}" if count else ""


def _choices(rows: Sequence[BucketRow], query: Query) -> list[Choice]:
    targets = sorted({row.entry.target for row in rows})
    return [
        Choice("target", "Target", [ALL, *((each, each) for each in targets)], query.text("target")),
        Choice("health", "Health", [ALL, *((each, each) for each in HEALTHS)], query.text("health")),
    ]


def _sort_choices(columns: Sequence[Column], order: _Order) -> list[Choice]:
    """Return the choices that a phone shows in place of the heads of columns."""
    titles = [(column.key, column.title) for column in columns if column.sortable]
    directions = [("asc", "smallest first"), ("desc", "largest first")]
    return [
        Choice("sort", "Sort by", titles, order.column.key),
        Choice("order", "Order", directions, "desc" if order.descending else "asc"),
    ]


def _head(column: Column, order: _Order, query: Query) -> _Head:
    if not column.sortable:
        return _Head(column.title, column.css_class, "", "")
    current = column is order.column
    descending = not order.descending if current else column.descending
    link = query.link(_PATH, sort=column.key, order="desc" if descending else "asc", page="")
    sorted_by = ("descending" if order.descending else "ascending") if current else ""
    return _Head(column.title, column.css_class, link, sorted_by)


def _row(row: BucketRow, columns: Sequence[Column], now: float) -> _Row:
    name, *others = columns
    return _Row(name.cell(row, now), [(column, column.cell(row, now)) for column in others], row.texts)
