"""Pagination that all stores share: the paginator, and the tasks that list uploads and sum up parts.

A task is a generator without I/O: it yields a PageRequest, is sent the page (or thrown the StoreError), and
returns its result. `engine.executor` runs tasks; whether calls are made on threads or over one event loop is
up to the store.
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

MAX_STALLED_PAGES = 1000
"""Maximum number of pages in a row without a new item; a few are legal (filtered pages)."""

# An upload at a page's edge may end before the next page is requested; servers then refuse the marker.
_REFUSED_MARKER = {
    (HTTPStatus.NOT_FOUND, "NoSuchUpload"),
    (HTTPStatus.BAD_REQUEST, "InvalidArgument"),
    (HTTPStatus.BAD_REQUEST, "InvalidParameterValueException"),
}


class RestartError(Exception):
    """The store no longer accepts the marker it gave: the listing has to start over."""


class Paginator(Generic[T]):
    """State of one listing: `marker` is where the next page starts, until `done`.

    Only the store's answer ends it. Items repeated from the page before are dropped, and a listing whose
    pages repeat is an error.
    """

    def __init__(self, identities: Callable[[Collection[T]], Collection[Hashable]]) -> None:
        """Start a listing; items are compared by their `identities`, of which None equals no other."""
        self.marker: Marker | None = None
        self.done = False
        self._identities = identities
        self._page_before: set[Hashable] = set()
        self._markers_seen: set[int] = set()
        self._stalled_pages = 0

    def accept(self, page: Page[T]) -> Collection[T]:
        """Take the page that was requested and return its new items. Raises StoreError (bad_response)."""
        new = self._new_items(page.items)
        self._stalled_pages = 0 if new or page.progressed else self._stalled_pages + 1
        if page.truncated is False or (page.truncated is None and page.next_marker is None):
            self.done = True
        else:
            self._advance(page)
        return new

    def _new_items(self, items: Collection[T]) -> Collection[T]:
        if not items:
            return items
        identities = self._identities(items)
        known, self._page_before = self._page_before, set(identities)
        if len(self._page_before) == len(items) and known.isdisjoint(self._page_before):
            return items
        known = known - {None}
        new = []
        for identity, item in zip(identities, items, strict=True):
            if identity not in known:
                new.append(item)
                known |= set() if identity is None else {identity}
        return new

    def _advance(self, page: Page[T]) -> None:
        marker = page.next_marker or page.last_marker
        if marker is None:
            raise _bad_listing("is truncated but says not where it goes on")
        seen = hash(marker)
        if seen in self._markers_seen or self._stalled_pages >= MAX_STALLED_PAGES:
            raise _bad_listing("does not move: the server repeats its pages")
        self._markers_seen.add(seen)
        self.marker = marker


def uploads_paginator() -> Paginator[Upload]:
    """Return the paginator of a bucket's uploads."""
    return Paginator(lambda uploads: [upload[:2] for upload in uploads])  # key and id


def parts_paginator() -> Paginator[Part]:
    """Return the paginator of an upload's parts, compared by number, or by range where they have none."""
    return Paginator(lambda parts: parts.starts if isinstance(parts, Parts) else parts)


def list_next_page(paginator: Paginator[Upload], bucket: BucketSettings) -> Task[Collection[Upload]]:
    """List the next page of a bucket's uploads; returns those that are new.

    Raises StoreError where the page fails, RestartError where the listing has to start over. A store that
    answers NoSuchUpload to the first page has no uploads.
    """
    marker = paginator.marker
    try:
        page = yield PageRequest(bucket, None, marker)
    except StoreError as error:
        if marker is not None and (error.status, error.code) in _REFUSED_MARKER:
            raise RestartError from error
        if means_no_uploads(error, marker):
            paginator.done = True
            return ()
        raise
    return paginator.accept(page)


def means_no_uploads(error: StoreError, marker: Marker | None) -> bool:
    """Whether the error of the page after `marker` says that a bucket has no uploads."""
    return marker is None and (error.status, error.code) == (HTTPStatus.NOT_FOUND, "NoSuchUpload")


def sum_parts(bucket: BucketSettings, upload: Upload, part_sum: PartSum) -> Task[PartTotals]:
    """List the parts of the upload that `part_sum` has not counted; returns the totals of all.

    Raises StoreError, GoneError where the upload has ended. Where a store refuses to go on after the parts
    already counted, all are listed.
    """
    counted = part_sum.contiguous_parts
    try:
        page: Page[Part] = yield PageRequest(bucket, upload, (str(counted),) if counted else None)
    except StoreError as error:
        refused = (error.status, error.code) in _REFUSED_MARKER and not isinstance(error, GoneError)
        if not counted or not refused:
            raise
        part_sum.restart()
        page = yield PageRequest(bucket, upload, None)
    if page.truncated is False:  # nearly always: all parts on one page, in which the sum finds repeats
        part_sum.add(page.items)
        return _totals(part_sum, page.storage_class, page.abort_at)
    paginator = parts_paginator()
    storage_class, abort_at = page.storage_class, page.abort_at
    part_sum.add(paginator.accept(page))
    while not paginator.done:
        page = yield PageRequest(bucket, upload, paginator.marker)
        storage_class = page.storage_class or storage_class
        abort_at = abort_at if page.abort_at is None else page.abort_at
        part_sum.add(paginator.accept(page))
    return _totals(part_sum, storage_class, abort_at)


def _totals(part_sum: PartSum, storage_class: str, abort_at: float | None) -> PartTotals:
    totals = part_sum.totals(storage_class)
    return totals if abort_at is None else totals._replace(abort_at=abort_at)


def _bad_listing(what: str) -> StoreError:
    return StoreError(Reason.BAD_RESPONSE, f"the listing {what}", status=200)
