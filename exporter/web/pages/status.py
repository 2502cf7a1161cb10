"""The status page: totals, the distribution of ages, a row per bucket. Plain HTML; it has no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.text.humanize import human_age, human_bytes, human_count
from exporter.web.bucket_rows import age_groups, byte_groups, sort_rows, total, total_groups
from exporter.web.pages.age_chart import chart
from exporter.web.pages.columns import COLUMNS, NAME, ORDERINGS, STATE_WORDS, View, uploads_link
from exporter.web.pages.layout import render_page
from exporter.web.pages.values import Cell, Choice, Head, Moment, at_odds, filter_choice, moment, money
from exporter.web.query import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.web.bucket_rows import BucketRow, Totals
    from exporter.web.pages.age_chart import ChartLine
    from exporter.web.pages.columns import Column, Ordering
    from exporter.web.pages.layout import PageContext
    from exporter.web.pages.problems import Problems
    from exporter.web.query import Query

PAGE_SIZE = 100
"""Number of buckets on a page."""
_MAX_PAGE = 1_000_000
_WIDE, _WIDEST = 10, 13
_PATH = "./"


class _Order(NamedTuple):
    """What rows are sorted by, whether the largest comes first, and whether the query asks for that."""

    by: Ordering
    descending: bool
    asked: bool


class _Tile(NamedTuple):
    """A total: its name, its value, a note below it, and a link with its text; whether it stands out."""

    name: str
    value: str
    note: str | Moment = ""
    link: str = ""
    link_text: str = ""
    warns: bool = False

    @property
    def css_class(self) -> str:
        """What the style knows it by: `warns`; `long` or `longer` where the value needs a smaller size."""
        size = "longer" if len(self.value) > _WIDEST else "long" if len(self.value) > _WIDE else ""
        return " ".join(filter(None, ("warns" * self.warns, size)))


class _Chart(NamedTuple):
    """A table of bars: what is counted, as its title and at the head of its numbers, and its lines."""

    title: str
    unit: str
    lines: Sequence[ChartLine]


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
    orderings = [each for each in ORDERINGS if each.key != "cost" or totals.costs]
    order = _order(orderings, query)
    found = sort_rows(_filter(rows, query), order.by.value, descending=order.descending)
    view = View(now, context.uploads)
    pager = _pager(query, len(found))
    first = (pager.page - 1) * PAGE_SIZE
    return render_page(
        "status.html",
        context,
        "/",
        now=moment(now),
        problems=problems,
        tiles=_tiles(totals, context),
        charts=_charts(rows),
        search=query.text("q"),
        choices=[*_choices(rows, query), *_sort_choices(orderings, order)],
        buckets=len(found),
        heads=[_head(column, orderings, order, query) for column in columns],
        rows=[_row(row, columns, view) for row in found[first : first + PAGE_SIZE]],
        pager=pager,
        can_scan=context.scan,
    )


def _order(orderings: Sequence[Ordering], query: Query) -> _Order:
    """Return the order of a query, the usual one where it names none that there is."""
    by_key = {each.key: each for each in orderings}
    by = by_key.get(query.text("sort"), by_key["health"])
    asked = {"asc": False, "desc": True}.get(query.text("order"))
    return _Order(by, by.descending if asked is None else asked, asked is not None)


def _filter(rows: Sequence[BucketRow], query: Query) -> list[BucketRow]:
    """Return the rows of a query's target and health, with its words in a name or in what is wrong.

    All that hold stale uploads are meant by `stale`, and by `ok` none of them.
    """
    target, state, words = query.text("target"), query.text("health"), query.text("q").casefold()
    return [
        row
        for row in rows
        if target in {"", row.entry.target}
        and (state in {"", row.state} or (state == "stale" and row.holds_stale))
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


def _tiles(totals: Totals, context: PageContext) -> list[_Tile]:
    tiles = [
        _buckets_tile(totals),
        _Tile("Uploads", human_count(totals.uploads), _uploads_note(totals)),
        _Tile("Bytes", human_bytes(totals.bytes), _count(totals.unsized, "upload", "unsized")),
        _stale_tile(totals, context),
        _Tile(
            "Oldest",
            human_age(totals.oldest_age, at_least=totals.oldest_at_least),
            moment(totals.oldest) if totals.oldest else "",
        ),
    ]
    if totals.costs:
        tiles.append(_Tile("A month", ", ".join(map(money, totals.costs)), "where prices are known"))
    return tiles


def _buckets_tile(totals: Totals) -> _Tile:
    failing, buckets = totals.healths["failing"], human_count(totals.buckets)
    if not failing:
        return _Tile("Buckets", buckets, "none failing")
    return _Tile(
        "Buckets", buckets, link="./?health=failing#list", link_text=f"{human_count(failing)} failing"
    )


def _stale_tile(totals: Totals, context: PageContext) -> _Tile:
    """Return the tile of stale uploads, with a link to them, or to their buckets where no page has them."""
    if not totals.stale:
        return _Tile("Stale", human_count(totals.stale))
    link, text = (
        (uploads_link(stale="true"), "show them")
        if context.uploads
        else ("./?health=stale#list", "show their buckets")
    )
    return _Tile("Stale", human_count(totals.stale), human_bytes(totals.stale_bytes), link, text, warns=True)


def _charts(rows: Sequence[BucketRow]) -> list[_Chart]:
    """Return a chart of uploads by age and one of bytes, without those of which nothing is known."""
    uploads = chart(total_groups(age_groups(row.entry) for row in rows), human_count)
    sizes = chart(total_groups(byte_groups(row.entry) for row in rows), human_bytes)
    charts = (_Chart("Uploads by age", "Uploads", uploads), _Chart("Bytes by age", "Bytes", sizes))
    return [each for each in charts if each.lines]


def _uploads_note(totals: Totals) -> str:
    return ", ".join(filter(None, (_count(totals.unknown, "bucket", "not known"), at_odds(totals))))


def _count(count: int, what: str, how: str) -> str:
    return f"{human_count(count)} {what}{'' if count == 1 else 's'} {how}" if count else ""


def _choices(rows: Sequence[BucketRow], query: Query) -> list[Choice]:
    targets = sorted({row.entry.target for row in rows})
    return [
        filter_choice("target", "Target", ((each, each) for each in targets), query.text("target")),
        filter_choice("health", "Health", STATE_WORDS.items(), query.text("health")),
    ]


def _sort_choices(orderings: Sequence[Ordering], order: _Order) -> list[Choice]:
    """Return the choices of order: more than columns have, which a phone does not show the heads of."""
    asked = ("desc" if order.descending else "asc") if order.asked else ""
    directions = [("", "usual"), ("asc", "smallest first"), ("desc", "largest first")]
    return [
        Choice("sort", "Sort by", [(each.key, each.title) for each in orderings], order.by.key),
        Choice("order", "Order", directions, asked),
    ]


def _head(column: Column, orderings: Sequence[Ordering], order: _Order, query: Query) -> Head:
    ordering = next((each for each in orderings if each.key == column.key), None)
    if ordering is None:
        return Head(column.title, column.css_class)
    current = ordering is order.by
    descending = not order.descending if current else ordering.descending
    link = query.link(_PATH, sort=column.key, order="desc" if descending else "asc", page="")
    sorted_by = ("descending" if order.descending else "ascending") if current else ""
    return Head(column.title, column.css_class, f"{link}#list", sorted_by)


def _row(row: BucketRow, columns: Sequence[Column], view: View) -> _Row:
    name, *others = columns
    return _Row(name.cell(row, view), [(column, column.cell(row, view)) for column in others], row.texts)
