"""Finds the keys at which the next listing of a bucket can be cut, and chooses among those of the last."""

from __future__ import annotations

import sys
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.boundaries import Boundaries, Boundary
from exporter.stores.pagination.key_order import ENDINGS, PLAIN_ENDINGS, compared

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_BOUNDARIES = 256
"""Maximum number of keys that are kept of a listing."""
MAX_CHARACTERS = 512 * 1024
"""Maximum length of all keys and markers that are kept of a listing: of Azure's longest names."""
PAGES_PER_SEGMENT = 2
"""Minimum number of pages of a segment: each costs up to one request more."""
_REPEATED = 64
"""A boundary's own uploads, which some stores list again after it, are at most this share of its page."""
_SLACK = 16
"""A boundary stands this share before the end of its page, so that new uploads do not fill another page."""


class ListedPage(NamedTuple):
    """What a collector is told of a page, or of a piece of one, that a segment was shown.

    `keys` are those that are new, in order; `length` is that of the page, its earlier pieces included.
    `boundary` is the page's first key, with how the page was asked for: None for the first page of all, and
    for one without keys. `is_last` is whether the segment ends with it, `is_rest` whether it is a further
    piece.
    """

    segment: int
    keys: Sequence[str]
    length: int
    boundary: Boundary | None = None
    is_last: bool = False
    is_rest: bool = False


class BoundaryCollector:
    """Keeps one key of every so many pages while a bucket is listed, whose segments have numbers."""

    endings: Sequence[str] = ENDINGS
    """The orders in which keys may be listed; see `key_order`."""

    def __init__(self) -> None:
        """Make it without keys."""
        self._kept: dict[int, list[Boundary]] = {}
        self._pages: dict[int, int] = {}
        self._stride = 1
        self._listed = 0
        self._longest_page = 1

    def add_page(self, page: ListedPage) -> None:
        """Take a page; nothing is kept of the last one of a segment."""
        self._listed += len(page.keys)
        self._longest_page = max(self._longest_page, page.length)
        if page.is_rest:
            return
        self._pages[page.segment] = pages = self._pages.get(page.segment, 0) + 1
        if page.is_last or pages % self._stride:
            return
        boundary = self._boundary(page)
        if boundary is not None:
            self._kept.setdefault(page.segment, []).append(boundary)
            self._thin_out()

    def _boundary(self, page: ListedPage) -> Boundary | None:
        key = _quiet_key(page.keys)
        return None if key is None else Boundary(key)

    def give_up(self) -> None:
        """Keep nothing of a listing whose pages come in pieces: a store's own are what can be cut."""
        self._longest_page = sys.maxsize

    def drop_longer(self, keys: Sequence[str]) -> None:
        """Drop what was kept of keys that begin like one of these `keys`, and yet stand before it.

        So it is where a dot decides: `b c` is before `b`. A store that compared a marker by the key alone
        would take `b` for being before `b c`, and lose it.
        """
        shorter = tuple({key for before, key in pairwise(keys) if before != key and before.startswith(key)})
        for number, kept in self._kept.items() if shorter else ():
            self._kept[number] = [each for each in kept if not each.key.startswith(shorter)]

    def _thin_out(self) -> None:
        while self._is_too_much():
            self._stride *= 2
            for kept in self._kept.values():
                del kept[::2]  # the second, fourth, … stand at multiples of the new stride

    def _is_too_much(self) -> bool:
        kept = list(chain.from_iterable(self._kept.values()))
        return len(kept) > MAX_BOUNDARIES or sum(map(_length, kept)) > MAX_CHARACTERS

    def boundaries(self, endings: Collection[str]) -> Boundaries:
        """Return the keys in the order of the listing, none where that is too short to be cut."""
        pages = -(-self._listed // self._longest_page)
        kept = list(chain.from_iterable(kept for _, kept in sorted(self._kept.items())))
        keys = [each.key for each in kept]
        in_order = all(
            compared(one, end) < compared(other, end) for one, other in pairwise(keys) for end in endings
        )
        if pages < 2 * PAGES_PER_SEGMENT or not endings or not in_order:
            return Boundaries()
        starts = tuple(each.start for each in kept if each.start is not None)
        return Boundaries(tuple(keys), tuple(endings), pages, starts)


class MarkerCollector(BoundaryCollector):
    """Keeps the first keys of pages, and the markers that these were asked for by."""

    endings = PLAIN_ENDINGS

    def __init__(self, prefix: str) -> None:
        """Make it for the listing of a prefix, '' for all of the bucket."""
        super().__init__()
        self._prefix = prefix

    def _boundary(self, page: ListedPage) -> Boundary | None:
        boundary = page.boundary
        return None if boundary is None or boundary.start is None else boundary

    def give_up(self) -> None:
        """Keep what there is: where a page begins is known, whether or not it comes in pieces."""

    def boundaries(self, endings: Collection[str]) -> Boundaries:
        """Return the keys in the order of the listing, with their markers."""
        found = super().boundaries(endings)
        return found._replace(prefix=self._prefix) if found.keys else found


def _length(boundary: Boundary) -> int:
    """Return the number of characters of a boundary's texts."""
    key, start = boundary
    if start is None:
        return len(key)
    return len(key) + len(start.before) + sum(map(len, start.marker or ()))


def _quiet_key(keys: Sequence[str]) -> str | None:
    """Return a key late on the page that has few uploads, and that its neighbours do not begin with, or None.

    Were it that of many uploads, or the beginning of many keys, stores that list these again after it would
    have to be asked for more pages.
    """
    most = max(2, len(keys) // _REPEATED)
    for end in range(len(keys) - max(1, len(keys) // _SLACK), 1, -1):
        key, first = keys[end - 1], end - 1
        while first > 0 and end - first <= most and keys[first - 1] == key:
            first -= 1
        is_apart = first > 0 and not (keys[first - 1].startswith(key) or keys[end].startswith(key))
        if is_apart and end - first <= most and _is_text(key):
            return key
    return None


def _is_text(key: str) -> bool:
    """Whether a key can be sent and stored: one with lone surrogates has no UTF-8."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def choose_boundaries(found: Boundaries, max_segments: int, prefix: str) -> Sequence[Boundary]:
    """Return boundaries that make at most so many segments of about equal length, none for one segment.

    What a marker of a listing by another prefix begins is not known: none of these is used.
    """
    if found.starts and (found.prefix != prefix or len(found.starts) != len(found.keys)):
        return ()
    starts = found.starts or (None,) * len(found.keys)
    kept = [Boundary(*each) for each in zip(found.keys, starts, strict=True) if each[0].startswith(prefix)]
    segments = min(max_segments, found.pages // PAGES_PER_SEGMENT, len(kept) + 1)
    places = (round(number * (len(kept) + 1) / segments) - 1 for number in range(1, segments))
    return [kept[place] for place in places]
