"""The tasks that list uploads and ask for them by name.

A task is a generator without I/O: it yields a PageRequest, is sent the page (or thrown the StoreError), and
returns its result. `engine.executor` runs tasks; whether calls are made on threads or over one event loop is
up to the store.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import UPLOADS_OPERATION, PageRequest, keys_of, pieces_of
from exporter.stores.pagination.key_order import PLAIN_ENDINGS, KeyOrder
from exporter.stores.pagination.paginator import is_last
from exporter.stores.pagination.uploads_paginator import UploadsPaginator

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.config.settings import BucketSettings
    from exporter.stores.base import Marker, Page

T = TypeVar("T")
Task = Generator[PageRequest, "Page[Any]", T]

MAX_PAGES_WITHOUT_KEY = 10
"""Maximum number of pages, of uploads of longer keys alone, that a question by name follows."""
MIN_ORDERED_UPLOADS = 10
"""Number of uploads in the order of their keys that are taken as proof that a store lists in that order."""

# An upload at a page's edge may end before the next page is requested; servers then refuse the marker.
_REFUSED_MARKER = {
    (HTTPStatus.NOT_FOUND, "NoSuchUpload"),
    (HTTPStatus.BAD_REQUEST, "InvalidArgument"),
    (HTTPStatus.BAD_REQUEST, "InvalidParameterValueException"),
}
_REFUSED_STATUS = {400, 404, 409, 412, 416, 422, 501}
"""What else may mean so: it is, where the listing goes on another way."""


class RestartError(Exception):
    """The store no longer accepts the marker it gave: the listing has to start over."""


class KeyListing(NamedTuple):
    """The uploads of one key; not `complete` where the store would not list all of them.

    `others` are uploads of longer keys that were listed with them. A listing that `is_cut` is not complete,
    as the store said that there are more and then did not list them.
    """

    uploads: Sequence[Upload]
    complete: bool
    others: Sequence[Upload] = ()
    is_cut: bool = False


def uploads_paginator(*, by_key: bool = False) -> UploadsPaginator:
    """Return the paginator of a bucket's uploads; `by_key` is as in `UploadsPaginator`."""
    return UploadsPaginator(by_key=by_key)


def list_next_page(
    paginator: UploadsPaginator, bucket: BucketSettings, *, may_encode: bool = False
) -> Task[Collection[Upload]]:
    """List the next page of a bucket's uploads; returns those that are new and begin with its prefix.

    Where the page cannot be read, or the store fails to make it, it is asked for once more with encoded keys
    if the store `may_encode` them. Raises StoreError where the page fails, RestartError where the listing has
    to start over. A store that answers NoSuchUpload to the first page has no uploads.
    """
    page = yield from _next_page(paginator, bucket, may_encode=may_encode)
    if page is None:
        return ()
    new = paginator.accept(page)
    for key in paginator.edge_keys:
        new = [*new, *(yield from _list_edge(paginator, bucket, key, may_encode=may_encode))]
    inside = within_prefix(new, bucket)
    paginator.outside_prefix += len(new) - len(inside)
    return inside


def within_prefix(uploads: Collection[Upload], bucket: BucketSettings) -> Collection[Upload]:
    """Return those whose keys begin with the bucket's prefix; some stores put blanks before a key."""
    prefix = bucket.prefix
    if not prefix:
        return uploads
    return [each for each in uploads if each.key.startswith(prefix) or each.key.lstrip().startswith(prefix)]


def list_by_key(
    bucket: BucketSettings, key: str, *, may_encode: bool = True, encoded: bool = False
) -> Task[KeyListing]:
    """List the uploads of exactly this key. Raises StoreError; for encoding see `list_next_page`.

    Some stores put blanks around a key, which `key` may lack. Keys that begin alike are listed after it by
    most stores: pages of them are followed only so far.
    """
    paginator, found, others = UploadsPaginator(), dict[tuple[str, str], Upload](), list[Upload]()
    paginator.encoded = encoded
    order, pages_without_key, complete = _PassedKey(key), 0, True
    shown: Page[Upload] | None = None
    while complete and not (paginator.done or (order.is_passed and _lists_one_node(paginator, shown))):
        try:
            page = yield from _next_page(
                paginator, replace(bucket, prefix=key), by_name=True, may_encode=may_encode
            )
        except RestartError:
            complete = False
            break
        if page is None:
            break
        order.add(page)
        shown = page if keys_of(page) else shown
        of_key = {_names(each): each for each in page.items if key in (each.key, each.key.strip())}
        new = of_key.keys() - found.keys()
        found |= of_key
        others += [each for each in page.items if each.key.startswith(key) and _names(each) not in of_key]
        pages_without_key += not (new or page.last_of_node or page.rest)
        complete = _can_accept(paginator, page) and (
            bool(new) or not (paginator.edge_keys or pages_without_key > MAX_PAGES_WITHOUT_KEY)
        )
    is_cut = complete and shown is not None and (yield from _is_cut(paginator, bucket, key, shown))
    return KeyListing(list(found.values()), complete and not is_cut, tuple(others), is_cut)


def _is_cut(paginator: UploadsPaginator, bucket: BucketSettings, key: str, page: Page[Upload]) -> Task[bool]:
    """Whether the rest of a key is missing after a truncated page of it, which nothing followed.

    A store that lists nothing after the first upload of that page either does not heed upload ids (S3Mock).
    """
    others = [upload for upload in page.items if upload.key == key][1:]
    ended = paginator.done and not is_last(page) and len(others) + 1 == len(page.items)
    if not (ended and others and page.next_marker == page.last_marker):
        return False
    first = next(iter(page.items))
    try:
        again = yield PageRequest(replace(bucket, prefix=key), None, _names(first), by_name=True)
    except StoreError:
        return False
    names = {_names(each) for each in others}
    return all(names.isdisjoint(map(_names, piece.items)) for piece in pieces_of(again))


def _names(upload: Upload) -> tuple[str, str]:
    return upload.key, upload.upload_id


def _lists_one_node(paginator: UploadsPaginator, page: Page[Upload] | None) -> bool:
    """Whether the next page is asked for by a plain pair: a marker of several nodes has more or less.

    A store that lists more than uploads has one node.
    """
    if page is not None and page.keys is not None:
        return True
    return paginator.marker is not None and len(paginator.marker) == len(("key", "upload id"))


def _can_accept(paginator: UploadsPaginator, page: Page[Upload]) -> bool:
    """Have the page accepted; false where the listing does not move."""
    try:
        paginator.accept(page)
    except StoreError:
        return False
    return True


def _next_page(
    paginator: UploadsPaginator, bucket: BucketSettings, *, by_name: bool = False, may_encode: bool = False
) -> Task[Page[Upload] | None]:
    """Return the next page, None where the store says that there are no uploads.

    It is the rest of the last page, where that came in pieces. Raises StoreError, and RestartError where the
    store refuses all markers.
    """
    if paginator.rest is not None:
        return paginator.rest()
    while True:
        marker = paginator.marker
        try:
            return (yield from _readable(PageRequest(bucket, None, marker, by_name), paginator, may_encode))
        except StoreError as error:
            if means_no_uploads(error, marker):
                paginator.done = True
                return None
            if marker is None or not (is_refusal(error) or _may_be_refusal(error)):
                raise
            if not paginator.refuse():
                if not is_refusal(error):
                    raise
                raise RestartError from error


def _readable(request: PageRequest, paginator: UploadsPaginator, may_encode: bool) -> Task[Page[Upload]]:  # noqa: FBT001
    """Return the requested page, asked for again where it cannot be read. Raises StoreError."""
    request = request._replace(encoded=paginator.encoded)
    try:
        return (yield from ask_twice(request))
    except StoreError as error:
        if request.encoded or not may_encode or not (error.garbled or error.reason is Reason.SERVER_ERROR):
            raise
        first = error
    try:
        page: Page[Upload] = yield request._replace(encoded=True)
    except StoreError:
        raise first from None
    paginator.encoded = True
    return page


def ask_twice(request: PageRequest) -> Task[Page[Any]]:
    """Return the requested page, asked for once more where the first answer is garbled. Raises StoreError."""
    try:
        return (yield request)
    except StoreError as error:
        if not error.garbled:
            raise
    return (yield request)


def _list_edge(
    paginator: UploadsPaginator, bucket: BucketSettings, key: str, *, may_encode: bool
) -> Task[Collection[Upload]]:
    """Return uploads, of this key or longer ones, that the listing may have skipped.

    Raises StoreError and RestartError.
    """
    try:
        listing = yield from list_by_key(bucket, key, may_encode=may_encode, encoded=paginator.encoded)
    except StoreError as error:
        if is_refusal(error):
            raise RestartError from error
        raise
    if not listing.complete:
        count = len(listing.uploads)
        what = f"the bucket has more than {count} uploads of one key, and the store does not list the rest"
        text = f"{UPLOADS_OPERATION}: {what}"
        raise StoreError(Reason.BAD_RESPONSE, text, status=HTTPStatus.OK)
    return paginator.accept_named([*listing.uploads, *listing.others])


class _PassedKey:
    """Tells when a listing by the prefix `key` has passed all uploads of exactly that key.

    An order that the uploads contradict is ruled out.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._count = 0
        self._last: str | None = None
        self._order = KeyOrder()

    def add(self, page: Page[Upload]) -> None:
        """Note what a page lists, which on some stores is more than uploads."""
        keys = keys_of(page)
        if page.keys is not None and self._last is None:
            self._order = KeyOrder(PLAIN_ENDINGS)
        self._order.add(keys, self._last)
        self._last = keys[-1] if keys else self._last
        self._count += len(keys)

    @property
    def is_passed(self) -> bool:
        """Whether enough uploads were in order, and the last is past the key in any order still possible."""
        if self._count < MIN_ORDERED_UPLOADS or self._last is None:
            return False
        return self._order.is_past(self._last, self._key) is True


def means_no_uploads(error: StoreError, marker: Marker | None) -> bool:
    """Whether the error of the page after `marker` says that a bucket has no uploads."""
    return marker is None and (error.status, error.code) == (HTTPStatus.NOT_FOUND, "NoSuchUpload")


def is_refusal(error: StoreError) -> bool:
    """Whether a store refused a marker."""
    return (error.status, error.code) in _REFUSED_MARKER and not isinstance(error, GoneError)


def _may_be_refusal(error: StoreError) -> bool:
    """Whether a page failed in a way that servers have for a marker that they do not take."""
    return error.status in _REFUSED_STATUS and error.reason in {Reason.BAD_RESPONSE, Reason.UNSUPPORTED}
