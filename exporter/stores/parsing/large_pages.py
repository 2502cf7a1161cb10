"""Large listing pages: read piece by piece, twice: first to prove the page, then as its uploads are taken.

MinIO answers with all uploads of a bucket in one page. A piece is a document of its own: what stands before
the first upload and behind the last one, and some whole uploads between. Memory holds the page packed, and
the uploads of one piece.
"""

from __future__ import annotations

from array import array
from functools import partial
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import UPLOADS_OPERATION
from exporter.stores.errors import bad_response
from exporter.stores.parsing.pieces import Pieces, pack
from exporter.stores.time_limit import check_time
from exporter.stores.transport.memory import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.model.uploads import Upload
    from exporter.stores.base import Page
    from exporter.stores.transport.listing_body import ListingBody
    from exporter.stores.transport.response import Response

UPLOAD_TAG = b"<Upload>"
"""How an upload begins in every page that is read in pieces."""
MIN_LARGE_BYTES = 512 * 1024
"""Smaller pages are read whole."""
MAX_WHOLE_UPLOADS = 2000
"""Larger pages with more uploads are read in pieces, if that is possible."""
MAX_UPLOADS = 2_000_000
"""A page with more uploads is refused."""
MAX_WHOLE_BYTES = MAX_BODY_BYTES
"""Larger pages are read in pieces or not at all."""
_MAX_REPEATED = 10_000
_HASHES_AT_ONCE = 200_000


def read_large_page(response: Response, read: Callable[..., Page[Upload]]) -> Page[Upload] | None:
    """Return the first piece of a large page, None where it is small.

    `read` returns the page in a response, or in a part of it where it is called with `is_piece`, without
    dates where also `is_proof`. Raises StoreError, also where the page can be read neither in pieces nor
    whole or the scan's time is over, and StoppingError.
    """
    listing = response.listing or _packed(response.body)
    if listing is None:
        return None
    if listing.items > MAX_UPLOADS:
        raise _unreadable(listing)
    large = _LargePage(listing, partial(_read_piece, response._replace(body=b"", listing=None), read))
    try:
        if large.prove():
            return large.page(0)
    except StoreError as error:
        if error.reason is Reason.TIMEOUT or listing.size > MAX_WHOLE_BYTES:
            raise
    if listing.size > MAX_WHOLE_BYTES:
        raise _unreadable(listing)
    # who reads it whole says what is wrong
    return read(response._replace(body=b"".join(listing.pieces()), listing=None), is_piece=False)


def _packed(body: bytes) -> ListingBody | None:
    """Return a body that has more uploads than one wants to hold, packed; None for any other."""
    if len(body) <= MIN_LARGE_BYTES or body.count(UPLOAD_TAG) <= MAX_WHOLE_UPLOADS:
        return None
    return pack(UPLOADS_OPERATION, body, UPLOAD_TAG)


def _read_piece(
    response: Response, read: Callable[..., Page[Upload]], body: bytes, *, is_proof: bool = False
) -> Page[Upload]:
    check_time(UPLOADS_OPERATION)
    return read(response._replace(body=body), is_piece=True, is_proof=is_proof)


class _LargePage:
    """The pieces of one page of uploads."""

    def __init__(self, listing: ListingBody, read: Callable[..., Page[Upload]]) -> None:
        self._pieces = Pieces(listing, UPLOAD_TAG)
        self._read = read
        self._starts: list[int] = []
        self._first_places: dict[int, int] = {}

    def prove(self) -> bool:
        """Whether it is certain that reading the page whole comes to the same. Raises StoreError."""
        pieces = self._pieces
        if not pieces.has_plain_frame():
            return False
        self._read(pieces.frame)  # nothing is left open in it
        hashes = array("q")
        for number in range(pieces.count):
            uploads = pieces.items(number)
            if not pieces.are_plain(uploads):
                return False
            page = self._read(pieces.document(uploads), is_proof=True)
            if len(page.items) != uploads.count(UPLOAD_TAG):
                return False
            self._starts.append(len(hashes))
            hashes.extend(hash(upload[:2]) for upload in page.items)
        self._first_places = _places_of_repeated(hashes)
        return True

    def page(self, number: int) -> Page[Upload]:
        """Return a piece as a page, which has the rest of them; what an earlier one has is left out."""
        page = self._read(self._pieces.document(self._pieces.items(number)))
        if self._first_places:
            places = enumerate(page.items, self._starts[number])
            page = page._replace(items=[each for place, each in places if self._is_first(each, place)])
        if number + 1 == self._pieces.count:
            return page
        return page._replace(truncated=True, next_marker=None, rest=partial(self.page, number + 1))

    def _is_first(self, upload: Upload, place: int) -> bool:
        return self._first_places.get(hash(upload[:2]), place) == place


def _places_of_repeated(hashes: Sequence[int]) -> dict[int, int]:
    """Return the place of the first of each hash that comes more than once. Raises StoreError for many."""
    repeated: set[int] = set()
    shares = 1 + len(hashes) // _HASHES_AT_ONCE  # a set takes ten times as much memory as the array
    for share in range(shares):
        seen: set[int] = set()
        for each in hashes:
            if each % shares == share:
                (repeated if each in seen else seen).add(each)
    if len(repeated) > _MAX_REPEATED:
        raise bad_response(UPLOADS_OPERATION, "a large page lists uploads twice")
    places: dict[int, int] = {}
    for place, each in enumerate(hashes) if repeated else ():
        if each in repeated:
            places.setdefault(each, place)
    return places


def _unreadable(listing: ListingBody) -> StoreError:
    what = f"{UPLOADS_OPERATION}: a page of {listing.size >> 20:,} MiB with {listing.items:,} uploads"
    advice = "cannot be read in pieces; watch the bucket in parts, a target for each prefix"
    return StoreError(Reason.BAD_RESPONSE, f"{what} {advice}", status=200)
