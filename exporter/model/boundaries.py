"""Where a bucket's listing can be cut into segments that are listed side by side."""

from __future__ import annotations

from typing import NamedTuple


class SegmentStart(NamedTuple):
    """What a segment's first page is asked for by, where that is a marker of an earlier listing.

    The page after `marker`, None for the first page of all, began with the key of the boundary, and the page
    before it ended with the key `before`, '' where that is not known.
    """

    marker: tuple[str, ...] | None
    before: str = ""


class Boundary(NamedTuple):
    """A key up to which one segment is listed, and past which the next is; `start` None: by the key alone."""

    key: str
    start: SegmentStart | None = None


class Boundaries(NamedTuple):
    """Keys at about equal distances, in the order in which the last complete listing had them.

    `endings` are the orders that keys may be in, as `pagination.key_order` has them; none
    where the listing was in no known order. `pages` is the number of full pages that the listing makes.
    `starts` are those of the keys, none where the store lists after any key; they are for a listing by the
    same `prefix`.
    """

    keys: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    pages: int = 0
    starts: tuple[SegmentStart, ...] = ()
    prefix: str = ""
