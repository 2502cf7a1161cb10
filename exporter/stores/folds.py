"""Adds up the parts of one upload, each counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model import Part, Parts, PartTotals

if TYPE_CHECKING:
    from collections.abc import Collection


class NumberedParts:
    """Parts known by their number (S3, OBS). A number listed again, with whatever size, counts once."""

    def __init__(self) -> None:
        """Make an empty sum."""
        self._numbers: set[int] = set()
        self._nameless = 0
        self._bytes: int | None = 0
        self._last_modified: float | None = None

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of a page; one without a readable number or size leaves the bytes unknown."""
        if not (isinstance(parts, Parts) and self._add_flawless(parts)):
            for part in parts:
                self._add_one(part)

    def _add_flawless(self, parts: Parts) -> bool:
        """Count parts all at once; false, and none is counted, where one repeats or lacks anything."""
        numbers = set(parts.starts)
        if len(numbers) < len(parts) or not self._numbers.isdisjoint(numbers) or self._bytes is None:
            return False
        try:  # to add and to compare what is not known is a TypeError
            newest = max(parts.modified, default=self._last_modified)  # type: ignore[type-var]
            total = sum(parts.sizes)  # type: ignore[arg-type]
        except TypeError:
            return False
        if None in numbers or newest is None:
            return False
        self._numbers |= numbers  # type: ignore[arg-type]
        self._bytes += total
        self._last_modified = max(newest, self._last_modified or newest)
        return True

    def _add_one(self, part: Part) -> None:
        if part.start is None:
            self._nameless += 1
        elif part.start in self._numbers:
            return
        else:
            self._numbers.add(part.start)
        known = self._bytes is not None and part.start is not None and part.size is not None
        self._bytes = (self._bytes or 0) + (part.size or 0) if known else None
        if part.modified is not None:
            self._last_modified = max(part.modified, self._last_modified or part.modified)

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far."""
        parts = len(self._numbers) + self._nameless
        return PartTotals(parts, self._bytes, self._last_modified, storage_class)


class RangedParts:
    """Parts known by the bytes they cover (Glacier). Overlaps are merged, so no byte counts twice."""

    def __init__(self) -> None:
        """Make an empty sum."""
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
