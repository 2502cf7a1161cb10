"""Adds up the uncommitted blocks of one blob, all of which come in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.uploads import MAX_NUMBER, PartTotals

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.model.uploads import Part


class BlockSum:
    """The number and the bytes of blocks, which have no time, and for a number a checksum."""

    contiguous_parts = contiguous_bytes = skipped_parts = 0
    outdated = False

    def __init__(self) -> None:
        """Make an empty sum."""
        self.restart()

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:  # noqa: ARG002
        """Forget all blocks."""
        self._blocks = 0
        self._bytes: int | None = 0
        self._mark: int | None = None
        self._expected: int | None = None
        self._has_expected = False

    def expect(self, mark: int) -> None:
        """Look for the block of this checksum, which the blob had."""
        self._expected = mark

    def add(self, parts: Collection[Part]) -> None:
        """Count the blocks of a list; one whose size cannot be read leaves the bytes unknown."""
        for block_id, size, _ in parts:
            if self._mark is None:
                self._mark = block_id
            self._has_expected = self._has_expected or block_id == self._expected
            self._bytes = None if size is None or self._bytes is None else self._bytes + size
        self._blocks += len(parts)

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far; bytes that no store can mean are not known."""
        believed = self._bytes is not None and self._bytes <= MAX_NUMBER
        size = self._bytes if believed else None
        is_other = self._expected is not None and not self._has_expected
        return PartTotals(self._blocks, size, None, storage_class, mark=self._mark, is_other=is_other)
