"""The status page: what fails, what all buckets add up to, and a row per bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.human import NOTHING, human_bytes
from exporter.web.ages import bins, chart, sparkline
from exporter.web.layout import link, options, span, text_of, time_of
from exporter.web.rows import HEALTHS, ORDERS, chosen, in_order, totals_of, usual_direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.board import Entry
    from exporter.watched import Watched
    from exporter.web.query import Query
    from exporter.web.rows import Row

PARAMETERS = ("sort", "order", "target", "health", "q", "page")
ROWS_PER_PAGE = 100
_MOST_PAGES = 1_000_000
# by which parameter a column is sorted, what it is called, whether it holds numbers
_COLUMNS = (
    ("target", "Target", False),
    ("bucket", "Bucket", False),
    ("health", "Health", False),
    ("uploads", "Uploads", True),
    ("stale", "Stale", True),
    ("bytes", "Bytes", True),
    ("", "Ages", False),
    ("age", "Oldest", True),
    ("idle", "Idle", True),
    ("scanned", "Last scan", True),
    ("next", "Next scan", True),
    ("took", "Took", True),
)
_HEALTH_NAMES = {
    "failing": "failing",
    "incomplete": "incomplete",
    "untried": "not scanned yet",
    "ok": "ok",
}


@dataclass(frozen=True, slots=True)
class View:
    """Which rows are shown, and in which order."""

    sort: str
    order: str
    target: str
    health: str
    q: str
    page: int

    @classmethod
    def of(cls, query: Query) -> View:
        """Read it; raises QueryError."""
        sort = query.choice("sort", [name for name in ORDERS if name], "health")
        return cls(
            sort=sort,
            order=query.choice("order", ("asc", "desc"), usual_direction(sort)),
            target=query.text("target"),
            health=query.choice("health", HEALTHS),
            q=query.text("q"),
            page=query.number("page", 1, _MOST_PAGES),
        )

    def link(self, **changes: object) -> str:
        """Return the address of this view with something else."""
        return link("./", {name: getattr(self, name) for name in PARAMETERS} | {"page": ""} | changes)


def status_body(
    rows: Sequence[Row], view: View, watched: Sequence[Watched], problems: Sequence[str], now: float
) -> str:
    """Return the page's own part. `now` is Unix seconds."""
    shown = in_order(chosen(rows, view.target, view.health, view.q), view.sort, view.order)
    pages = max(1, -(-len(shown) // ROWS_PER_PAGE))
    at = min(view.page, pages)
    part = shown[(at - 1) * ROWS_PER_PAGE : at * ROWS_PER_PAGE]
    return "\n".join(
        (
            "<h1>Multipart uploads in progress</h1>",
            _troubles(watched, problems, now),
            _totals(rows),
            '<section aria-labelledby="buckets"><h2 id="buckets">Buckets</h2>',
            _form(rows, view),
            _table(part, len(shown), view, now) if part else _none(rows),
            _pages(view, at, pages),
            "</section>",
        )
    )


def _troubles(watched: Sequence[Watched], problems: Sequence[str], now: float) -> str:
    items = [
        f"<li>The config cannot be used, what was read before stays: {text_of(p)}</li>" for p in problems
    ]
    for each in watched:
        found = each.discovery
        if found and found.success is False:
            since = f"{span(now - found.last_success)} ago" if found.last_success else "never"
            items.append(
                f"<li>The list of buckets of <b>{text_of(each.settings.name)}</b> cannot be had: "
                f"{found.reason or ''} {text_of(found.message)} (last had: {since})</li>"
            )
    if not items:
        return ""
    return (
        '<section class="trouble" aria-labelledby="trouble"><h2 id="trouble">Trouble</h2>'
        f"<ul>{''.join(items)}</ul></section>"
    )


def _totals(rows: Sequence[Row]) -> str:
    totals = totals_of(rows)
    failing = (
        f'<a class="bad" href="{link("./", {"health": "failing"})}">{totals.failing:,}</a>'
        if totals.failing
        else "0"
    )
    cells = (
        ("Buckets", f"{totals.buckets:,}"),
        ("Failing", failing),
        ("Uploads", _number(totals.uploads)),
        ("Bytes", human_bytes(totals.bytes)),
        ("Stale uploads", _number(totals.stale)),
        ("Stale bytes", human_bytes(totals.stale_bytes)),
        ("Oldest", span(totals.age)),
    )
    drawn = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in cells)
    ages = chart(bins(rows[0].entry.ages, totals.age_counts)) if totals.age_counts else ""
    return (
        '<div class="summary"><section aria-labelledby="totals"><h2 id="totals">All buckets</h2>'
        f'<dl class="totals">{drawn}</dl></section>{ages}</div>'
    )


def _form(rows: Sequence[Row], view: View) -> str:
    names = sorted({row.entry.target for row in rows} | ({view.target} if view.target else set()))
    targets = options([("", "all"), *((name, name) for name in names)], view.target)
    healths = options([("", "any"), *_HEALTH_NAMES.items()], view.health)
    return (
        '<form class="filter" method="get" action="./" role="search" aria-label="Buckets">'
        f'<input type="hidden" name="sort" value="{view.sort}">'
        f'<input type="hidden" name="order" value="{view.order}">'
        f'<label>Target <select name="target">{targets}</select></label>'
        f'<label>Health <select name="health">{healths}</select></label>'
        f'<label>Text <input type="search" name="q" value="{text_of(view.q)}" maxlength="200"></label>'
        f'<button type="submit">Show</button> <a href="./">Show all</a></form>'
    )


def _none(rows: Sequence[Row]) -> str:
    return f'<p class="none">{"No bucket is like that." if rows else "No bucket is known yet."}</p>'


def _table(rows: Sequence[Row], total: int, view: View, now: float) -> str:
    head = "".join(_heading(view, *column) for column in _COLUMNS)
    body = "\n".join(_row(row, now) for row in rows)
    count = "1 bucket" if total == 1 else f"{total:,} buckets"
    return (
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="caption">\n'
        '<table role="table" class="buckets">'
        f'<caption id="caption">{count}, by {_title(view.sort)}</caption>\n'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}\n</tbody></table></div>'
    )


def _title(sort: str) -> str:
    return next(title.lower() for name, title, _ in _COLUMNS if name == sort)


def _heading(view: View, name: str, title: str, number: bool) -> str:  # noqa: FBT001 - a row of a table
    kind = ' class="number"' if number else ""
    if not name:
        return f'<th role="columnheader" scope="col" class="plain">{title}</th>'
    here = name == view.sort
    other = {"asc": "desc", "desc": "asc"}[view.order] if here else usual_direction(name)
    state = f' aria-sort="{"ascending" if view.order == "asc" else "descending"}"' if here else ""
    arrow = f'<span aria-hidden="true">{"▲" if view.order == "asc" else "▼"}</span>' if here else ""
    address = view.link(sort=name, order=other)
    return f'<th role="columnheader" scope="col"{kind}{state}><a href="{address}">{title}{arrow}</a></th>'


def _row(row: Row, now: float) -> str:
    entry, summary, health = row.entry, row.entry.summary, row.health
    stale = summary.stale if summary else None
    took = f"{entry.duration:.1f} s" if entry.duration is not None else NOTHING
    found = bins(entry.ages, summary.age_counts) if summary else []
    return (
        f'<tr role="row" class="{health}">'
        f'<td role="cell" data-name="Target">{text_of(entry.target)}</td>'
        f'<th role="rowheader" scope="row"><bdi>{text_of(entry.bucket)}</bdi></th>'
        f'<td role="cell" data-name="Health" class="health">{_health(entry, health)}</td>'
        + _cell("Uploads", _number(summary.uploads if summary else None))
        + _cell("Stale", f"<b>{stale:,}</b>" if stale else _number(stale))
        + _cell("Bytes", human_bytes(summary.bytes if summary else None))
        + f'<td role="cell" data-name="Ages" class="drawn">{sparkline(found)}</td>'
        + _cell("Oldest", time_of(summary.oldest_initiated if summary else None, span(row.age)))
        + _cell("Idle", time_of(summary.oldest_activity if summary else None, span(row.idle)))
        + _cell("Last scan", _ago(entry.last_success, now))
        + _cell("Next scan", _next(row, now))
        + _cell("Took", took)
        + "</tr>"
    )


def _cell(name: str, shown: str) -> str:
    return f'<td role="cell" data-name="{name}" class="number">{shown}</td>'


def _health(entry: Entry, health: str) -> str:
    name = _HEALTH_NAMES[health]
    if health == "untried" and entry.summary:
        name = "not scanned since the start"
    badge = f'<span class="badge {health}">{name}</span>'
    reason = entry.reason.value if entry.reason else ""
    message = text_of(entry.message)
    if health == "incomplete" and entry.summary:
        reason = f"{entry.summary.unsized:,} unsized"
    why = ": ".join(part for part in (reason, message) if part)
    return f'{badge} <span class="why">{why}</span>' if why else badge


def _number(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def _ago(at: float | None, now: float) -> str:
    return NOTHING if at is None else time_of(at, f"{span(max(0.0, now - at))} ago")


def _next(row: Row, now: float) -> str:
    turn = row.turn
    if turn is None:
        return NOTHING
    if turn.running_since is not None:
        return time_of(turn.running_since, f"running for {span(max(0.0, now - turn.running_since))}")
    return time_of(turn.due, f"in {span(turn.due - now)}" if turn.due > now else "due")


def _pages(view: View, at: int, pages: int) -> str:
    if pages == 1:
        return ""
    before = f'<a rel="prev" href="{view.link(page=at - 1)}">Previous</a>' if at > 1 else ""
    after = f'<a rel="next" href="{view.link(page=at + 1)}">Next</a>' if at < pages else ""
    here = f"<span>Page {at} of {pages}</span>"
    return f'<nav class="pages" aria-label="Pages of buckets">{before}{here}{after}</nav>'
