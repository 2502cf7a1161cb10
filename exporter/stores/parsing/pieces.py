"""A large page as several documents: each has what stands around its items, and some of these."""

from __future__ import annotations

import re

from exporter.model.errors import Reason, StoreError
from exporter.stores.transport.errors import NO_MEMORY
from exporter.stores.transport.listing_body import ListingBody
from exporter.stores.transport.memory import LISTINGS, MIB

_UNLEASED_BYTES = MIB
_BLANKS = b" \t\r\n"
# of an encoding in which no other character has the bytes of a tag
_DECLARATION = re.compile(
    rb"[ \t\r\n\xef\xbb\xbf]*(?:<\?xml\s+version=[\"']1\.0[\"'](?:\s+encoding=[\"'](?i:utf-8)[\"'])?"
    rb"(?:\s+standalone=[\"'](?:yes|no)[\"'])?\s*\?>)?"
)


def pack(operation: str, body: bytes, tag: bytes) -> ListingBody | None:
    """Return a body packed, None where it cannot be cut before items. Raises StoreError (timeout)."""
    listing = ListingBody(tag, LISTINGS.share().lease())
    if not listing.add(body):
        return None
    listing.end()
    if listing.packed_bytes > _UNLEASED_BYTES and not listing.lease.grow(listing.packed_bytes):
        raise StoreError(Reason.TIMEOUT, f"{operation}: {NO_MEMORY}", retryable=True)
    return listing


class Pieces:
    """The pieces of one page, whose items all begin with `tag`: `<Upload>`."""

    def __init__(self, listing: ListingBody, tag: bytes) -> None:
        """Look at the beginning and the end of the page."""
        self._listing = listing
        self._tag = tag
        self._end_tag = tag.replace(b"<", b"</")
        self._between = re.compile(re.escape(self._end_tag) + rb"([ \t\r\n]*)" + re.escape(tag))
        first, last = listing.piece(0), listing.piece(-1)
        self._head = first[: first.find(tag)]
        self._tail = last[last.rfind(self._end_tag) + len(self._end_tag) :]
        between = self._between.search(first)
        self._blanks = between[1] if between else b""

    @property
    def count(self) -> int:
        """Number of pieces."""
        return len(self._listing.packed)

    @property
    def frame(self) -> bytes:
        """The page without its items, a document as well."""
        return self._head + self._tail

    def has_plain_frame(self) -> bool:
        """Whether the page is in UTF-8, with no comments, CDATA and instructions around its items."""
        declaration = _DECLARATION.match(self._head)
        after = self._head[declaration.end() :] if declaration else self._head
        frame = after + self._tail
        return b"<!" not in frame and b"<?" not in frame

    def items(self, number: int) -> bytes:
        """Return the items of a piece, without what stands before the first and behind the last of all."""
        piece = self._listing.piece(number)
        end = len(piece) - len(self._tail) if number + 1 == self.count else len(piece)
        return piece[0 if number else len(self._head) : end]

    def document(self, items: bytes) -> bytes:
        """Return the document that has these items only."""
        return b"".join((self._head, items, self._tail))

    def are_plain(self, items: bytes) -> bool:
        """Whether there is nothing but white space between the items of a piece and behind them."""
        if b"<!" in items or b"<?" in items:
            return False
        number = items.count(self._tag)
        if number != items.count(self._end_tag) or not items.rstrip(_BLANKS).endswith(self._end_tag):
            return False
        if items.count(self._end_tag + self._blanks + self._tag) == number - 1:
            return True
        return sum(1 for _ in self._between.finditer(items)) == number - 1
