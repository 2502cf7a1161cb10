"""The page of the worst uploads, each with the command that aborts it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from exporter.model.top_uploads import ORDERS
from exporter.text.humanize import NOTHING, human_bytes, human_seconds, moment
from exporter.web.bucket_rows import filter_rows
from exporter.web.pages.layout import frame, number, options, text, when
from exporter.web.top_uploads import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    count_never_scanned,
    merge_top_uploads,
    order_and_limit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.top_uploads import Order
    from exporter.web.bucket_rows import BucketRow
    from exporter.web.pages.layout import PageContext
    from exporter.web.query import Query
    from exporter.web.top_uploads import TopUpload

_WORDS = {"age": "the oldest", "idle": "the longest idle", "bytes": "the largest"}
_BY = "Begun by"
_HEADS = ("Upload", "Age", "Idle", "Bytes", "Parts", "Class", _BY, "Will be aborted")
_WHO = ' class="who"'
_ABORT = "The command aborts the upload, and its parts are lost. The exporter itself never aborts one."


def uploads_page(rows: Sequence[BucketRow], site: PageContext, query: Query) -> str:
    """Return the page as HTML; a wish that makes no sense counts as none."""
    order, limit = order_and_limit(query, lenient=True)
    chosen = filter_rows(rows, query)
    found = merge_top_uploads(chosen, order, limit)
    missing = count_never_scanned(chosen)
    note = f" Not in it are {number(missing)} buckets: since the start no scan of them has ended well."
    body = (
        f'<p class="lead">Of each bucket the worst are held, by age, idle time and bytes, as of its last '
        f"scan. {_ABORT}{note if missing else ''}</p>"
        f'<h2 id="list" tabindex="-1">Worst uploads</h2>'
        f"{_form(rows, query, order, limit)}{_table(found, order)}"
    )
    return frame(site, "/uploads", "Worst uploads – mpu-exporter", body)  # noqa: RUF001 - a dash for people


def _form(rows: Sequence[BucketRow], query: Query, order: Order, limit: int) -> str:
    targets = sorted({row.entry.target for row in rows})
    wanted = query.text("target")
    buckets = sorted({row.entry.bucket for row in rows if wanted in {"", row.entry.target}})
    fields = (
        ("sort", "Worst by", [(each, _WORDS[each]) for each in ORDERS], order),
        ("target", "Target", [("", "all"), *((name, name) for name in targets)], wanted),
        ("bucket", "Bucket", [("", "all"), *((name, name) for name in buckets)], query.text("bucket")),
        (
            "limit",
            "Show",
            [(str(each), str(each)) for each in sorted({10, DEFAULT_LIMIT, 200, MAX_LIMIT, limit})],
            str(limit),
        ),
    )
    shown = "".join(
        f'<div><label for="{name}">{label}</label>'
        f'<select name="{name}" id="{name}">{options(values, chosen)}</select></div>'
        for name, label, values, chosen in fields
    )
    return (
        '<form class="filter" method="get" action="uploads" role="search" aria-label="Uploads">'
        f'{shown}<button type="submit">Show</button></form>'
    )


def _table(found: Sequence[TopUpload], order: Order) -> str:
    told = f"{number(len(found))} uploads, {_WORDS[order]} first" if found else "No upload is known."
    heads = "".join(f'<th scope="col" role="columnheader">{head}</th>' for head in _HEADS)
    return (
        '<div class="panel scroll" tabindex="0" role="region" aria-label="Worst uploads">'
        f'<table class="list uploads" role="table"><caption>{told}</caption><thead role="rowgroup">'
        f'<tr role="row">{heads}</tr></thead>{"".join(map(_row, found))}</table></div>'
    )


def _row(top_upload: TopUpload) -> str:
    found, upload = top_upload.found, top_upload.found.upload
    cells = (
        _since(top_upload.age, upload.initiated),
        _since(top_upload.idle, found.activity),
        human_bytes(found.bytes),
        number(found.parts),
        text(found.storage_class) or NOTHING,
        text(upload.initiator) or NOTHING,
        when(found.abort_at),
    )
    shown = "".join(
        f'<td role="cell" data-label="{head}"{_WHO if head == _BY else ""}><div>{cell}</div></td>'
        for head, cell in zip(_HEADS[1:], cells, strict=True)
    )
    entry = top_upload.row.entry
    head = (
        f'<th scope="row" role="rowheader" class="key">{text(upload.key)}'
        f"<small>{text(upload.upload_id)}</small>"
        f"<small>{text(entry.bucket)} in {text(entry.target)}</small></th>"
    )
    command = top_upload.command
    last = (
        f'<tr role="row"><td role="cell" class="command" colspan="{len(_HEADS)}">'
        f"<code>{escape(command)}</code></td></tr>"
        if command
        else ""
    )
    return f'<tbody role="rowgroup" class="card"><tr role="row">{head}{shown}</tr>{last}</tbody>'


def _since(seconds: float | None, since: float | None) -> str:
    return NOTHING if seconds is None else f"{human_seconds(seconds)}<small>{moment(since)}</small>"
