"""The status page: totals, the distribution of ages, a row per bucket. Plain HTML; no script runs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from exporter.text.humanize import human_bytes, human_seconds
from exporter.web.bucket_rows import HEALTHS, sort_rows, total, total_ages
from exporter.web.pages.age_chart import chart
from exporter.web.pages.columns import AGES, COLUMNS, NAME, ages_of, why
from exporter.web.pages.layout import frame, money, number, options, when
from exporter.web.query import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.web.bucket_rows import BucketRow, Totals
    from exporter.web.pages.columns import Column
    from exporter.web.pages.layout import PageContext
    from exporter.web.query import Query

PAGE = 100
"""So many buckets are on a page."""
_MOST_PAGES = 1_000_000
_NUMBER = ' class="number"'


def status_page(
    rows: Sequence[BucketRow], site: PageContext, query: Query, now: float, trouble: str = ""
) -> str:
    """Return the page as HTML; by default failing buckets come first.

    `now` is Unix seconds, `trouble` HTML that tells what else is wrong.
    """
    totals = total(rows)
    columns = [NAME, *(column for column in COLUMNS if column.key != "cost" or totals.costs)]
    column, descending = _order(columns, query)
    found = sort_rows([row for row in rows if _matches(row, query)], column.value, descending=descending)
    pages = max(1, -(-len(found) // PAGE))
    page = min(_page_number(query), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    body = (
        f'<p class="lead">Multipart uploads in progress, as of each bucket\'s last scan. '
        f"Now: {when(now)}.</p>"
        f"{trouble}{_tiles(totals)}{_ages(rows)}"
        f'<h2 id="list" tabindex="-1">Buckets</h2>'
        f"{_form(rows, columns, query)}{_table(shown, columns, query, len(found), now)}"
        f"{page_links(query, './', page, pages)}"
    )
    return frame(site, "/", "Buckets – mpu-exporter", body)  # noqa: RUF001 - a dash for people


def page_links(query: Query, path: str, page: int, pages: int) -> str:
    """Return links to the other pages of a list, '' where there are none."""
    if pages == 1:
        return ""
    steps = ((page - 1, "Previous"), (page + 1, "Next"))
    links = "".join(
        f'<a href="{escape(query.link(path, page=str(to)))}#list">{name} page</a>'
        for to, name in steps
        if 1 <= to <= pages
    )
    return (
        f'<nav class="pages" aria-label="Pages of the list"><span>Page {page} of {pages}</span>{links}</nav>'
    )


def _order(columns: Sequence[Column], query: Query) -> tuple[Column, bool]:
    """Return which column to sort by, and whether the largest comes first; a wrong wish counts as none."""
    by_key = {column.key: column for column in columns}
    column = by_key.get(query.text("sort"), by_key["health"])
    return column, {"asc": False, "desc": True}.get(query.text("order"), column.descending)


def _page_number(query: Query) -> int:
    try:
        return query.number("page", 1, _MOST_PAGES)
    except QueryError:
        return 1


def _matches(row: BucketRow, query: Query) -> bool:
    entry, words = row.entry, query.text("q").casefold()
    return (
        query.text("target") in {"", entry.target}
        and query.text("health") in {"", row.health}
        and any(
            words in said.casefold()
            for said in (entry.bucket, entry.target, str(entry.failure or entry.trouble))
        )
    )


def _tiles(totals: Totals) -> str:
    broken = totals.healths["failing"]
    failing = f'<a href="./?health=failing#list">{number(broken)} failing</a>'
    tiles = [
        ("Buckets", number(totals.buckets), failing if broken else "none failing"),
        ("Uploads", number(totals.uploads), _unknown(totals.unknown, "buckets not known")),
        ("Bytes", human_bytes(totals.bytes), _unknown(totals.unsized, "uploads unsized")),
        ("Stale", number(totals.stale), human_bytes(totals.stale_bytes) if totals.stale else ""),
        ("Oldest", human_seconds(totals.oldest_age), when(totals.oldest) if totals.oldest else ""),
    ]
    if totals.costs:
        tiles.append(("A month", ", ".join(map(money, totals.costs)), "where prices are known"))
    shown = "".join(
        f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles
    )
    return f'<section aria-label="Totals"><dl class="tiles">{shown}</dl></section>'


def _unknown(count: int, what: str) -> str:
    return f"{number(count)} {what}" if count else ""


def _ages(rows: Sequence[BucketRow]) -> str:
    groups = total_ages(rows)
    if not groups:
        return ""
    panel = f'<div class="panel chart">{chart(groups)}</div>'
    return f'<section aria-labelledby="ages"><h2 id="ages">Ages</h2>{panel}</section>'


def _form(rows: Sequence[BucketRow], columns: Sequence[Column], query: Query) -> str:
    targets = sorted({row.entry.target for row in rows})
    column, descending = _order(columns, query)
    fields = (
        ("Text", f'<input type="search" name="q" id="q" value="{escape(query.text("q"))}">', "q"),
        (
            "Target",
            _select("target", [("", "all"), *((name, name) for name in targets)], query.text("target")),
            "target",
        ),
        (
            "Health",
            _select("health", [("", "all"), *((name, name) for name in HEALTHS)], query.text("health")),
            "health",
        ),
    )
    shown = "".join(f'<div><label for="{key}">{label}</label>{field}</div>' for label, field, key in fields)
    sorts = _select("sort", [(each.key, each.title) for each in columns], column.key)
    orders = _select(
        "order", [("asc", "smallest first"), ("desc", "largest first")], "desc" if descending else "asc"
    )
    return (
        f'<form class="filter" method="get" action="./" role="search" aria-label="Buckets">{shown}'
        f'<div class="phone"><label for="sort">Sort by</label>{sorts}</div>'
        f'<div class="phone"><label for="order">Order</label>{orders}</div>'
        f'<button type="submit">Show</button></form>'
    )


def _select(name: str, values: Sequence[tuple[str, str]], chosen: str) -> str:
    return f'<select name="{name}" id="{name}">{options(values, chosen)}</select>'


def _table(rows: Sequence[BucketRow], columns: Sequence[Column], query: Query, found: int, now: float) -> str:
    heads = [_head(column, columns, query) for column in columns]
    heads.insert(3, f'<th scope="col" role="columnheader">{AGES}</th>')
    body = "".join(_row(row, columns, now) for row in rows)
    told = f"{number(found)} bucket{'' if found == 1 else 's'}"
    if not found:
        told = "No bucket is like that."
    return (
        '<div class="panel scroll" tabindex="0" role="region" aria-label="Buckets">'
        f'<table class="list buckets" role="table"><caption>{told}</caption><thead role="rowgroup">'
        f'<tr role="row">{"".join(heads)}</tr></thead>{body}</table></div>'
    )


def _head(column: Column, columns: Sequence[Column], query: Query) -> str:
    chosen, descending = _order(columns, query)
    current = column is chosen
    order = "desc" if (not descending if current else column.descending) else "asc"
    link = escape(query.link("./", sort=column.key, order=order, page=""))
    sorted_by = f' aria-sort="{"descending" if descending else "ascending"}"' if current else ""
    arrow = f' <span aria-hidden="true">{"▼" if descending else "▲"}</span>' if current else ""
    kind = _NUMBER if column.number else ""
    shown = f'<a href="{link}#list">{column.title}{arrow}</a>'
    return f'<th scope="col" role="columnheader"{kind}{sorted_by}>{shown}</th>'


def _row(row: BucketRow, columns: Sequence[Column], now: float) -> str:
    name, *others = columns
    cells = [
        f'<td role="cell" data-label="{column.title}"{_NUMBER if column.number else ""}>'
        f"<div>{column.show(row, now)}</div></td>"
        for column in others
    ]
    cells.insert(2, f'<td role="cell" data-label="{AGES}"><div>{ages_of(row)}</div></td>')
    reason = why(row)
    below = (
        f'<tr role="row"><td role="cell" class="why" colspan="{len(cells) + 1}"><div>{reason}</div></td></tr>'
        if reason
        else ""
    )
    return (
        f'<tbody role="rowgroup" class="card"><tr role="row">'
        f'<th scope="row" role="rowheader">{name.show(row, now)}</th>{"".join(cells)}</tr>{below}</tbody>'
    )
