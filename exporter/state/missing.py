"""Uploads that are remembered and that a scan's listing did not show."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

from exporter.state.rows import RememberedUpload

if TYPE_CHECKING:
    from array import array
    from collections.abc import Container, Iterator, Sequence

    from exporter.state.rows import LedgerRows

T = TypeVar("T", "array[int]", list[int])

_CHUNK = 50_000
"""Number of ids that are ordered by where their names are stored."""
_MAX_DRAWN = 10_000
"""Maximum number of missing uploads among which witnesses are searched."""


class MissingUploads:
    """The missing uploads of a pass, by their row ids; 8 bytes each, and read as they are needed."""

    def __init__(self, rows: LedgerRows, ids: array[int]) -> None:
        """Make it of the ids of all rows that the pass has not looked up."""
        self._rows = rows
        self.ids = ids

    def count(self) -> int:
        """Return how many there are."""
        return len(self.ids)

    def witnesses(self, limit: int, denied: Container[int]) -> list[RememberedUpload]:
        """Return some by chance that have names and are not `denied`."""
        found: list[RememberedUpload] = []
        drawn = random.sample(range(len(self.ids)), min(len(self.ids), _MAX_DRAWN))
        for indexes in _chunks(drawn, max(2 * limit, 1)):
            remembered = self._remembered([self.ids[index] for index in indexes])
            found += (each for each in remembered if each.upload and each.row_id not in denied)
            if len(found) >= limit:
                break
        return found[:limit]

    def batches(self, size: int) -> Iterator[list[RememberedUpload]]:
        """Yield all of them in lists of at most `size`."""
        for ids in _chunks(self.ids, _CHUNK):
            for batch in _chunks(self._rows.in_order_of_names(ids), size):
                if remembered := self._remembered(batch):
                    yield remembered

    def _remembered(self, ids: Sequence[int]) -> list[RememberedUpload]:
        records, names = self._rows.fetch(ids), self._rows.fetch_names(ids)
        return [RememberedUpload(each, records[each], names.get(each)) for each in ids if each in records]


def _chunks(ids: T, size: int) -> Iterator[T]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
