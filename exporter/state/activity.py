"""When an upload was last active, as far as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.model.uploads import PartTotals, Upload
    from exporter.state.rows import UploadRecord


def idle_since(
    upload: Upload, totals: PartTotals, now: float, before: UploadRecord | None
) -> tuple[float, bool]:
    """Return the last activity and true; where it is not known, the first sight of these parts and false."""
    sized = before if before and before.parts is not None else None
    activity = _last_activity(upload, totals, now, sized)
    if activity is not None:
        return activity, True
    return sized.idle_since if sized and not sized.dated else now, False


def _last_activity(
    upload: Upload, totals: PartTotals, now: float, before: UploadRecord | None
) -> float | None:
    reported = totals.last_modified if totals.parts else upload.initiated
    if reported is not None:
        return reported
    if before is None:
        return upload.initiated
    if (before.parts, before.bytes) != (totals.parts, totals.bytes):
        return now
    return before.idle_since if before.dated else None
