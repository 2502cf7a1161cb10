"""The JSON records of buckets and uploads, the same in API and commands; docs/http-api.md has every field.

null stands for what is not known. Times are Unix seconds, durations seconds, sizes bytes.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from exporter.model.uploads import age_at
from exporter.stores.registry import store_type
from exporter.web.bucket_rows import group_by_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.results import Group, Summary
    from exporter.model.uploads import CountedUpload

Record = dict[str, Any]


def values_record(store: str, ages: Sequence[float], summary: Summary) -> Record:
    """Return what a scan found in a bucket of this kind of store; `ages` are its histogram's bounds."""
    with_parts = summary.parts_known
    by_name = with_parts and store_type(store).lists_by_key
    with_abort_dates = store_type(store).has_abort_dates
    rules = summary.abort_rules
    counts, sizes = (group_by_age(ages, each) for each in (summary.age_counts, summary.age_bytes))
    return {
        "uploads": summary.uploads,
        "bytes": summary.bytes,
        "parts": summary.parts,
        "fullest_upload_parts": summary.fullest_upload_parts,
        "stale_uploads": summary.stale,
        "stale_bytes": summary.stale_bytes,
        "empty_uploads": summary.empty,
        "unsized_uploads": summary.unsized if with_parts else None,
        "undated_uploads": summary.undated,
        "unlisted_uploads": summary.unlisted if by_name else None,
        "denied_uploads": summary.denied if by_name else None,
        "store_reported_uploads": summary.reported,
        "recheck_overdue_uploads": summary.overdue if with_parts else None,
        "abort_scheduled_uploads": summary.abort_scheduled if with_abort_dates else None,
        "abort_overdue_uploads": summary.abort_overdue if with_abort_dates else None,
        "first_sight": not store_type(store).has_initiation_times,
        "oldest_initiated": summary.oldest_initiated,
        "oldest_activity": summary.oldest_activity,
        "ages": [
            {"at_most_seconds": bound, "uploads": count, "bytes": size[1] if size else None}
            for (bound, count), size in zip_longest(counts, sizes)
        ],
        "bytes_by_class": dict(summary.bytes_by_class) if with_parts else None,
        "abort_rules": {"bucket_seconds": rules.bucket, "prefix_seconds": rules.prefix} if rules else None,
        "tags": None if summary.tags is None else dict(summary.tags),
        "prefixes": _groups(summary.prefixes),
        "initiators": _groups(summary.initiators),
    }


def _groups(groups: Sequence[Group] | None) -> list[Record] | None:
    return None if groups is None else [group._asdict() for group in groups]


def upload_record(  # noqa: PLR0913 - where the upload is, and as of when
    target: str, store: str, bucket: str, found: CountedUpload, *, now: float, abort_command: str | None
) -> Record:
    """Return an upload; its ages are as of `now` (Unix seconds). A denied one has no abort command."""
    upload = found.upload
    return {
        "target": target,
        "store": store,
        "bucket": bucket,
        "key": upload.key,
        "upload_id": upload.upload_id,
        "first_sight": not store_type(store).has_initiation_times,
        "initiated": upload.initiated,
        "age_seconds": age_at(now, upload.initiated),
        "last_activity": found.activity,
        "idle_seconds": age_at(now, found.activity),
        "parts": found.parts,
        "bytes": found.bytes,
        "storage_class": found.storage_class or None,
        "initiator": upload.initiator or None,
        "abort_at": found.abort_at,
        "unlisted": found.unlisted,
        "denied": found.denied,
        "stale": found.stale,
        "abort_command": None if found.denied else abort_command,
    }
