"""Answers over 4 MiB, read in pieces: 100,000 blocks have up to 14 MiB, and a page of long names more.

So are smaller ones of very many items, whose tree would take more memory than a document may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.errors import bad_response
from exporter.stores.parsing.pieces import Pieces, pack
from exporter.stores.time_limit import check_time
from exporter.stores.transport.memory import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.stores.transport.response import Response

BLOB_TAG, BLOCK_TAG = b"<Blob>", b"<Block>"
"""How an item begins in each answer that is read in pieces."""
MAX_WHOLE_ITEMS = 20_000


def pieces_of_answer(operation: str, response: Response, tag: bytes, limit: int) -> Iterator[Response]:
    """Yield a small answer as it is, a large one as answers that have some of its items each.

    `limit` is the largest number of items. Raises StoreError (bad_response, timeout).
    """
    listing = response.listing
    if listing is None and len(response.body) > MIB and response.body.count(tag) > MAX_WHOLE_ITEMS:
        listing = pack(operation, response.body, tag)
    if listing is None:
        yield response
        return
    if listing.items > limit:
        raise bad_response(operation, f"the answer has more than {limit:,} items")
    pieces = Pieces(listing, tag)
    is_plain = pieces.has_plain_frame()
    for number in range(pieces.count):
        check_time(operation)
        items = pieces.items(number)
        if not (is_plain and pieces.are_plain(items)):
            raise bad_response(
                operation, "the answer is too large to be read as one, and cannot be cut", garbled=True
            )
        yield response._replace(body=pieces.document(items), listing=None)
