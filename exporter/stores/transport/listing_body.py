"""Large listings, kept packed: what is held is a fraction of what was received."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from exporter.stores.transport.memory import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.stores.transport.memory import Lease

PIECE_BYTES = 1024 * 1024
"""Size of a piece; with an item that begins in it, it ends where that begins."""
MAX_PACKED_BYTES = 72 * 1024 * 1024
"""A listing that takes more is refused: some 1,200,000 uploads, as MinIO lists them in one page."""
_STEP = 64 * 1024
_LEVEL = 1  # uploads' ids are random: a higher one takes longer for a twentieth less


class ListingBody:
    """The body of a listing in pieces, each of which but the first begins with an item.

    `lease` is the memory that it holds.
    """

    __slots__ = ("_enough", "_item", "_rest", "items", "lease", "packed", "packed_bytes", "size")

    def __init__(self, item: bytes, lease: Lease) -> None:
        """Begin empty; `item` is what each item begins with."""
        self._item = item
        self._rest = bytearray()
        self._enough = PIECE_BYTES
        self.lease = lease
        self.packed: list[bytes] = []
        self.packed_bytes = 0
        self.size = 0
        """Bytes of the body."""
        self.items = 0
        """Number of items in the pieces."""

    def add(self, data: bytes) -> bool:
        """Take what comes next; false where it is no listing or too large."""
        self.size += len(data)
        self._rest += data
        while len(self._rest) > (self._enough if self.size <= MAX_BODY_BYTES else PIECE_BYTES):
            end = self._end_of_piece()
            if end < 0:
                self._enough = len(self._rest) + _STEP  # what is searched each time may have come bit by bit
                return self.size <= MAX_BODY_BYTES  # then it may be read whole
            self._pack(end)
            self._enough = PIECE_BYTES
        return self.packed_bytes <= MAX_PACKED_BYTES

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        return self.packed_bytes + len(self._rest)

    def end(self) -> None:
        """Take what is left as the last piece."""
        self._pack(len(self._rest))

    def pieces(self) -> Iterator[bytes]:
        """Yield the pieces."""
        return map(zlib.decompress, self.packed)

    def piece(self, number: int) -> bytes:
        """Return one piece."""
        return zlib.decompress(self.packed[number])

    def _end_of_piece(self) -> int:
        """Return where the last item of a piece ends, -1 where nothing shows that."""
        first = 0 if self.packed else self._rest.find(self._item)  # the head is no piece of its own
        end = self._rest.rfind(self._item, first + 1, PIECE_BYTES)
        return end if end > 0 else self._rest.find(self._item, max(first + 1, PIECE_BYTES - len(self._item)))

    def _pack(self, end: int) -> None:
        piece = self._rest[:end]
        self.items += piece.count(self._item)
        self.packed.append(zlib.compress(piece, _LEVEL))
        self.packed_bytes += len(self.packed[-1])
        del self._rest[:end]
