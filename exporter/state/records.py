"""What is stored of an upload once its parts were listed; above all, when it was last active."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import MAX_NUMBER
from exporter.state.rows import UploadRecord

if TYPE_CHECKING:
    from exporter.model.uploads import PartTotals, Upload

MAX_CLASS_LENGTH = 41
"""Maximum length of a stored storage class: one more than the tally accepts, so that it stays refused."""


class ContiguousParts(NamedTuple):
    """The start of a part list up to its first gap: parts 1 to `parts` exist, and hold `bytes` together.

    `read_in_full_at` is when they were last all read (Unix seconds).
    """

    parts: int
    bytes: int
    read_in_full_at: float | None


def record_of(  # noqa: PLR0913 - an upload, and all that was learnt of it
    upload: Upload,
    totals: PartTotals,
    now: float,
    before: UploadRecord | None,
    *,
    contiguous: ContiguousParts | None,
    seen_at: float | None,
) -> UploadRecord:
    """Return the record of an upload from the totals of its parts; see `Ledger.record_parts`."""
    since, dated = _idle_since(upload, totals, now, before, seen_at)
    if contiguous and contiguous.bytes > MAX_NUMBER:
        contiguous = None
    return UploadRecord(
        checked_at=now,
        idle_since=since,
        dated=dated,
        parts=totals.parts,
        bytes=totals.bytes,
        storage_class=_class_to_store(upload, totals),
        contiguous_parts=contiguous.parts if contiguous else None,
        contiguous_bytes=contiguous.bytes if contiguous else None,
        read_in_full_at=contiguous.read_in_full_at if contiguous else None,
        abort_at=totals.abort_at,
        first_seen=None if seen_at is None else upload.initiated,
        mark=totals.mark,
    )


def _idle_since(
    upload: Upload, totals: PartTotals, now: float, before: UploadRecord | None, seen_at: float | None
) -> tuple[float, bool]:
    """Return the last activity and true; where it is not known, the first sight of these parts and false."""
    sized = before if before and before.parts is not None and not totals.is_other else None
    activity = _last_activity(upload, totals, now, sized, seen_at)
    if activity is not None:
        return activity, True
    return sized.idle_since if sized and not sized.dated else now, False


def _last_activity(
    upload: Upload, totals: PartTotals, now: float, before: UploadRecord | None, seen_at: float | None
) -> float | None:
    reported = totals.last_modified if totals.parts else upload.initiated
    if reported is not None:
        return reported
    if before is None:
        return upload.initiated if seen_at is None else seen_at
    changed_by = now if seen_at is None else seen_at
    if (before.parts, before.bytes) != (totals.parts, totals.bytes):
        return changed_by
    # later only where a clock was wrong
    return min(before.idle_since, changed_by) if before.dated else None


def _class_to_store(upload: Upload, totals: PartTotals) -> str | None:
    """Return the storage class, None where the listing names the same or the parts name none."""
    storage_class = totals.storage_class
    return None if storage_class in {"", upload.storage_class} else storage_class[:MAX_CLASS_LENGTH]
