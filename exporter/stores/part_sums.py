"""Adds up the parts of one upload, each counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.uploads import Part, Parts, PartTotals

if TYPE_CHECKING:
    from collections.abc import Collection


class NumberedPartSum:
    """Parts known by their number (S3, OBS). A number listed again, with whatever size, counts once.

    Parts 1 to `contiguous_parts` are all there, and hold `contiguous_bytes`: the next scan can skip them.
    """

    def __init__(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:
        """Make a sum, as `restart` does."""
        self.restart(skipped_parts, size, last_modified)

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:
        """Forget all parts, and count parts 1 to `skipped_parts` of together `size` bytes.

        `last_modified` is when the newest of these was uploaded (Unix seconds).
        """
        self.contiguous_parts = self.skipped_parts = skipped_parts
        self.contiguous_bytes = size
        self._numbers: set[int] = set()
        self._unnumbered = 0
        self._bytes: int | None = size
        self._last_modified = last_modified

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of a page; one without a readable number or size leaves the bytes unknown."""
        if not (isinstance(parts, Parts) and self._add_all(parts)):
            for part in parts:
                self._add_one(part)

    def _add_all(self, parts: Parts) -> bool:
        """Count a page of parts at once; false, and none is counted, where one repeats or lacks a field."""
        numbers = set(parts.starts)
        if len(numbers) < len(parts) or not self._numbers.isdisjoint(numbers) or self._bytes is None:
            return False
        try:  # adding or comparing None is a TypeError
            newest = max(parts.modified, default=self._last_modified)  # type: ignore[type-var]
            total = sum(parts.sizes)  # type: ignore[arg-type]
        except TypeError:
            return False
        if None in numbers or newest is None:
            return False
        if min(numbers, default=self.skipped_parts + 1) <= self.skipped_parts:  # type: ignore[type-var, operator]
            return False
        self._numbers |= numbers  # type: ignore[arg-type]
        self._bytes += total
        self._last_modified = max(newest, self._last_modified or newest)
        if parts.starts == list(range(self.contiguous_parts + 1, self.contiguous_parts + 1 + len(parts))):
            self._extend_contiguous(len(parts), total)
        else:
            for start, size in zip(parts.starts, parts.sizes, strict=True):
                if start == self.contiguous_parts + 1:
                    self._extend_contiguous(1, size)  # type: ignore[arg-type]  # all are known
        return True

    def _extend_contiguous(self, parts: int, size_bytes: int) -> None:
        self.contiguous_parts += parts
        self.contiguous_bytes += size_bytes

    def _add_one(self, part: Part) -> None:
        if part.start is None:
            self._unnumbered += 1
        elif part.start in self._numbers or part.start <= self.skipped_parts:
            return
        else:
            self._numbers.add(part.start)
            if part.start == self.contiguous_parts + 1 and part.size is not None:
                self._extend_contiguous(1, part.size)
        known = self._bytes is not None and part.start is not None and part.size is not None
        self._bytes = (self._bytes or 0) + (part.size or 0) if known else None
        if part.modified is not None:
            self._last_modified = max(part.modified, self._last_modified or part.modified)

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far."""
        parts = self.skipped_parts + len(self._numbers) + self._unnumbered
        return PartTotals(parts, self._bytes, self._last_modified, storage_class)


class RangedPartSum:
    """Parts known by the bytes they cover (Glacier). Overlaps are merged, so no byte counts twice.

    They have no numbers, so none can be skipped.
    """

    contiguous_parts = contiguous_bytes = skipped_parts = 0

    def __init__(self) -> None:
        """Make an empty sum."""
        self.restart()

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:  # noqa: ARG002
        """Forget all parts."""
        self._ranges: set[tuple[int, int]] = set()
        self._unreadable = 0

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of a page; one whose range cannot be read leaves the bytes unknown."""
        for start, size, _ in parts:
            if start is None or size is None:
                self._unreadable += 1
            else:
                self._ranges.add((start, start + size))

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far."""
        parts = len(self._ranges) + self._unreadable
        return PartTotals(parts, None if self._unreadable else self._covered(), None, storage_class)

    def _covered(self) -> int:
        covered = end_so_far = 0
        for start, end in sorted(self._ranges):
            covered += max(0, end - max(start, end_so_far))
            end_so_far = max(end, end_so_far)
        return covered
