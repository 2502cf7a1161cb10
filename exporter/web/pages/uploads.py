"""The page of the worst uploads, each with the command that aborts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.top_uploads import ORDERS
from exporter.text.humanize import DASH, human_bytes, human_count
from exporter.web.bucket_rows import filter_rows, total
from exporter.web.pages.layout import render_page
from exporter.web.pages.shortened import Shortened, shortened
from exporter.web.pages.values import ALL, Cell, Choice, Head, filter_choice, moment
from exporter.web.top_uploads import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    count_never_scanned,
    merge_top_uploads,
    order_and_limit,
    stale_only,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.top_uploads import Order
    from exporter.model.uploads import CountedUpload
    from exporter.web.bucket_rows import BucketRow
    from exporter.web.pages.layout import PageContext
    from exporter.web.query import Query
    from exporter.web.top_uploads import TopUpload

_LIMITS = (10, DEFAULT_LIMIT, 200, MAX_LIMIT)
_ORDER_NAMES = {"age": "the oldest", "idle": "the longest idle", "bytes": "the largest"}


class _Column(NamedTuple):
    """A column: its title, its class, and the order that a click on its head gives, '' for none."""

    title: str
    css_class: str = ""
    order: str = ""


class _Row(NamedTuple):
    """An upload: where it is, its cells, the command that aborts it, and how the listing is wrong about it.

    There is no command for a denied one, and where its target just went.
    """

    key: Shortened
    upload_id: Shortened
    bucket: Shortened
    target: Shortened
    cells: Sequence[tuple[_Column, Cell]]
    command: Shortened | None
    at_odds: str


class _Shown(NamedTuple):
    """Number of uploads on the page, and of how many, 0 where nothing says that there are more."""

    number: int
    known: int = 0


_COLUMNS = (
    _Column("Age", order="age"),
    _Column("Idle", order="idle"),
    _Column("Bytes", "number", "bytes"),
    _Column("Class", "class"),
    _Column("Begun by", "who"),
    _Column("Will be aborted"),
)


def uploads_page(rows: Sequence[BucketRow], context: PageContext, query: Query) -> str:
    """Return the page as HTML; an order or limit that is not valid counts as none."""
    order, limit = order_and_limit(query, lenient=True)
    stale = stale_only(query, lenient=True)
    chosen = filter_rows(rows, query)
    uploads, totals = merge_top_uploads(chosen, order, limit, stale=stale), total(chosen)
    return render_page(
        "uploads.html",
        context,
        "/uploads",
        never_scanned=count_never_scanned(chosen),
        denied=totals.denied,
        choices=_choices(rows, query, order, limit),
        order=_ORDER_NAMES[order],
        stale=stale,
        shown=_shown(uploads, totals.stale if stale else None),
        heads=[Head("Upload"), *(_head(column, query, order) for column in _COLUMNS)],
        rows=[_row(each) for each in uploads],
    )


def _shown(uploads: Sequence[TopUpload], known: int | None) -> _Shown:
    """Return the number of uploads; where the scans counted more, that of the counted ones of how many."""
    counted = sum(not each.found.denied for each in uploads)
    return _Shown(counted, known) if known is not None and known > counted else _Shown(len(uploads))


def _choices(rows: Sequence[BucketRow], query: Query, order: Order, limit: int) -> list[Choice]:
    target = query.text("target")
    targets = sorted({row.entry.target for row in rows})
    buckets = sorted({row.entry.bucket for row in rows if target in {"", row.entry.target}})
    limits = [str(each) for each in sorted({*_LIMITS, limit})]
    return [
        Choice("sort", "Worst by", [(each, _ORDER_NAMES[each]) for each in ORDERS], order),
        filter_choice("target", "Target", ((name, name) for name in targets), target),
        filter_choice("bucket", "Bucket", ((name, name) for name in buckets), query.text("bucket")),
        Choice(
            "stale", "Which", [ALL, ("true", "stale only")], "true" if stale_only(query, lenient=True) else ""
        ),
        Choice("limit", "Number", [(each, each) for each in limits], str(limit)),
    ]


def _head(column: _Column, query: Query, order: Order) -> Head:
    if not column.order:
        return Head(column.title, column.css_class)
    link = f"{query.link('uploads', sort=column.order)}#list"
    return Head(column.title, column.css_class, link, "descending" if column.order == order else "")


def _row(top_upload: TopUpload) -> _Row:
    found, upload, entry = top_upload.found, top_upload.found.upload, top_upload.row.entry
    cells = (
        _span(upload.initiated, top_upload.seen, at_least=top_upload.row.dated_by_first_sight),
        _span(found.activity if found.tells_activity else None, top_upload.seen, warns=found.stale),
        Cell(human_bytes(found.bytes), _parts(found.parts)),
        Cell(found.storage_class or DASH),
        Cell(shortened(upload.initiator) if upload.initiator else DASH),
        Cell() if found.abort_at is None else Cell(moment(found.abort_at)),
    )
    return _Row(
        shortened(upload.key),
        shortened(upload.upload_id),
        shortened(entry.bucket),
        shortened(entry.target),
        list(zip(_COLUMNS, cells, strict=True)),
        shortened(top_upload.command) if top_upload.command else None,
        _at_odds(found),
    )


def _parts(parts: int | None) -> str:
    return "" if parts is None else f"{human_count(parts)} part{'' if parts == 1 else 's'}"


def _at_odds(found: CountedUpload) -> str:
    if found.denied:
        return "The store denies that it has this upload: it is not counted, and there is nothing to abort."
    return "The store has this upload, but its listing lacks it." if found.unlisted else ""


def _span(since: float | None, seen: float, *, warns: bool = False, at_least: bool = False) -> Cell:
    """Return a cell with the time from a moment to the scan, and the moment below it."""
    if since is None:
        return Cell()
    return Cell(moment(since, seen, at_least=at_least), moment(since), warns=warns)
