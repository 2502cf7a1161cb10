"""Uploads, their parts, and what the parts add up to, as immutable records."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


LOOKED_UP_TOGETHER = 1000
"""Number of uploads of a page, however large it is, whose records are in memory at once."""
MAX_NUMBER = 2**63 - 1
"""A larger number of bytes, or number of a part, is not believed: no store can mean it."""


class Upload(NamedTuple):
    """A multipart upload in progress.

    `initiated` is Unix seconds, None where the store's time is missing or not plausible; where a store gives
    none at all, a scan fills in when it was first listed. `initiator` is an ARN or an id, as the store gives
    it; '' where it gives none. Where uploads have no id, the key alone is the identity.
    """

    key: str
    upload_id: str
    initiated: float | None = None
    storage_class: str = ""
    initiator: str = ""

    @property
    def is_nameless(self) -> bool:
        """Whether it stands for one that is known by a hash only. Some stores have no keys, or no ids."""
        return not (self.key or self.upload_id)


class Part(NamedTuple):
    """A stored piece of an upload: bytes `start` to `start + size` for Glacier, else `start` is its number.

    `size` is bytes and `modified` Unix seconds; None where the store's value is missing or not valid. No
    number is above MAX_NUMBER.
    """

    start: int | None
    size: int | None
    modified: float | None = None


class Parts(Collection[Part]):
    """The parts of a page in columns, with None as in Part: three lists instead of a thousand records."""

    __slots__ = ("modified", "sizes", "starts")

    def __init__(
        self, starts: Sequence[int | None], sizes: Sequence[int | None], modified: Sequence[float | None]
    ) -> None:
        """Make it of columns of equal length; see Part for what they hold."""
        self.starts = starts
        self.sizes = sizes
        self.modified = modified

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.starts)

    def __contains__(self, part: object) -> bool:
        """Whether this part is among them."""
        return any(part == each for each in self)

    def __iter__(self) -> Iterator[Part]:
        """Yield part by part."""
        return map(Part, self.starts, self.sizes, self.modified)

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Parts:
        """Return these parts in columns."""
        rows = list(parts)
        return cls([row.start for row in rows], [row.size for row in rows], [row.modified for row in rows])


class PartTotals(NamedTuple):
    """The sums over one upload's parts. Times are Unix seconds.

    `bytes` is None where the size of any part is not known, and where the sum is above MAX_NUMBER.
    `last_modified` is that of the newest part, None without parts or part times. `abort_at` is when the store
    will abort the upload, None where it gives none. `mark` tells one of the parts from those of other uploads
    of the same key, where parts have ids of their own; `is_other` is whether the part of an earlier mark is
    no longer there, so that this is another upload.
    """

    parts: int
    bytes: int | None
    last_modified: float | None = None
    storage_class: str = ""
    abort_at: float | None = None
    mark: int | None = None
    is_other: bool = False


class CountedUpload(NamedTuple):
    """An upload as a scan counted it. Times are Unix seconds; None where a value is not known.

    `stale` is whether it had been without activity for the bucket's `stale_after` when the scan started.
    An `unlisted` one is lacking in the bucket's listing although the store has it; a `denied` one is listed
    although the store denies it, and counts in no sum.
    """

    upload: Upload
    activity: float | None
    parts: int | None
    bytes: int | None
    storage_class: str
    abort_at: float | None = None
    unlisted: bool = False
    denied: bool = False
    stale: bool = False

    @property
    def tells_activity(self) -> bool:
        """Whether `activity` is from its parts; where nobody could ask for them, it is the initiation."""
        return self.parts is not None

    @property
    def nameless(self) -> bool:
        """Whether it is known by a hash only: an unlisted one, counted but in no list of uploads."""
        return self.upload.is_nameless


def age_at(now: float, moment: float | None) -> float | None:
    """Return the seconds from `moment` to `now` (Unix seconds), at least 0; None if it is not known."""
    return None if moment is None else max(0.0, now - moment)


def in_batches(uploads: Sequence[Upload]) -> Iterator[Sequence[Upload]]:
    """Yield a page's uploads, LOOKED_UP_TOGETHER at a time; an empty page once, as it is looked up, too."""
    starts = range(0, len(uploads) or 1, LOOKED_UP_TOGETHER)
    return (uploads[start : start + LOOKED_UP_TOGETHER] for start in starts)
