"""What one finished scan found in one bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.model.top_uploads import TopUploads

from typing import TYPE_CHECKING, NamedTuple


class Group(NamedTuple):
    """Uploads of a bucket that have something in common; '' is the name of all that have no group shown.

    `bytes` are those that are known, None where none are.
    """

    name: str
    uploads: int
    bytes: int | None


class AbortRules(NamedTuple):
    """After how many seconds lifecycle rules abort an upload: the shortest rule of each kind, None without.

    `bucket` is of rules that cover all that is watched of the bucket, `prefix` of those that cover some.
    """

    bucket: float | None = None
    prefix: float | None = None


OTHER_CLASS = "other"

DEFAULT_CLASS = "STANDARD"
"""What S3 means where it names no storage class."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one finished scan found in one bucket.

    Moments are Unix seconds, ages seconds at the scan's start. `parts`, `bytes`, `empty` and `stale_bytes`
    are of the uploads whose bytes are known; they are None where uploads exist and none of them could be
    sized, `stale_bytes` also where none of the stale ones could be.
    """

    uploads: int
    undated: int
    unsized: int
    empty: int | None
    parts: int | None
    bytes: int | None
    stale: int
    stale_bytes: int | None
    oldest_initiated: float | None
    oldest_activity: float | None
    age_counts: tuple[int, ...]
    """How many dated uploads are at most as old as each bound, then all of them; () without bounds."""
    age_sum: float
    bytes_by_class: tuple[tuple[str, int], ...]
    """Sorted by storage class."""
    parts_known: bool
    """False where the target is not asked for parts."""
    overdue: int = 0
    """How many are sized by what is remembered of them, though it was time to ask again."""
    abort_scheduled: int | None = None
    """How many the store said it will abort, by a lifecycle rule; None where sizes are not known."""
    abort_overdue: int | None = None
    """How many of these it should have aborted long ago."""
    abort_rules: AbortRules | None = None
    """None where nobody asked for them, or they are not known."""
    prefixes: tuple[Group, ...] | None = None
    """The largest groups, the last of them all others; None where nobody asked, or there are too many."""
    initiators: tuple[Group, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """One finished scan. `finished` is Unix seconds, `duration` seconds.

    `warning` says why uploads were left unsized, or are sized by old records; '' where there is none.
    `top_uploads` is None where none were asked for. `requests` is the number of calls made.
    """

    summary: Summary
    finished: float
    duration: float
    warning: str = ""
    top_uploads: TopUploads | None = None
    requests: int = 0
