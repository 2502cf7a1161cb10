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
_STEP_BYTES = 64 * 2**10
"""How much memory a cache reserves at once."""
_MAX_COMBINATIONS = 1000
_TEXT_BYTES = 256
"""Bytes of memory that a text of 40 characters takes at most."""
_SUM_BITS = 2**32 - 1


class ChunkKey(NamedTuple):
    """The hash of a chunk's first upload, and that of all its uploads."""

    first: int
    whole: int


class PackedSums(NamedTuple):
    """The sums of a chunk as they are stored, and the texts that they refer to."""

    texts: tuple[str, ...]
    data: bytes


_HEAD = Struct("<qdHIH")
"""What a stored chunk begins with.

The hash of the whole, until when it holds, number and sum of its row ids, and the number of its texts. Its
sums follow, and then its row ids.
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
        self._combinations = Combinations()
        self._reserved = 0
        self._refused = False
        self.size = 0
        """About how many bytes of memory it takes."""
        self.rows = 0
        """Number of row ids of the chunks that the pass took or put."""
        self.checksum = 0
        """Sum of the lowest 32 bits of these ids."""

    def __del__(self) -> None:
        """Leave its memory to the other buckets."""
        self._memory.release(self._reserved)

    def begin(self) -> None:
        """Begin a pass; what an unfinished one took and put is known, too."""
        self._known.update(self._listed)
        self._known.update(self._marked)
        self._listed, self._marked = {}, {}
        self.rows = self.checksum = 0
        self._release()

    def use(self, meaning: Hashable, now: float) -> None:
        """Begin to use it; all is forgotten where `now` is before the last use, or `meaning` is another.

        `meaning` is whatever the sums depend on besides the uploads.
        """
        if meaning != self._meaning or now < self._used_at:
            self._known = {}
            self._combinations = Combinations()
            self._release()
        self._meaning, self._used_at = meaning, now

    def texts_of(self, data: bytes) -> tuple[str, ...]:
        """Return the texts that the sums of a chunk refer to."""
        return self._combinations[_HEAD.unpack_from(data)[-1]]

    def take(self, keys: Iterable[ChunkKey], now: float) -> list[bytes | None]:
        """Return the chunks that hold at `now`, and note that they are listed; None for each other one."""
        return [self._take(first, whole, now) for first, whole in keys]

    def _take(self, first: int, whole: int, now: float) -> bytes | None:
        data = self._known.get(first)
        if data is None:
            return None
        known, until, rows, checksum, _ = _HEAD.unpack_from(data)
        if known != whole or now >= until:
            return None
        del self._known[first]
        self._list(first, data, rows, checksum)
        return data

    def put(self, key: ChunkKey, until: float, row_ids: Sequence[int], sums: PackedSums) -> bool:
        """Note that a chunk is listed, and keep it `until` then; false, and nothing noted, without room."""
        data = self._packed(key, until, row_ids, sums)
        if data is None:
            return False
        self._list(key.first, data, len(row_ids), sum(row_ids) & _SUM_BITS)
        return True

    def put_marked(self, key: ChunkKey, until: float, row_ids: Sequence[int], sums: PackedSums) -> None:
        """Keep a chunk for the next pass, where there is room; its uploads are marked as listed elsewhere."""
        data = self._packed(key, until, row_ids, sums)
        if data is not None:
            self._marked[key.first] = data

    def _packed(self, key: ChunkKey, until: float, row_ids: Sequence[int], sums: PackedSums) -> bytes | None:
        """Return a chunk as it is stored; None without room, or where one that begins like it is listed."""
        if key.first in self._listed or key.first in self._marked:
            return None
        self._drop(key.first)
        number = self._number_of(sums.texts)
        if number is None:
            return None
        head = _HEAD.pack(key.whole, until, len(row_ids), sum(row_ids) & _SUM_BITS, number)
        data = head + sums.data + array("q", row_ids).tobytes()
        return data if self._take_room(len(data) + _OVERHEAD) else None

    def _drop(self, first: int) -> None:
        """Drop the chunk that another which begins alike takes the place of."""
        data = self._known.pop(first, None)
        if data is not None:
            self.size -= len(data) + _OVERHEAD

    def _number_of(self, texts: tuple[str, ...]) -> int | None:
        """Return the number of these texts; None without room for them, or where there are too many."""
        number = self._combinations.number_of(texts)
        if number is None and self._combinations.has_space and self._take_room(_size_of(texts)):
            number = self._combinations.add(texts)
        return number

    def _take_room(self, size: int) -> bool:
        """Take so many bytes of the shared memory; false without room, for which a pass asks only once."""
        lacking = self.size + size - self._reserved
        if lacking > 0 and not self._refused:
            granted = self._memory.reserve(lacking)
            self._reserved += granted
            self._refused = not granted
        fits = self.size + size <= self._reserved
        self.size += size if fits else 0
        return fits

    def _release(self) -> None:
        """Give back what it has reserved and does not need now."""
        chunks = sum(map(len, self._known.values())) + _OVERHEAD * len(self._known)
        self.size = chunks + self._combinations.size
        self._memory.release(self._reserved - self.size)
        self._reserved, self._refused = self.size, False

    def commit(self) -> None:
        """Drop all chunks that the pass has neither taken nor put."""
        self._known = {}
        if self._combinations.are_many:
            chunks = (*self._listed.values(), *self._marked.values())
            self._combinations.keep({_HEAD.unpack_from(data)[-1] for data in chunks})

    def row_ids(self) -> Iterator[array[int]]:
        """Yield the row ids of the chunks that the pass took or put."""
        return map(_row_ids, self._listed.values())

    def _list(self, first: int, data: bytes, rows: int, checksum: int) -> None:
        self._listed[first] = data
        self.rows += rows
        self.checksum += checksum


class Combinations:
    """Combinations of texts, such as the storage classes of a chunk, each with a number of two bytes."""

    def __init__(self) -> None:
        """Make it empty."""
        self._numbers: dict[tuple[str, ...], int] = {}
        self._texts: dict[int, tuple[str, ...]] = {}
        self.size = 0
        """About how many bytes of memory they take."""

    def __getitem__(self, number: int) -> tuple[str, ...]:
        """Return the texts that have a number."""
        return self._texts[number]

    @property
    def has_space(self) -> bool:
        """Whether one more can be added."""
        return len(self._texts) < _MAX_COMBINATIONS

    @property
    def are_many(self) -> bool:
        """Whether it is time to forget those that are no longer used."""
        return len(self._texts) > _MAX_COMBINATIONS // 2

    def number_of(self, texts: tuple[str, ...]) -> int | None:
        """Return the number of some texts; None where they were not added."""
        return self._numbers.get(texts)

    def add(self, texts: tuple[str, ...]) -> int:
        """Return a number for other texts, which is free: there has to be space."""
        number = next(each for each in range(_MAX_COMBINATIONS) if each not in self._texts)
        self._numbers[texts], self._texts[number] = number, texts
        self.size += _size_of(texts)
        return number

    def keep(self, numbers: set[int]) -> None:
        """Forget all but those with these numbers."""
        self._texts = {number: texts for number, texts in self._texts.items() if number in numbers}
        self._numbers = {texts: number for number, texts in self._texts.items()}
        self.size = sum(map(_size_of, self._numbers))


class ChunkMemory:
    """The memory that the chunks of all buckets share."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Make it for chunks of at most `max_bytes` together."""
        self._max_bytes = max_bytes
        self._reserved = 0
        self._lock = threading.RLock()  # a cache that is collected while it is held gives its memory back

    def reserve(self, size: int) -> int:
        """Reserve `size` bytes and up to a step more; returns how many, 0 without room for `size`."""
        with self._lock:
            room = self._max_bytes - self._reserved
            granted = min(size + _STEP_BYTES, room) if size <= room else 0
            self._reserved += granted
            return granted

    def release(self, size: int) -> None:
        """Give reserved bytes back."""
        with self._lock:
            self._reserved -= size


def _row_ids(data: bytes) -> array[int]:
    ids: array[int] = array("q")
    rows = _HEAD.unpack_from(data)[2]
    ids.frombytes(data[-_ID_BYTES * rows :])
    return ids


def _size_of(texts: tuple[str, ...]) -> int:
    return 2 * _OVERHEAD + _TEXT_BYTES * len(texts)
