"""Undoes the Content-Encoding of bodies, piece by piece and within bounds.

None is asked for, but some proxies pack what passes. libcurl would unpack any amount at once.
"""

from __future__ import annotations

import zlib

MAX_RATIO = 100
"""What unpacks to more than that many times its size is refused: pages of alike parts come to forty times."""
_ALWAYS_BYTES = 64 * 1024
_ANY_HEADER = 32 + zlib.MAX_WBITS
_HEADER_BYTES, _HEADER_CHECK = 2, 31  # RFC 1950, section 2.2
_GZIP = {"gzip", "x-gzip"}
_SAME = {"", "identity"}


class EncodingError(Exception):
    """A body that cannot be unpacked, or not within bounds."""


class Decoder:
    """Unpacks one body of gzip or deflate."""

    def __init__(self, encoding: str) -> None:
        """Begin; raises EncodingError for an encoding that it does not know."""
        if encoding not in _GZIP and encoding != "deflate":
            raise EncodingError("its Content-Encoding is neither gzip nor deflate")
        self._unpacker = zlib.decompressobj(_ANY_HEADER)
        self._head: bytes | None = b"" if encoding == "deflate" else None
        """The first bytes of deflate, until there are enough to see whether it has its header."""

    @staticmethod
    def bound(size: int) -> int:
        """Return how much `size` bytes may unpack to."""
        return size * MAX_RATIO + _ALWAYS_BYTES

    def decode(self, data: bytes) -> bytes:
        """Unpack what comes next. Raises EncodingError."""
        bound = self.bound(len(data))
        try:
            unpacked = self._unpack(data, bound)
        except zlib.error:
            raise EncodingError("it is not packed as its Content-Encoding says") from None
        if self._unpacker.unconsumed_tail:
            raise EncodingError(f"it unpacks to more than {MAX_RATIO} times its size")
        if self._unpacker.unused_data:
            raise EncodingError("something follows the end of what is packed")
        return unpacked

    def end(self) -> None:
        """Raise EncodingError where the end is missing."""
        if not self._unpacker.eof:
            raise EncodingError("what is packed has no end")

    def _unpack(self, data: bytes, bound: int) -> bytes:
        if self._head is not None:
            data, self._head = self._head + data, None
            if len(data) < _HEADER_BYTES:
                self._head = data
                return b""
            if int.from_bytes(data[:_HEADER_BYTES]) % _HEADER_CHECK:
                self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers leave the header out
        return self._unpacker.decompress(data, bound)


def decoder_for(encoding: str) -> Decoder | None:
    """Return what unpacks a body with this Content-Encoding, None where it is as it is.

    Raises EncodingError.
    """
    encoding = encoding.strip().lower()
    return None if encoding in _SAME else Decoder(encoding)
