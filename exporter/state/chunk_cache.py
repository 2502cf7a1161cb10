"""Chunks of a bucket's listing, what they add up to, and their row ids: kept in memory between scans.

A chunk is found by the hash of its first upload and proven by the hash of all of them. Each changed chunk is
thus compared with one other only: a false match, of 61 random bits, is far less likely than two uploads with
the same row id among those of one bucket, which is accepted, too.
"""

from __future__ import annotations

import threading
from array import array
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

MAX_BYTES = 48 * 2**20
"""Maximum size of the chunks of all buckets together; what is beyond is looked up row by row."""
_OVERHEAD = 128
"""Bytes of memory that a chunk takes besides its own, in two dicts."""
_ID_BYTES = 8
_MAX_TEXTS = 1000
_SUM_BITS = 2**32 - 1


class ChunkKey(NamedTuple):
    """The hash of a chunk's first upload, and that of all its uploads."""

    first: int
    whole: int


_HEAD = Struct("<qdHI")
"""What a stored chunk begins with: the hash of the whole, until when it holds, number and sum of its row ids.

Its sums follow, and then its row ids.
"""


SUMS_AT = _HEAD.size
"""Where the sums of a stored chunk begin."""


class ChunkCache:
    """The chunks of one bucket. Used by one scan at a time; times are Unix seconds.

    A pass takes the chunks that it finds unchanged, and puts new ones; the others are dropped once a pass
    has reached the end of the listing.
    """

    def __init__(self, memory: ChunkMemory) -> None:
        """Make it empty; `memory` is shared with other buckets' chunks."""
        self._memory = memory
        self._known: dict[int, bytes] = {}
        self._listed: dict[int, bytes] = {}
        self._marked: dict[int, bytes] = {}
        self._meaning: Hashable = None
        self._used_at = 0.0
        self._room = 0
        self._numbers: dict[tuple[str, ...], int] = {}
        self.texts: list[tuple[str, ...]] = []
        """Texts that sums refer to by their number here."""
        self.size = 0
        """About how many bytes of memory it takes."""
        self.rows = 0
        """Number of row ids of the chunks that the pass took or put."""
        self.checksum = 0
        """Sum of the lowest 32 bits of these ids."""

    def __del__(self) -> None:
        """Leave its memory to the other buckets."""
        self._memory.add(-self.size)

    def begin(self) -> None:
        """Begin a pass; what an unfinished one took and put is known, too."""
        self._known.update(self._listed)
        self._known.update(self._marked)
        self._listed, self._marked = {}, {}
        self.rows = self.checksum = 0
        self._resize(sum(map(len, self._known.values())) + _OVERHEAD * len(self._known))

    def use(self, meaning: Hashable, now: float) -> None:
        """Begin to use it; all is forgotten where `now` is before the last use, or `meaning` is another.

        `meaning` is whatever the sums depend on besides the uploads.
        """
        if meaning != self._meaning or now < self._used_at:
            self._known = {}
            self._numbers = {}
            self.texts = []
        self._meaning, self._used_at = meaning, now
        self._room = self._memory.room_for(self)

    def number_of(self, texts: tuple[str, ...]) -> int | None:
        """Return the number of these texts in `texts`; None where there are too many."""
        number = self._numbers.setdefault(texts, len(self.texts))
        if number == len(self.texts):
            self.texts.append(texts)
        return number if number < _MAX_TEXTS else None

    def take(self, keys: Iterable[ChunkKey], now: float) -> list[bytes | None]:
        """Return the chunks that hold at `now`, and note that they are listed; None for each other one."""
        return [self._take(first, whole, now) for first, whole in keys]

    def _take(self, first: int, whole: int, now: float) -> bytes | None:
        data = self._known.get(first)
        if data is None:
            return None
        known, until, rows, checksum = _HEAD.unpack_from(data)
        if known != whole or now >= until:
            return None
        del self._known[first]
        self._list(first, data, rows, checksum)
        return data

    def put(self, key: ChunkKey, until: float, row_ids: Sequence[int], sums: bytes) -> bool:
        """Note that a chunk is listed, and keep it `until` then; false, and nothing noted, without room."""
        data = self._packed(key, until, row_ids, sums)
        if data is None:
            return False
        self._list(key.first, data, len(row_ids), sum(row_ids) & _SUM_BITS)
        return True

    def put_marked(self, key: ChunkKey, until: float, row_ids: Sequence[int], sums: bytes) -> None:
        """Keep a chunk for the next pass, where there is room; its uploads are marked as listed elsewhere."""
        data = self._packed(key, until, row_ids, sums)
        if data is not None:
            self._marked[key.first] = data

    def _packed(self, key: ChunkKey, until: float, row_ids: Sequence[int], sums: bytes) -> bytes | None:
        """Return a chunk as it is stored; None without room, or where one that begins like it is listed."""
        head = _HEAD.pack(key.whole, until, len(row_ids), sum(row_ids) & _SUM_BITS)
        data = head + sums + array("q", row_ids).tobytes()
        size = len(data) + _OVERHEAD
        if self.size + size > self._room or key.first in self._listed or key.first in self._marked:
            return None
        self._resize(self.size + size)
        return data

    def commit(self) -> None:
        """Drop all chunks that the pass has neither taken nor put."""
        self._known = {}

    def row_ids(self) -> Iterator[array[int]]:
        """Yield the row ids of the chunks that the pass took or put."""
        return map(_row_ids, self._listed.values())

    def _resize(self, size: int) -> None:
        self._memory.add(size - self.size)
        self.size = size

    def _list(self, first: int, data: bytes, rows: int, checksum: int) -> None:
        self._listed[first] = data
        self.rows += rows
        self.checksum += checksum


class ChunkMemory:
    """The memory that the chunks of all buckets share."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Make it for chunks of at most `max_bytes` together."""
        self._max_bytes = max_bytes
        self._taken = 0
        self._lock = threading.RLock()  # a cache that is collected while it is held gives its memory back

    def new_cache(self) -> ChunkCache:
        """Return the cache of a bucket; it counts as long as it is in use."""
        return ChunkCache(self)

    def add(self, size: int) -> None:
        """Count so many bytes more, or fewer."""
        with self._lock:
            self._taken += size

    def room_for(self, cache: ChunkCache) -> int:
        """Return the bytes that one cache may take."""
        with self._lock:
            return self._max_bytes - (self._taken - cache.size)


def _row_ids(data: bytes) -> array[int]:
    ids: array[int] = array("q")
    rows = _HEAD.unpack_from(data)[2]
    ids.frombytes(data[-_ID_BYTES * rows :])
    return ids
