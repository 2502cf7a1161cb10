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
    from exporter.stores.pagination.uploads_paginator import UploadsPaginator

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
        listing: UploadsPaginator,
        before: float,
        skipped: Callable[[], None],
    ) -> Iterator[Question]:
        """Yield a question for each drawn edge.

        `skipped` is called where an upload that was initiated `before` (Unix seconds), or at an unknown time,
        is listed by name but was on no page of the `listing`, or where the store lists a part of a key's
        uploads only. Uploads of longer keys count, too: JuiceFS
        leaves them out where the marker's upload id sorts behind the rest of the key.
        """

        def take(found: KeyListing | StoreError) -> None:
            if not isinstance(found, StoreError):
                lacking = listing.lacking([*found.uploads, *found.others])
                if found.is_cut or any(each.initiated is None or each.initiated < before for each in lacking):
                    skipped()

        for key in dict.fromkeys(self._drawn):
            yield Question(list_by_key(bucket, key), partial(take))
