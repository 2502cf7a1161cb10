"""What is known, as plain data for programs: names and meanings are those of the README, and stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.upload_members import upload_members
from exporter.web.exchange import JSON, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.board import Entry
    from exporter.config.settings import TargetSettings
    from exporter.model import Group
    from exporter.summary import Summary
    from exporter.watched import Discovery, Watched
    from exporter.web.rows import Row
    from exporter.web.worst_uploads import Seen

TARGETS_PARAMETERS = ("target", "bucket")


def answer(data: dict[str, object], now: float) -> Response:
    """Return data in the envelope of all answers."""
    return _json(200, {"status": "success", "time": now, "data": data})


def refusal(status: int, text: str) -> Response:
    """Return why there is no data."""
    return _json(status, {"status": "error", "error": text})


def _json(status: int, document: dict[str, object]) -> Response:
    # ASCII: what is no Unicode stays as the escapes of its own codes
    return Response(status, json.dumps(document, allow_nan=False).encode("ascii") + b"\n", JSON)


def uploads_data(shown: Sequence[Seen]) -> dict[str, object]:
    """Return the uploads as exact values."""
    return {"uploads": [upload_members(row, at) | {"seen": at} for row, at in shown]}


def targets_data(
    rows: Iterable[Row], watched: Iterable[Watched], target: str = "", bucket: str = ""
) -> dict[str, object]:
    """Return the targets with their buckets as exact values."""
    by_target: dict[str, list[Row]] = {}
    for row in rows:
        by_target.setdefault(row.entry.target, []).append(row)
    return {
        "targets": [
            _target(each, [r for r in by_target.get(name, []) if bucket in {"", r.entry.bucket}])
            for each in watched
            if target in {"", name := each.settings.name}
        ]
    }


def _target(watched: Watched, rows: Sequence[Row]) -> dict[str, object]:
    settings = watched.settings
    prefixes = {bucket.name: bucket for bucket in watched.buckets}
    return {
        "target": settings.name,
        "store": settings.store.value,
        "endpoints": list(_endpoints(settings)),
        "region": settings.region,
        "signing_region": watched.signing_region or None,
        "labels": dict(settings.labels),
        "scan_interval_seconds": settings.scan.interval,
        "discovery": _discovery(watched.discovery) if watched.discovery else None,
        "buckets": [
            _bucket(row)
            | {
                "prefix": prefixes[row.entry.bucket].prefix if row.entry.bucket in prefixes else None,
                "stale_after_seconds": (prefixes.get(row.entry.bucket) or settings).stale_after,
            }
            for row in rows
        ],
    }


def _endpoints(settings: TargetSettings) -> Iterator[str]:
    """Yield scheme, host and port only."""
    for address in (*settings.endpoint_urls, *([settings.endpoint_url] if settings.endpoint_url else [])):
        url = urlsplit(address)
        yield f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _discovery(found: Discovery) -> dict[str, object]:
    return {
        "success": found.success,
        "reason": found.reason,
        "message": found.message or None,
        "last_success": found.last_success,
    }


def _bucket(row: Row) -> dict[str, object]:
    entry, turn = row.entry, row.turn
    return {
        "bucket": entry.bucket,
        "health": row.health,
        "reason": entry.reason,
        "message": entry.message or None,
        "last_success": entry.last_success,
        "duration_seconds": entry.duration,
        "next_scan": turn.due if turn and turn.running_since is None else None,
        "scanning_since": turn.running_since if turn else None,
        "summary": _summary(entry, entry.summary) if entry.summary else None,
    }


def _summary(entry: Entry, summary: Summary) -> dict[str, Any]:
    rules, tariff = summary.abort_rules, entry.tariff
    known = summary.parts_known and summary.bytes is not None
    return {
        "uploads": summary.uploads,
        "undated": summary.undated,
        "unsized": summary.unsized if summary.parts_known else None,
        "empty": summary.empty,
        "parts": summary.parts,
        "bytes": summary.bytes,
        "stale": summary.stale,
        "stale_bytes": summary.stale_bytes,
        "recheck_overdue": summary.overdue if summary.parts_known else None,
        "oldest_initiated": summary.oldest_initiated,
        "oldest_activity": summary.oldest_activity,
        "ages": [
            {"at_most_seconds": bound, "uploads": number}
            for bound, number in zip((*entry.ages, None), summary.age_counts, strict=False)
        ],
        "bytes_by_class": dict(summary.bytes_by_class) if known else None,
        "abort_scheduled": summary.abort_scheduled,
        "abort_overdue": summary.abort_overdue,
        "abort_rule_bucket_seconds": rules.bucket if rules else None,
        "abort_rule_prefix_seconds": rules.prefix if rules else None,
        "monthly_cost": tariff.monthly(summary.bytes_by_class) if tariff and known else None,
        "currency": tariff.currency if tariff else None,
        "prefixes": _groups(summary.prefixes),
        "initiators": _groups(summary.initiators),
    }


def _groups(groups: Sequence[Group] | None) -> list[dict[str, object]] | None:
    return None if groups is None else [group._asdict() for group in groups]
