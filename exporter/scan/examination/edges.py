"""Edges between pages of a listing: some are asked by name, as a store may lose uploads there."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.scan.examination.questions import Question
from exporter.stores.pagination.listing import list_by_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.config.settings import BucketSettings
    from exporter.stores.pagination.listing import KeyListing
    from exporter.stores.pagination.segmented_listing import SegmentedListing

FIRST_SCAN_EDGES = 10
"""Maximum number of edges that the first scan of a bucket asks for; later ones ask for one."""


class PageEdges:
    """The last keys of pages, of which a few are drawn by chance; for one pass."""

    def __init__(self, limit: int, draw: Callable[[int], int] = random.randrange) -> None:
        """Make it to draw `limit` edges; `draw` returns a number below its argument."""
        self._limit = limit
        self._draw = draw
        self._edges = 0
        self._drawn: list[str] = []
        self._last_key: str | None = None

    def add(self, key: str) -> None:
        """Add the last key of a page that is not the last one; that of the page before counts once."""
        if key == self._last_key:
            return
        self._last_key = key
        self._edges += 1
        if len(self._drawn) < self._limit:
            self._drawn.append(key)
        elif (place := self._draw(self._edges)) < self._limit:
            self._drawn[place] = key

    def questions(
        self,
        bucket: BucketSettings,
        listing: SegmentedListing,
        before: float,
        suspects: Suspects,
    ) -> Iterator[Question]:
        """Yield a question for each drawn edge, and for those of suspects.

        An upload that is listed by name and was on no page of the `listing` is a suspect, if it was initiated
        `before` (Unix seconds) or at an unknown time. Uploads of longer keys count, too: JuiceFS leaves them
        out where the marker's upload id sorts behind the rest of the key.
        """

        def take(key: str, found: KeyListing | StoreError) -> None:
            if isinstance(found, StoreError):
                return
            lacking = listing.lacking([*found.uploads, *found.others])
            old = [each for each in lacking if each.initiated is None or each.initiated < before]
            suspects.take(key, {(each.key, each.upload_id) for each in old}, is_cut=found.is_cut)

        for key in dict.fromkeys((*self._drawn, *suspects.keys)):
            yield Question(list_by_key(bucket, key), partial(take, key))


class Suspects:
    """Uploads that a listing may have left out; for one scan.

    They may as well have begun meanwhile, as the dates of stores are not precise. The bucket is listed once
    more then: one that is lacking again, though it was there before, was left out.
    """

    def __init__(self, list_again: Callable[[], None], found: Callable[[], None]) -> None:
        """Make it without any; `list_again` may raise, `found` is called where uploads were left out."""
        self.keys: set[str] = set()
        """The last keys of the pages behind which they were lacking."""
        self._names: set[tuple[str, str]] = set()
        self._list_again = list_again
        self._found = found

    def take(self, key: str, names: set[tuple[str, str]], *, is_cut: bool) -> None:
        """Take the uploads that lacked behind a page; `is_cut` where the store lists a part of a key."""
        if is_cut or names & self._names:
            self._found()
        elif names and not self._names:
            self.keys.add(key)
            self._names = names
            self._list_again()
