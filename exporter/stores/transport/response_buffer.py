"""Responses as libcurl receives them, piece by piece: collected, unpacked, and held within bounds."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pycurl

from exporter.stores.transport.content_encoding import EncodingError, decoder_for
from exporter.stores.transport.errors import too_large
from exporter.stores.transport.listing_body import ListingBody
from exporter.stores.transport.memory import FREE_BYTES, MAX_BODY_BYTES, MIB
from exporter.stores.transport.response import Headers, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.transport.content_encoding import Decoder
    from exporter.stores.transport.memory import Lease, Share, TargetMemory

LARGE_BYTES = 4 * MIB
"""Larger listings are packed as they come."""
MAX_LISTING_BYTES = 2048 * MIB
"""A larger listing is refused; MinIO's page of five million uploads has 1,900 MiB."""
_TINY_BYTES = 1024
"""Smaller pieces are joined as they come: a server may send two bytes at a time, which alone take fifty."""
_STEP = 256 * 1024
_LISTING_STEP = 2 * MIB
_PAUSE = int(pycurl.WRITEFUNC_PAUSE)
_FAIL = 0


class ResponseBuffer:
    """Collects a response from libcurl's callbacks; libcurl itself limits the head to 300 KiB."""

    __slots__ = (
        *("_body", "_decoder", "_granted", "_head", "_lease", "_lines", "_listing", "_look_at", "_memory"),
        *("_share", "_wanted", "error", "header", "item", "on_wait", "received_bytes", "waits"),
    )

    def __init__(self, memory: TargetMemory, share: Share) -> None:
        """Begin empty; bodies take memory of their `share`, large listings of those in `memory`."""
        self._memory = memory
        self._share = share
        self._lines = bytearray()
        self._body: list[bytes | bytearray] = []
        self.item = b""
        """What begins each item of a listing, which may be large; empty: the answer is none."""
        self.header: Callable[[bytes], None] = self._lines.extend
        """HEADERFUNCTION: takes a line of the head."""
        self.on_wait: Callable[[], object] = lambda: None
        """Is called when the body begins to wait for memory."""
        self._begin()

    def _begin(self) -> None:
        self._head: Headers | None = None
        self._decoder: Decoder | None = None
        self._listing: ListingBody | None = None
        self._lease: Lease | None = None
        self._granted = FREE_BYTES
        self._wanted = self._look_at = 0
        self.received_bytes = 0
        """Bytes of the body received so far, unpacked."""
        self.error: pycurl.error | None = None
        """Why the body was refused, if it was."""
        self.waits = False
        """Whether nothing more can be taken before there is memory for it."""

    @property
    def received_head_bytes(self) -> int:
        """Bytes of the head received so far."""
        return len(self._lines)

    @property
    def items(self) -> int:
        """Number of items received so far."""
        if self._listing is not None:
            return self._listing.items
        return b"".join(self._body).count(self.item) if self.item else 0

    def write(self, data: bytes) -> int | None:
        """WRITEFUNCTION: takes a piece of the body; libcurl fails or pauses with what else is returned."""
        if self._head is None:
            self._head = Headers((bytes(self._lines),))
            if b"\ncontent-encoding:" in self._head.lowered and not self._sets_decoder():
                return _FAIL
        decoder = self._decoder
        size = len(data) if decoder is None else decoder.bound(len(data))
        if self.received_bytes + size > self._granted and not self._has_memory(size):
            self.on_wait()
            return _PAUSE
        if decoder is not None:
            try:
                data = decoder.decode(data)
            except EncodingError as error:
                return self._refuse(_not_decoded(error))
        self.received_bytes += len(data)
        if self.received_bytes > LARGE_BYTES:
            return self._add_large(data)
        self._keep(data)
        return None

    def has_memory(self) -> bool:
        """Whether there is memory now for what waits."""
        return self._has_memory(self._wanted)

    def finish(self, status: int) -> Response:
        """Return the response and begin again empty."""
        head = self._head
        if head is None or head.size != len(self._lines):
            head = Headers((bytes(self._lines),))
        listing, body = self._listing, b"" if self._listing else self._joined()
        if listing is not None:
            listing.end()
            if status != HTTPStatus.OK:  # its beginning says what it is
                body, listing = listing.piece(0), None
        response = Response(status, head, body, listing, self._lease)
        self._lines.clear()
        self._body.clear()
        self._begin()
        return response

    def decoding_error(self) -> pycurl.error | None:
        """Return why a body that has ended is not complete, None where it is."""
        try:
            if self._decoder is not None:
                self._decoder.end()
        except EncodingError as error:
            return _not_decoded(error)
        return None

    def _keep(self, data: bytes) -> None:
        """Add a piece to the body."""
        body = self._body
        if len(data) >= _TINY_BYTES or not body:
            body.append(data)
        elif isinstance(body[-1], bytearray) and len(body[-1]) < _STEP:
            body[-1] += data
        elif data:
            body.append(bytearray(data))

    def _joined(self) -> bytes:
        return bytes(self._body[0]) if len(self._body) == 1 else b"".join(self._body)

    def _sets_decoder(self) -> bool:
        assert self._head is not None  # noqa: S101
        try:
            self._decoder = decoder_for(self._head.get("content-encoding", ""))
        except EncodingError as error:
            self._refuse(_not_decoded(error))
            return False
        return True

    def _has_memory(self, size: int) -> bool:
        """Take memory for `size` bytes more; else note that they are waited for."""
        if self._listing is not None:
            lease, step = self._listing.lease, max(_LISTING_STEP, size)
            granted = self.received_bytes + step
            is_held = self._listing.held + step <= lease.size
        else:
            if self._lease is None:
                self._lease = self._share.lease()
            lease, step = self._lease, max(_STEP, self.received_bytes + size - self._granted)
            granted, is_held = self._granted + step, False
        if not (is_held or lease.grow(step)):
            self.waits, self._wanted = True, size
            return False
        self._granted, self.waits = granted, False
        return True

    def _add_large(self, data: bytes) -> int | None:
        """Add to a large body: a listing, or one that may not be larger than others."""
        if self._listing is None and self._has_item():
            self._listing = ListingBody(self.item, self._memory.listings.lease())
            body, self._body = self._body, []
            self._lease, self._granted = None, 0
            data = b"".join((*body, data))
        if self._listing is None:
            self._keep(data)
            fits = self.received_bytes <= MAX_BODY_BYTES
        else:
            fits = self._listing.add(data) and self.received_bytes <= MAX_LISTING_BYTES
        return None if fits else self._refuse(too_large(MAX_BODY_BYTES, self.items))

    def _has_item(self) -> bool:
        """Whether there is an item in what has come; looked for now and then, as all of it is searched."""
        if not self.item or self.received_bytes < self._look_at:
            return False
        self._look_at = self.received_bytes + _STEP
        return self.item in self._joined()

    def _refuse(self, error: pycurl.error) -> int:
        self.error = error
        return _FAIL


def _not_decoded(error: EncodingError) -> pycurl.error:
    """Return the error of a body; not under libcurl's own code for it, whose text would replace this one."""
    what = f"the body cannot be decoded: {error}; check endpoint_url and any proxy"
    return pycurl.error(pycurl.E_FILESIZE_EXCEEDED, what)
