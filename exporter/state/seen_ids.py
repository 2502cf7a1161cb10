"""The row ids of the uploads that a scan has seen, in a few bytes each."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exporter.state.chunk_cache import ChunkCache

SUM_BITS = 2**32 - 1
"""The lowest bits of each id, which are added up as a checksum."""
_PARTITIONS = 256
_SHIFT = 56


class SeenIds:
    """The row ids that a scan has seen, at eight bytes each, grouped by their highest byte."""

    def __init__(self, chunks: ChunkCache | None = None) -> None:
        """Make a set of all ids of the chunks that the scan lists, and no others so far."""
        self._chunks = chunks
        self._ids: dict[int, array[int]] = {}
        self.rows = 0
        """How many of them have a row, were none seen twice."""
        self._sum = 0

    def add(self, row_id: int) -> None:
        """Add an id, a signed 64-bit number."""
        partition = row_id >> _SHIFT
        if partition not in self._ids:
            self._ids[partition] = array("q")
        self._ids[partition].append(row_id)

    def count_rows(self, ids: Collection[int]) -> None:
        """Note that these ids, which were added, have rows."""
        self.rows += len(ids)
        self._sum += sum(ids)

    def sums(self) -> tuple[int, int]:
        """Return number and checksum of the ids with rows: those of LedgerRows.sums where all rows were seen.

        The number alone proves nothing: a store may list one upload twice and hide another.
        """
        chunks = self._chunks
        of_chunks = (chunks.rows, chunks.checksum) if chunks else (0, 0)
        return self.rows + of_chunks[0], (self._sum + of_chunks[1]) & SUM_BITS

    def partitions(self) -> Iterable[tuple[int, int, set[int]]]:
        """Yield the lowest and the highest possible id of each partition, and the ids in it."""
        of_chunks = SeenIds()
        for row_ids in self._chunks.row_ids() if self._chunks else ():
            for row_id in row_ids:
                of_chunks.add(row_id)
        for partition in range(-_PARTITIONS // 2, _PARTITIONS // 2):
            first = partition << _SHIFT
            ids = set(self._ids.get(partition, ())).union(of_chunks._ids.get(partition, ()))
            yield first, first + (1 << _SHIFT) - 1, ids
