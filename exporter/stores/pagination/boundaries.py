"""Finds the keys at which the next listing of a bucket can be cut, and chooses among those of the last."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.model.boundaries import Boundaries

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_BOUNDARIES = 256
"""Maximum number of keys that are kept of a listing."""
PAGES_PER_SEGMENT = 2
"""Minimum number of pages of a segment: each costs up to one request more."""
_REPEATED = 64
"""A boundary's own uploads, which some stores list again after it, are at most this share of its page."""
_SLACK = 16
"""A boundary stands this share before the end of its page, so that new uploads do not fill another page."""


class BoundaryCollector:
    """Keeps one key of every so many pages while a bucket is listed, whose segments have numbers."""

    def __init__(self) -> None:
        """Make it without keys."""
        self._kept: dict[int, list[str]] = {}
        self._pages: dict[int, int] = {}
        self._stride = 1
        self._uploads = 0
        self._longest_page = 1

    def add_page(self, segment: int, keys: Sequence[str], page_length: int, *, is_last: bool) -> None:
        """Take the keys of new uploads on a page, in order; none is kept of the last page of a segment."""
        self._uploads += len(keys)
        self._longest_page = max(self._longest_page, page_length)
        self._pages[segment] = pages = self._pages.get(segment, 0) + 1
        if is_last or pages % self._stride:
            return
        key = _boundary(keys)
        if key is not None:
            self._kept.setdefault(segment, []).append(key)
            self._thin_out()

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
            self._kept[number] = [key for key in kept if not key.startswith(shorter)]

    def _thin_out(self) -> None:
        if sum(map(len, self._kept.values())) > MAX_BOUNDARIES:
            self._stride *= 2
            for kept in self._kept.values():
                del kept[::2]  # the second, fourth, … stand at multiples of the new stride

    def boundaries(self, endings: Collection[str]) -> Boundaries:
        """Return the keys in the order of the listing, none where that is too short to be cut."""
        pages = -(-self._uploads // self._longest_page)
        keys = [key for _, kept in sorted(self._kept.items()) for key in kept]
        in_order = all(one + end < other + end for one, other in pairwise(keys) for end in endings)
        if pages < 2 * PAGES_PER_SEGMENT or not endings or not in_order:
            return Boundaries()
        return Boundaries(tuple(keys), tuple(endings), pages)


def _boundary(keys: Sequence[str]) -> str | None:
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


def choose_boundaries(found: Boundaries, max_segments: int, prefix: str) -> Sequence[str]:
    """Return boundaries that make at most so many segments of about equal length, none for one segment."""
    keys = [key for key in found.keys if key.startswith(prefix)]
    segments = min(max_segments, found.pages // PAGES_PER_SEGMENT, len(keys) + 1)
    places = (round(number * (len(keys) + 1) / segments) - 1 for number in range(1, segments))
    return [keys[place] for place in places]
