"""An upload as exact values under names that stay: what JSON and CSV are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.abort import abort_command

if TYPE_CHECKING:
    from exporter.selection import Row


def upload_members(row: Row, now: float) -> dict[str, object]:
    """Return all that is known: times are Unix seconds, None what is not known. Ages are as of `now`."""
    upload, found = row.upload, row.found
    return {
        "target": row.target.name,
        "store": row.target.store.value,
        "bucket": row.bucket,
        "key": upload.key,
        "upload_id": upload.upload_id,
        "initiated": upload.initiated,
        "age_seconds": age_at(now, upload.initiated),
        "last_activity": found.activity,
        "idle_seconds": age_at(now, found.activity),
        "parts": found.parts,
        "bytes": found.bytes,
        "storage_class": found.storage_class,
        "initiator": upload.initiator or None,
        "abort_at": found.abort_at,
        "abort_command": abort_command(row.target, row.bucket, upload),
    }


def age_at(now: float, since: float | None) -> float | None:
    """Return the seconds since then, 0 where that is later."""
    return None if since is None else max(0.0, now - since)
