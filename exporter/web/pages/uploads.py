"""The page of the worst uploads, each with the command that aborts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.top_uploads import ORDERS
from exporter.text.humanize import DASH, human_bytes, human_count, human_seconds, utc_text
from exporter.web.bucket_rows import filter_rows, total
from exporter.web.pages.layout import render_page
from exporter.web.pages.values import ALL, Cell, Choice, moment
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
_INITIATOR = "Begun by"
_TITLES = ("Age", "Idle", "Bytes", "Parts", "Class", _INITIATOR, "Will be aborted")


class _Column(NamedTuple):
    title: str
    css_class: str


class _Row(NamedTuple):
    """An upload: where it is, its cells, the command that aborts it, and how the listing is wrong about it.

    There is no command, '', for a denied one, and where its target just went.
    """

    key: str
    upload_id: str
    bucket: str
    target: str
    cells: Sequence[tuple[_Column, Cell]]
    command: str
    at_odds: str


_COLUMNS = tuple(_Column(title, "who" if title == _INITIATOR else "") for title in _TITLES)


def uploads_page(rows: Sequence[BucketRow], context: PageContext, query: Query) -> str:
    """Return the page as HTML; an order or limit that is not valid counts as none."""
    order, limit = order_and_limit(query, lenient=True)
    stale = stale_only(query, lenient=True)
    chosen = filter_rows(rows, query)
    uploads = merge_top_uploads(chosen, order, limit, stale=stale)
    return render_page(
        "uploads.html",
        context,
        "/uploads",
        never_scanned=count_never_scanned(chosen),
        denied=total(chosen).denied,
        choices=_choices(rows, query, order, limit),
        order=_ORDER_NAMES[order],
        columns=_COLUMNS,
        rows=[_row(each) for each in uploads],
    )


def _choices(rows: Sequence[BucketRow], query: Query, order: Order, limit: int) -> list[Choice]:
    target = query.text("target")
    targets = sorted({row.entry.target for row in rows})
    buckets = sorted({row.entry.bucket for row in rows if target in {"", row.entry.target}})
    limits = [str(each) for each in sorted({*_LIMITS, limit})]
    return [
        Choice("sort", "Worst by", [(each, _ORDER_NAMES[each]) for each in ORDERS], order),
        Choice("target", "Target", [ALL, *((name, name) for name in targets)], target),
        Choice("bucket", "Bucket", [ALL, *((name, name) for name in buckets)], query.text("bucket")),
        Choice(
            "stale", "Which", [ALL, ("true", "stale only")], "true" if stale_only(query, lenient=True) else ""
        ),
        Choice("limit", "Show", [(each, each) for each in limits], str(limit)),
    ]


def _row(top_upload: TopUpload) -> _Row:
    found, upload, entry = top_upload.found, top_upload.found.upload, top_upload.row.entry
    cells = (
        _span(top_upload.age, upload.initiated),
        _span(top_upload.idle, found.activity),
        Cell(human_bytes(found.bytes)),
        Cell(human_count(found.parts)),
        Cell(found.storage_class or DASH),
        Cell(upload.initiator or DASH),
        Cell() if found.abort_at is None else Cell(moment(found.abort_at)),
    )
    return _Row(
        upload.key,
        upload.upload_id,
        entry.bucket,
        entry.target,
        list(zip(_COLUMNS, cells, strict=True)),
        top_upload.command or "",
        _at_odds(found),
    )


def _at_odds(found: CountedUpload) -> str:
    if found.denied:
        return "The store denies that it has this upload: it is not counted, and there is nothing to abort."
    return "The store has this upload, but its listing lacks it." if found.unlisted else ""


def _span(seconds: float | None, since: float | None) -> Cell:
    return Cell() if seconds is None else Cell(human_seconds(seconds), utc_text(since))
