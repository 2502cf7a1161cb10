"""Sums of chunks as compact bytes, and many of them added up at once."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import TYPE_CHECKING

from exporter.scan.sums import Sums
from exporter.state.chunk_cache import SUMS_AT, PackedSums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.state.chunk_cache import ChunkCache

_COUNTS = Sums._fields.index("ages")


class ChunkSums:
    """Packs the sums of chunks, and the calls that their records save: numbers in columns of a fixed width.

    The bytes of their storage classes follow, in the alphabetical order of these.
    """

    def __init__(self, cache: ChunkCache, age_groups: int) -> None:
        """Make it for the chunks of a cache, whose sums have so many age groups."""
        self._cache = cache
        self._columns = struct.Struct(f"<{_COUNTS + age_groups}BH{age_groups + 4}qI2d")
        self._ages_end = _COUNTS + age_groups

    def pack(self, sums: Sums, calls: int) -> PackedSums | None:
        """Return the sums of a chunk and its `calls`; None where a number is too large."""
        classes = tuple(sorted(sums.classes))
        counts, sizes = sums[:_COUNTS], sums[_COUNTS + 2 : -1]
        try:
            columns = self._columns.pack(*counts, *sums.ages, calls, *sums.age_bytes, *sizes)
            class_bytes = struct.pack(f"<{len(classes)}q", *(sums.classes[each] for each in classes))
        except struct.error:
            return None
        return PackedSums(classes, columns + class_bytes)

    def add_up(self, chunks: Sequence[bytes]) -> tuple[Sums, int]:
        """Return the sums of chunks that the cache returned, at least one, and all calls."""
        rows = [self._columns.unpack_from(chunk, SUMS_AT) for chunk in chunks]
        *columns, most_parts, oldest_initiated, oldest_activity = zip(*rows, strict=True)
        numbers, end = list(map(sum, columns)), self._ages_end
        counts, ages, calls = numbers[:_COUNTS], tuple(numbers[_COUNTS:end]), numbers[end]
        age_bytes, sizes = tuple(numbers[end + 1 : -4]), numbers[-4:]
        extremes = (max(most_parts), min(oldest_initiated), min(oldest_activity))
        return Sums._make((*counts, ages, age_bytes, *sizes, *extremes, self._class_bytes(chunks))), calls

    def _class_bytes(self, chunks: Iterable[bytes]) -> dict[str, int]:
        classes: dict[str, int] = defaultdict(int)
        for data in chunks:
            labels = self._cache.texts_of(data)
            sizes = struct.unpack_from(f"<{len(labels)}q", data, SUMS_AT + self._columns.size)
            for label, size in zip(labels, sizes, strict=True):
                classes[label] += size
        return classes
