"""Adds up the uncommitted blocks of one blob, all of which come in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.uploads import MAX_NUMBER, PartTotals

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.model.uploads import Part


class BlockSum:
    """The number and the bytes of blocks, which have neither a number nor a time: none can be skipped."""

    contiguous_parts = contiguous_bytes = skipped_parts = 0
    outdated = False

    def __init__(self) -> None:
        """Make an empty sum."""
        self.restart()

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:  # noqa: ARG002
        """Forget all blocks."""
        self._blocks = 0
        self._bytes: int | None = 0

    def add(self, parts: Collection[Part]) -> None:
        """Count the blocks of a list; one whose size cannot be read leaves the bytes unknown."""
        sizes = [size for _, size, _ in parts if size is not None]
        self._blocks += len(parts)
        known = self._bytes is not None and len(sizes) == len(parts)
        self._bytes = (self._bytes or 0) + sum(sizes) if known else None

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far; bytes that no store can mean are not known."""
        believed = self._bytes is not None and self._bytes <= MAX_NUMBER
        return PartTotals(self._blocks, self._bytes if believed else None, None, storage_class)
