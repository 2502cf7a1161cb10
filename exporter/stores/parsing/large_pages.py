"""Large listing pages: read piece by piece; memory holds the body and the uploads, but no tree of all.

MinIO answers with all uploads of a bucket in one page. A piece is a document of its own: what stands before
the first upload and behind the last one, and some whole uploads between.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import UPLOADS_OPERATION
from exporter.stores.transport.response import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.model.uploads import Upload
    from exporter.stores.base import Page
    from exporter.stores.transport.response import Response

UPLOAD_TAG = b"<Upload>"
"""How an upload begins in every page that is read in pieces."""
LARGE_BYTES = 8 * 1024 * 1024
"""Larger pages are read in pieces."""
MAX_WHOLE_BYTES = MAX_BODY_BYTES
"""Larger pages are read in pieces or not at all: the tree of a page takes ten times its size."""
PIECE_BYTES = 4 * 1024 * 1024
"""Size of a piece, apart from what it shares with the others."""
MAX_UPLOADS = 1_500_000
"""A larger page with more uploads is refused: each takes about 500 bytes of memory."""
_MAX_FRAME_BYTES = 1024 * 1024
_END_TAG = b"</Upload>"
_BETWEEN = re.compile(rb"</Upload>([ \t\r\n]*)<Upload>")
# of an encoding in which no other character has the bytes of a tag
_DECLARATION = re.compile(
    rb"[ \t\r\n\xef\xbb\xbf]*(?:<\?xml\s+version=[\"']1\.0[\"'](?:\s+encoding=[\"'](?i:utf-8)[\"'])?"
    rb"(?:\s+standalone=[\"'](?:yes|no)[\"'])?\s*\?>)?"
)


class _Frame(NamedTuple):
    """Where the uploads of a page begin and end, and the blanks between the first two."""

    start: int
    end: int
    blanks: bytes


def read_large_page(response: Response, read: Callable[[Response], Page[Upload]]) -> Page[Upload] | None:
    """Return the page that `read` returns for a large response, None where that has to read it whole.

    Raises StoreError where the page is too large to be read whole.
    """
    body = response.body
    if len(body) <= LARGE_BYTES:
        return None
    if len(body) > MAX_WHOLE_BYTES and body.count(UPLOAD_TAG) > MAX_UPLOADS:
        raise _unreadable(body)
    try:
        page = _read_pieces(response, read)
    except StoreError:
        if len(body) > MAX_WHOLE_BYTES:
            raise
        return None  # who reads it whole says what is wrong
    if page is None and len(body) > MAX_WHOLE_BYTES:
        raise _unreadable(body)
    return page


def _read_pieces(response: Response, read: Callable[[Response], Page[Upload]]) -> Page[Upload] | None:
    """Return the page, None unless it is certain that reading it whole comes to the same."""
    body = response.body
    frame = _find_frame(body)
    if frame is None:
        return None
    page = read(response._replace(body=body[: frame.start] + body[frame.end :]))  # nothing is left open in it
    uploads: list[Upload] = []
    for piece in _pieces(body, frame):
        if not _is_plain(piece, frame.blanks):
            return None
        page = read(response._replace(body=b"".join((body[: frame.start], piece, body[frame.end :]))))
        if len(page.items) != piece.count(UPLOAD_TAG):
            return None
        uploads += page.items
    return page._replace(items=uploads)


def _find_frame(body: bytes) -> _Frame | None:
    """Return the frame of a page without comments, CDATA and instructions, in which each `<` begins a tag."""
    start, end = body.find(UPLOAD_TAG), body.rfind(_END_TAG) + len(_END_TAG)
    if not 0 <= start < end or start > _MAX_FRAME_BYTES or len(body) - end > _MAX_FRAME_BYTES:
        return None
    declaration = _DECLARATION.match(body)
    if b"<!" in body or body.find(b"<?", declaration.end() if declaration else 0) >= 0:
        return None
    between = _BETWEEN.search(body, start, start + _MAX_FRAME_BYTES)
    return _Frame(start, end, between[1] if between else b"")


def _pieces(body: bytes, frame: _Frame) -> Iterator[bytes]:
    """Yield the uploads, some MiB of them at a time."""
    start = frame.start
    while start < frame.end:
        following = body.find(UPLOAD_TAG, start + PIECE_BYTES, frame.end)
        end = frame.end if following < 0 else following
        yield body[start:end]
        start = end


def _is_plain(piece: bytes, blanks: bytes) -> bool:
    """Whether a piece is uploads with nothing but white space between them and behind."""
    uploads = piece.count(UPLOAD_TAG)
    if uploads != piece.count(_END_TAG) or not piece.rstrip(b" \t\r\n").endswith(_END_TAG):
        return False
    if piece.count(_END_TAG + blanks + UPLOAD_TAG) == uploads - 1:
        return True
    return sum(1 for _ in _BETWEEN.finditer(piece)) == uploads - 1


def _unreadable(body: bytes) -> StoreError:
    uploads = body.count(UPLOAD_TAG)
    what = f"{UPLOADS_OPERATION}: a page of {len(body) >> 20:,} MiB with {uploads:,} uploads"
    advice = "cannot be read in pieces; watch the bucket in parts, a target for each prefix"
    return StoreError(Reason.BAD_RESPONSE, f"{what} {advice}", status=200)
