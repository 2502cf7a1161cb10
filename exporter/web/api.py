"""The JSON that programs read; docs/http-api.md says what every field means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from exporter.web.bucket_rows import filter_rows
from exporter.web.records import upload_record, values_record
from exporter.web.top_uploads import merge_top_uploads, order_and_limit, stale_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.model.targets import Discovery, TargetStatus
    from exporter.web.bucket_rows import BucketRow
    from exporter.web.query import Query
    from exporter.web.top_uploads import TopUpload

VERSION = 1
"""Grows where a field goes or means something else; new fields may come without."""
Json = dict[str, Any]
# harmless too where a page takes the text for HTML
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def encoded(members: Json) -> bytes:
    """Return JSON in plain ASCII; what is no text in UTF-8 stands as an escaped surrogate."""
    return (json.dumps(members, separators=(",", ":")).translate(_ESCAPED) + "\n").encode()


def success(data: Json, now: float) -> bytes:
    """Return an answer with data, as of `now` (Unix seconds)."""
    return encoded({"status": "success", "version": VERSION, "time": now, "data": data})


def failure(message: str) -> bytes:
    """Return an answer without: what was wrong with the question."""
    return encoded({"status": "error", "version": VERSION, "error": message})


def targets(watched: Iterable[TargetStatus], rows: Sequence[BucketRow], query: Query) -> Json:
    """Return what is watched, and what is known of it. Raises QueryError."""
    query.only("target", "bucket")
    by_target: dict[str, list[BucketRow]] = {}
    for row in filter_rows(rows, query):
        by_target.setdefault(row.entry.target, []).append(row)
    meant = [each for each in watched if query.text("target") in {"", each.settings.name}]
    return {"targets": [_target(each, by_target.get(each.settings.name, [])) for each in meant]}


def uploads(_: Iterable[TargetStatus], rows: Sequence[BucketRow], query: Query) -> Json:
    """Return the worst uploads. Raises QueryError."""
    query.only("sort", "limit", "target", "bucket", "stale")
    (order, limit), stale = order_and_limit(query), stale_only(query)
    found = merge_top_uploads(filter_rows(rows, query), order, limit, stale=stale)
    return {"sort": order, "limit": limit, "stale": stale, "uploads": [_upload(each) for each in found]}


def _target(watched: TargetStatus, rows: Iterable[BucketRow]) -> Json:
    settings = watched.settings
    return {
        "name": settings.name,
        "store": settings.store.value,
        "endpoints": list(watched.endpoints),
        "region": settings.region,
        "signing_region": watched.signing_region or None,
        "labels": dict(settings.labels),
        "scan_interval_seconds": settings.scan.interval,
        "stale_after_seconds": settings.stale_after,
        "discovery": _discovery(watched.discovery),
        "buckets": [_bucket(row) for row in rows],
    }


def _discovery(discovery: Discovery | None) -> Json | None:
    if discovery is None:
        return None
    selection = discovery.selection
    return {
        "success": discovery.success,
        "reason": discovery.failure.reason.value if discovery.failure else None,
        "message": (discovery.failure.message or None) if discovery.failure else None,
        "last_success": discovery.last_success,
        "seen": selection.seen if selection else None,
        "matched": selection.matched if selection else None,
        "dropped": [each._asdict() for each in selection.dropped] if selection else None,
    }


def _bucket(row: BucketRow) -> Json:
    entry, times, cost = row.entry, row.scan_times, row.cost
    return {
        "name": entry.bucket,
        "health": row.health,
        "reason": entry.failure.reason.value if entry.failure else None,
        "message": (entry.failure.message if entry.failure else entry.warning) or None,
        "notices": list(entry.notices),
        "last_success": entry.last_success,
        "duration_seconds": entry.duration,
        "next_scan": times.due if times else None,
        "scanning_since": times.running_since if times else None,
        "monthly_cost": {"currency": cost[0], "amount": cost[1]} if cost else None,
        "values": values_record(entry.store, entry.ages, entry.summary) if entry.summary else None,
    }


def _upload(top_upload: TopUpload) -> Json:
    entry = top_upload.row.entry
    return upload_record(
        entry.target,
        entry.store,
        entry.bucket,
        top_upload.found,
        now=top_upload.seen,
        abort_command=top_upload.command,
    )
