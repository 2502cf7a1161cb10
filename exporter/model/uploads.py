"""The words of the project as immutable records, and the one error that stores raise."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Upload(NamedTuple):
    """A multipart upload in progress.

    `initiated` is Unix seconds, or None where the store's text could not be believed. `initiator` is who
    began it, in the store's own words: an ARN or an id; '' where it does not say.
    """

    key: str
    upload_id: str
    initiated: float | None = None
    storage_class: str = ""
    initiator: str = ""


class Part(NamedTuple):
    """A stored piece of an upload: bytes `start` to `start + size` for Glacier, else `start` is its number.

    `size` is bytes and `modified` Unix seconds; None where the store's text could not be believed.
    """

    start: int | None
    size: int | None
    modified: float | None = None


class Parts(Collection[Part]):
    """The parts of a page, column by column; None where the store's text could not be believed.

    Of a page of 1,000 that is three lists instead of a thousand records.
    """

    __slots__ = ("modified", "sizes", "starts")

    def __init__(
        self, starts: list[int | None], sizes: list[int | None], modified: list[float | None]
    ) -> None:
        """Make it of columns of equal length; see Part for what they hold."""
        self.starts = starts
        self.sizes = sizes
        self.modified = modified

    def __len__(self) -> int:
        """Return how many parts there are."""
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
    """What the parts of one upload add up to.

    `bytes` is None where the size of any part is not known. `last_modified` is the newest part's
    time in Unix seconds, None without parts or where the store gives no part times. `abort_at` is when the
    store says that it will abort the upload, None where it does not say.
    """

    parts: int
    bytes: int | None
    last_modified: float | None = None
    storage_class: str = ""
    abort_at: float | None = None


class Found(NamedTuple):
    """An upload as a scan found it. Times are Unix seconds; None stands for what is not known."""

    upload: Upload
    activity: float | None
    parts: int | None
    bytes: int | None
    storage_class: str
    abort_at: float | None = None


def age_at(now: float, moment: float | None) -> float | None:
    """Return the seconds from `moment` to `now` (Unix seconds), at least 0; None if it is not known."""
    return None if moment is None else max(0.0, now - moment)
