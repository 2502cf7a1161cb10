"""Adds up the parts of one upload, each counted once."""

from __future__ import annotations

from exporter.model import Part, PartTotals


class NumberedParts:
    """Parts known by their number (S3, OBS). A number listed again, with whatever size, counts once."""

    def __init__(self) -> None:
        """Make an empty sum."""
        self._numbers: set[int] = set()
        self._nameless = 0
        self._bytes: int | None = 0
        self._last_modified: float | None = None

    def add(self, part: Part) -> None:
        """Count one part; one without a readable number or size leaves the bytes unknown."""
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

    def add(self, part: Part) -> None:
        """Count one part; one whose range cannot be read leaves the bytes unknown."""
        if part.start is None or part.size is None:
            self._unreadable += 1
        else:
            self._ranges.add((part.start, part.start + part.size))

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
