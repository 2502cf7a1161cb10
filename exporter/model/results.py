"""What one finished scan found in one bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from exporter.model.top_uploads import TopUploads


class Group(NamedTuple):
    """Uploads of a bucket with the same prefix or initiator; the name '' is that of all groups not shown.

    `bytes` is the sum over sized uploads, None where none is sized.
    """

    name: str
    uploads: int
    bytes: int | None


class AbortRules(NamedTuple):
    """Seconds after which lifecycle rules abort an upload: the shortest of each scope, None without a rule.

    `bucket` is of rules that cover all watched uploads of the bucket, `prefix` of those that cover some.
    """

    bucket: float | None = None
    prefix: float | None = None


OTHER_CLASS = "other"
DEFAULT_CLASS = "STANDARD"
"""The storage class of uploads and parts where S3 names none."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The sums of one finished scan of one bucket.

    Times are Unix seconds, ages are seconds at the scan's start. `parts`, `bytes`, `empty` and `stale_bytes`
    are sums over the sized uploads; None where uploads exist and none of them is sized, `stale_bytes` also
    where none of the stale ones is. `stale` is None where the store tells no times and no later scan follows.
    """

    uploads: int
    undated: int
    unsized: int
    empty: int | None
    parts: int | None
    bytes: int | None
    stale: int | None
    stale_bytes: int | None
    oldest_initiated: float | None
    oldest_activity: float | None
    age_counts: tuple[int, ...]
    """Number of dated uploads at most as old as each bound, and last of all of them; () without bounds."""
    age_sum: float
    bytes_by_class: tuple[tuple[str, int], ...]
    """Sorted by storage class."""
    parts_known: bool
    """False for a target with `parts: never`."""
    overdue: int = 0
    """Number of uploads sized by a record that was due to be checked again."""
    abort_scheduled: int | None = None
    """Number of uploads with an abort date from the store; None where sizes are not known."""
    abort_overdue: int | None = None
    """Number of those whose abort date is more than two days ago."""
    abort_rules: AbortRules | None = None
    """None where they are not asked for, or could not be read."""
    tags: tuple[tuple[str, str], ...] | None = None
    """Key and value of each tag asked for, '' for one that the bucket lacks; None where none is known."""
    prefixes: tuple[Group, ...] | None = None
    """The largest groups, and last all others; None where not asked for, or with too many groups."""
    initiators: tuple[Group, ...] | None = None
    unlisted: int = 0
    """Number of uploads that the listing lacks although the store has them; in all other sums, too."""
    denied: int = 0
    """Number of uploads that the store lists and then denies; in no other number."""
    age_bytes: tuple[int, ...] = ()
    """Bytes of those among the uploads of `age_counts` that are sized; () without bounds, where no sizes are
    known, and in the stored result of an earlier process."""
    fullest_upload_parts: int | None = None
    """Number of parts of the sized upload that has the most; None where `parts` is, and in the stored result
    of an earlier version."""
    unexamined: bool = False
    """Whether it is not known if the listing lacks uploads that the store has."""
    reported: int | None = None
    """Number of uploads that the store itself counts; None where it is not asked, or not known."""

    @property
    def complete(self) -> bool:
        """Whether all uploads are sized, and the listing holds those that the store has, and no others."""
        return not (self.unsized or self.unlisted or self.denied or self.unexamined)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """In which ways the listing and the store's other answers disagree, a sentence each."""
        found = (
            (self.unlisted, "the store's listing lacks uploads that the store has", "counted all the same"),
            (self.denied, "the store lists uploads that it denies having", "not counted"),
        )
        return tuple(f"{what}: {number:,}, {counted}" for number, what, counted in found if number)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """One finished scan. `finished` is Unix seconds, `duration` seconds.

    `warning` says why uploads were left unsized, or are sized by old records; '' where there is none.
    `unknown_key` is the first key, in their order, that the store listed and then did not know, '' for
    none; it may be confidential. `notices` say what had to be worked around, and what was left out, a
    sentence each. `top_uploads` is None where none were asked for. `requests` is the number of calls made.
    """

    summary: Summary
    finished: float
    duration: float
    warning: str = ""
    top_uploads: TopUploads | None = None
    requests: int = 0
    notices: tuple[str, ...] = ()
    unknown_key: str = ""
