"""The page loop that all stores share, and what walks with it: machines without input or output of their own.

A flow is a generator that yields what to ask, is sent the page (or thrown the error) and returns what it
found, so that whoever drives it may do so on threads or over one event loop. `flows.py` drives them.
"""

from __future__ import annotations

from collections.abc import Generator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.model.uploads import Part, Parts, PartTotals, Upload
from exporter.stores.base import PageRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from exporter.config.settings import BucketSettings
    from exporter.stores.base import Marker, Page, PartSum

T = TypeVar("T")
Task = Generator[PageRequest, "Page[Any]", T]

BARREN_PAGES = 1000
"""So many pages in a row without a new item are no listing; a few are legal (filtered pages)."""

# An upload at a page's edge may end before the next page is asked for; servers then refuse the marker.
_REFUSED_MARKER = {
    (HTTPStatus.NOT_FOUND, "NoSuchUpload"),
    (HTTPStatus.BAD_REQUEST, "InvalidArgument"),
    (HTTPStatus.BAD_REQUEST, "InvalidParameterValueException"),
}


class RestartError(Exception):
    """The store no longer knows the marker it gave: the listing has to start over."""


class PageLoop(Generic[T]):
    """Walks one listing: `marker` is what to ask for next, until `done`.

    Ends only where the store says so, drops repeats, and refuses a listing that does not move.
    """

    def __init__(self, identities: Callable[[Collection[T]], Collection[Hashable]]) -> None:
        """Make a loop that knows items again by their `identities`; None as one is never known again."""
        self.marker: Marker | None = None
        self.done = False
        self._identities = identities
        self._page_before: set[Hashable] = set()
        self._markers_seen: set[int] = set()
        self._barren = 0

    def accept(self, page: Page[T]) -> Collection[T]:
        """Take the page asked for and return its items that are new. Raises StoreError (bad_response)."""
        fresh = self._fresh(page.items)
        self._barren = 0 if fresh or page.moved else self._barren + 1
        if page.truncated is False or (page.truncated is None and page.next_marker is None):
            self.done = True
        else:
            self._go_on(page)
        return fresh

    def _fresh(self, items: Collection[T]) -> Collection[T]:
        if not items:
            return items
        identities = self._identities(items)
        known, self._page_before = self._page_before, set(identities)
        if len(self._page_before) == len(items) and known.isdisjoint(self._page_before):
            return items
        known = known - {None}
        fresh = []
        for identity, item in zip(identities, items, strict=True):
            if identity not in known:
                fresh.append(item)
                known |= set() if identity is None else {identity}
        return fresh

    def _go_on(self, page: Page[T]) -> None:
        marker = page.next_marker or page.last_marker
        if marker is None:
            raise _stuck("is truncated but says not where it goes on")
        seen = hash(marker)
        if seen in self._markers_seen or self._barren >= BARREN_PAGES:
            raise _stuck("does not move: the server repeats its pages")
        self._markers_seen.add(seen)
        self.marker = marker


def new_listing() -> PageLoop[Upload]:
    """Return the loop over a bucket's uploads."""
    return PageLoop(lambda uploads: [upload[:2] for upload in uploads])  # key and id


def next_page(listing: PageLoop[Upload], bucket: BucketSettings) -> Task[Collection[Upload]]:
    """Ask for the listing's next page; returns the uploads in it that are new.

    Raises StoreError where the page fails, RestartError where the listing has to start over. A store that
    answers NoSuchUpload to the first page has none.
    """
    marker = listing.marker
    try:
        page = yield PageRequest(bucket, None, marker)
    except StoreError as error:
        if marker is not None and (error.status, error.code) in _REFUSED_MARKER:
            raise RestartError from error
        if marker is None and (error.status, error.code) == (HTTPStatus.NOT_FOUND, "NoSuchUpload"):
            listing.done = True
            return ()
        raise
    return listing.accept(page)


def size_upload(bucket: BucketSettings, upload: Upload, fold: PartSum) -> Task[PartTotals]:
    """Ask for the parts of the upload that the fold has not counted; returns what all add up to.

    Raises StoreError, GoneError where the upload has ended. Where a store refuses to go on after the parts
    already counted, all are asked for.
    """
    try:
        page: Page[Part] = yield PageRequest(bucket, upload, (str(fold.run),) if fold.run else None)
    except StoreError as error:
        refused = (error.status, error.code) in _REFUSED_MARKER and not isinstance(error, GoneError)
        if not fold.run or not refused:
            raise
        fold.begin_with()
        page = yield PageRequest(bucket, upload, None)
    if page.truncated is False:  # nearly always: all parts on one page, in which the fold finds repeats
        fold.add(page.items)
        return _totals(fold, page.storage_class, page.abort_at)
    loop: PageLoop[Part] = PageLoop(_identities)
    storage_class, abort_at = page.storage_class, page.abort_at
    fold.add(loop.accept(page))
    while not loop.done:
        page = yield PageRequest(bucket, upload, loop.marker)
        storage_class = page.storage_class or storage_class
        abort_at = abort_at if page.abort_at is None else page.abort_at
        fold.add(loop.accept(page))
    return _totals(fold, storage_class, abort_at)


def _totals(fold: PartSum, storage_class: str, abort_at: float | None) -> PartTotals:
    totals = fold.totals(storage_class)
    return totals if abort_at is None else totals._replace(abort_at=abort_at)


def _identities(parts: Collection[Part]) -> Collection[Hashable]:
    """Return the numbers of parts that have some, else the parts themselves (Glacier's ranges)."""
    return parts.starts if isinstance(parts, Parts) else parts


def _stuck(what: str) -> StoreError:
    return StoreError(Reason.BAD_RESPONSE, f"the listing {what}", status=200)
