"""The page loop and the retry loop that all stores share.

The page loop is a small machine without input or output of its own: it says which page to ask for and is
shown the answer, so that whoever drives it may do so on a thread or over an event loop.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.model import Part, PartTotals, Reason, StoppingError, StoreError, Upload

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Hashable, Iterator

    from exporter.config.settings import BucketSettings
    from exporter.stores.base import Marker, Page, Store

T = TypeVar("T")

BARREN_PAGES = 1000
"""So many pages in a row without a new item are no listing; a few are legal (filtered pages)."""
BACKOFF_BASE_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 20.0

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

    def __init__(self, identity: Callable[[T], Hashable]) -> None:
        """Make a loop that knows an item again by `identity`."""
        self.marker: Marker | None = None
        self.done = False
        self._identity = identity
        self._page_before: set[Hashable] = set()
        self._markers_seen: set[int] = set()
        self._barren = 0

    def accept(self, page: Page[T]) -> list[T]:
        """Take the page asked for and return its items that are new. Raises StoreError (bad_response)."""
        fresh = self._fresh(page)
        self._barren = 0 if fresh else self._barren + 1
        if page.truncated is False or (page.truncated is None and page.next_marker is None):
            self.done = True
        else:
            self._go_on(page)
        return fresh

    def _fresh(self, page: Page[T]) -> list[T]:
        known, self._page_before = self._page_before, set()
        fresh = []
        for item in page.items:
            identity = self._identity(item)
            if identity not in known and identity not in self._page_before:
                fresh.append(item)
            self._page_before.add(identity)
        if not page.items:
            self._page_before = known
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


def _stuck(what: str) -> StoreError:
    return StoreError(Reason.BAD_RESPONSE, f"the listing {what}", status=200)


@dataclass(slots=True)
class Caller:
    """Makes calls with retries, none of which outlasts the scan.

    Times are seconds of the monotonic clock; `deadline` is the scan's.
    """

    request_timeout: float
    retries: int
    deadline: float
    stop: threading.Event
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = random.uniform

    def ask(self, attempt: Callable[[float], T]) -> T:
        """Return what `attempt` returns, called with its own deadline and again while that may help.

        Throttling, 5xx, timeouts and connection faults are tried again after a full-jitter pause, no
        shorter than the server's Retry-After. Raises StoreError and StoppingError.
        """
        tries = 0
        while True:
            now = self.monotonic()
            if now >= self.deadline:
                raise StoreError(Reason.TIMEOUT, "scan.timeout is over")
            try:
                return attempt(min(self.deadline, now + self.request_timeout))
            except StoreError as error:
                if not error.retryable or tries >= self.retries:
                    raise
                self._pause(error, tries)
            tries += 1

    def _pause(self, error: StoreError, tries: int) -> None:
        pause = self.jitter(0.0, min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**tries))
        pause = max(pause, error.retry_after or 0.0)
        if self.monotonic() + pause >= self.deadline:
            raise error
        if self.stop.wait(pause):
            raise StoppingError


def list_uploads(store: Store, bucket: BucketSettings, caller: Caller) -> Iterator[list[Upload]]:
    """Yield the bucket's uploads page by page, each once.

    Raises StoreError where a page fails after its retries, RestartError where the listing has to start
    over. A store that answers NoSuchUpload to the first page has none.
    """
    loop: PageLoop[Upload] = PageLoop(lambda upload: (upload.key, upload.upload_id))
    while not loop.done:
        marker = loop.marker
        try:
            page = caller.ask(lambda deadline: store.list_uploads(bucket, marker, deadline))  # noqa: B023
        except StoreError as error:
            if marker is not None and (error.status, error.code) in _REFUSED_MARKER:
                raise RestartError from error
            if marker is None and (error.status, error.code) == (HTTPStatus.NOT_FOUND, "NoSuchUpload"):
                return
            raise
        yield loop.accept(page)


def size_upload(store: Store, bucket: BucketSettings, upload: Upload, caller: Caller) -> PartTotals:
    """Return what the upload's parts add up to. Raises StoreError, GoneError where the upload has ended."""
    loop: PageLoop[Part] = PageLoop(lambda part: part)
    fold = store.new_fold()
    storage_class = ""
    while not loop.done:
        marker = loop.marker
        page = caller.ask(lambda deadline: store.list_parts(bucket, upload, marker, deadline))  # noqa: B023
        storage_class = page.storage_class or storage_class
        for part in loop.accept(page):
            fold.add(part)
    return fold.totals(storage_class)
