"""The worst uploads of all buckets, and the page that shows them with the commands that abort them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from exporter.abort import abort_command
from exporter.human import NOTHING, human_bytes
from exporter.selection import Row
from exporter.upload_members import age_at
from exporter.web.layout import link, options, span, text_of, time_of
from exporter.worst import ORDERS, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.board import Entry
    from exporter.model import Found
    from exporter.watched import Watched
    from exporter.web.query import Query

PARAMETERS = ("sort", "target", "bucket", "limit")
USUAL_LIMIT, MOST = 100, 1000
_ORDER_NAMES = {"age": "oldest first", "idle": "idle for longest first", "bytes": "largest first"}
_INTRODUCTION = (
    "<p>As each bucket's last good scan found them. A command aborts one upload, and its parts are lost: "
    "it is for you to run, with credentials of your own.</p>"
)
_HEADINGS = ("Key", "Bucket", "Age", "Idle", "Bytes", "Parts", "Class", "Initiator", "Store aborts it")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which uploads are shown, in which order, how many at most."""

    sort: Order
    target: str
    bucket: str
    limit: int

    @classmethod
    def of(cls, query: Query) -> Choice:
        """Read it; raises QueryError."""
        return cls(
            sort=cast("Order", query.choice("sort", ORDERS, "age")),
            target=query.text("target"),
            bucket=query.text("bucket"),
            limit=query.number("limit", USUAL_LIMIT, MOST),
        )


class Seen(NamedTuple):
    """An upload as it was seen at a bucket's last good scan, Unix seconds."""

    row: Row
    at: float


def worst_of(entries: Iterable[Entry], watched: Iterable[Watched], choice: Choice) -> list[Seen]:
    """Return the worst uploads that are held of all buckets that are meant, the worst first."""
    settings = {each.settings.name: each.settings for each in watched}
    meant = (e for e in entries if choice.target in {"", e.target} and choice.bucket in {"", e.bucket})

    def held() -> Iterator[Seen]:
        for entry in meant:
            target = settings.get(entry.target)
            if entry.worst is None or target is None:
                continue
            at = entry.last_success or 0.0
            yield from (Seen(Row(target, entry.bucket, found), at) for found in entry.worst.by(choice.sort))

    return heapq.nsmallest(choice.limit, held(), key=lambda seen: _rank(choice.sort, seen.row.found))


def _rank(order: Order, found: Found) -> float:
    if order == "bytes":
        return -(found.bytes or 0)
    return (found.upload.initiated if order == "age" else found.activity) or 0.0


def uploads_body(shown: Sequence[Seen], choice: Choice, entries: Sequence[Entry]) -> str:
    """Return the page's own part."""
    return "\n".join(
        (
            "<h1>Worst uploads</h1>",
            _INTRODUCTION,
            _form(choice, entries),
            _table(shown, choice) if shown else _none(entries),
        )
    )


def _form(choice: Choice, entries: Sequence[Entry]) -> str:
    names = sorted({entry.target for entry in entries} | ({choice.target} if choice.target else set()))
    targets = options([("", "all"), *((name, name) for name in names)], choice.target)
    limits = sorted({20, USUAL_LIMIT, MOST, choice.limit})
    return (
        '<form class="filter" method="get" action="uploads" role="search" aria-label="Uploads">'
        f'<label>Order <select name="sort">{options(_ORDER_NAMES.items(), choice.sort)}</select></label>'
        f'<label>Target <select name="target">{targets}</select></label>'
        f'<label>Bucket <input name="bucket" value="{text_of(choice.bucket)}" maxlength="300"></label>'
        '<label>At most <select name="limit">'
        f"{options([(str(n), f'{n:,}') for n in limits], str(choice.limit))}</select></label>"
        '<button type="submit">Show</button> <a href="uploads">Show all</a></form>'
    )


def _none(entries: Sequence[Entry]) -> str:
    waiting = sum(entry.worst is None for entry in entries)
    later = f" {waiting:,} buckets have no scan of this process to show yet." if waiting else ""
    return f'<p class="none">No upload is like that.{later}</p>'


def _table(shown: Sequence[Seen], choice: Choice) -> str:
    head = "".join(f'<th role="columnheader" scope="col">{name}</th>' for name in _HEADINGS)
    body = "\n".join(_upload(number, *seen) for number, seen in enumerate(shown, 1))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="caption">\n'
        f'<table role="table" class="uploads"><caption id="caption">{len(shown):,} uploads, '
        f"{_ORDER_NAMES[choice.sort]}</caption>\n"
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}\n</tbody></table></div>'
    )


def _upload(number: int, row: Row, at: float) -> str:
    found, upload = row.found, row.upload
    where = link("uploads", {"target": row.target.name, "bucket": row.bucket})
    command = text_of(abort_command(row.target, row.bucket, upload))
    cells = (
        ("Bucket", "", f'<a href="{where}"><bdi>{text_of(row.bucket)}</bdi></a> {text_of(row.target.name)}'),
        ("Age", "number", time_of(upload.initiated, span(age_at(at, upload.initiated)))),
        ("Idle", "number", time_of(found.activity, span(age_at(at, found.activity)))),
        ("Bytes", "number", human_bytes(found.bytes)),
        ("Parts", "number", NOTHING if found.parts is None else f"{found.parts:,}"),
        ("Class", "", text_of(found.storage_class)),
        ("Initiator", "long", text_of(upload.initiator) or NOTHING),
        ("Store aborts it", "", time_of(found.abort_at, _when(found.abort_at, at))),
    )
    drawn = "".join(f'<td role="cell" data-name="{n}" class="{kind}">{text}</td>' for n, kind, text in cells)
    return (
        f'<tr role="row"><th role="rowheader" scope="row" id="u{number}"><code class="key">'
        f"{text_of(upload.key) or '(no key)'}</code>"
        f'<small>upload id <code class="key">{text_of(upload.upload_id)}</code></small></th>{drawn}</tr>\n'
        f'<tr role="row" class="command"><td role="cell" colspan="{len(_HEADINGS)}">'
        f"<span>Abort:</span> <code>{command}</code></td></tr>"
    )


def _when(abort_at: float | None, at: float) -> str:
    if abort_at is None:
        return NOTHING
    return f"in {span(abort_at - at)}" if abort_at >= at else f"overdue by {span(at - abort_at)}"
