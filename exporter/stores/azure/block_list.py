"""Block lists of Azure Blob Storage: a response in, a checked page out.

API: https://learn.microsoft.com/rest/api/storageservices/get-block-list.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING
from zlib import crc32

from exporter.model.errors import NotAnUploadError
from exporter.model.uploads import Parts
from exporter.stores.azure.documents import learn, prove_no_items, read
from exporter.stores.azure.large_answers import BLOCK_TAG, pieces_of_answer
from exporter.stores.base import BLOCKS_OPERATION, Page
from exporter.stores.errors import bad_response
from exporter.stores.parsing.document import Document
from exporter.stores.parsing.fields import PageKind
from exporter.stores.parsing.numbers import integer, integers
from exporter.stores.parsing.pages import refuse_torn
from exporter.stores.parsing.required import BLOCK_MARKS, prove_items
from exporter.stores.parsing.shape_learning import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.uploads import Part
    from exporter.stores.transport.response import Response

MAX_BLOCKS = 200_000
"""A list with more blocks is refused: twice as many as a blob may have that are not committed."""
_HASHES_AT_ONCE = 20_000
BLOCK_SHAPES = Shapes(
    PageKind(
        BLOCKS_OPERATION,
        "BlockList",
        "Block",
        (),
        ("Name", "Size"),
        BLOCK_MARKS,
        "UncommittedBlocks",
    )
)
"""The shapes of block lists that this process has read, of all accounts."""


def read_blocks(response: Response, shapes: Shapes = BLOCK_SHAPES) -> Page[Part]:
    """Return the blocks in `response` that are not committed: all that the blob has.

    A block has no time, and instead of a number a checksum of its id. Raises NotAnUploadError where blocks
    are committed, or there are none, and StoreError (bad_response).
    """
    if integer(response.headers.get("x-ms-blob-content-length", "")):
        raise NotAnUploadError(BLOCKS_OPERATION)  # by one call or by its blocks: the blob has been written
    ids, hashes, sizes, are_known = array("q"), array("q"), array("q"), True
    for answer in pieces_of_answer(BLOCKS_OPERATION, response, BLOCK_TAG, MAX_BLOCKS):
        names, read_sizes = _block_columns(answer, shapes)
        if answer is response and len(set(names)) < len(names):
            names, read_sizes = _last_of_each(names, read_sizes)
        ids.extend(crc32(name.encode("utf-8", "surrogatepass")) for name in names)
        hashes.extend(map(hash, names))
        are_known = are_known and None not in read_sizes
        sizes.extend(size or 0 for size in read_sizes)
    if _has_repeated(hashes):
        raise bad_response(BLOCKS_OPERATION, "a large list has a block twice")
    nothing: list[int | None] = [None] * len(ids)
    return Page(Parts(ids, sizes if are_known else nothing, nothing), truncated=False)


def _block_columns(response: Response, shapes: Shapes) -> tuple[list[str], list[int | None]]:
    """Return ids and sizes of the blocks in an answer, at least one; see `read_blocks`."""
    document = read(response, shapes)
    names, sizes = document.columns(shapes.kind.path, "Name", "Size")
    if isinstance(document, Document) and document.columns("CommittedBlocks/Block", "Name")[0]:
        raise NotAnUploadError(BLOCKS_OPERATION)
    if len(names) > MAX_BLOCKS:
        raise bad_response(BLOCKS_OPERATION, f"the answer has more than {MAX_BLOCKS:,} blocks")
    prove_items(BLOCKS_OPERATION, names, garbled=document.is_repaired)
    refuse_torn(document, BLOCKS_OPERATION)
    if not names:
        prove_no_items(document, BLOCKS_OPERATION)
        raise NotAnUploadError(BLOCKS_OPERATION)
    learn(document, response, shapes)
    return names, integers(sizes)


def _last_of_each(names: Sequence[str], sizes: Sequence[int | None]) -> tuple[list[str], list[int | None]]:
    """Return each block once: of those of one id the one that was sent last counts."""
    by_id = dict(zip(names, sizes, strict=True))
    return list(by_id), list(by_id.values())


def _has_repeated(hashes: Sequence[int]) -> bool:
    """Whether a number comes twice; in shares, since a set of all takes ten times as much memory."""
    shares = 1 + len(hashes) // _HASHES_AT_ONCE
    for share in range(shares):
        of_share = [each for each in hashes if each % shares == share]
        if len(set(of_share)) < len(of_share):
            return True
    return False
