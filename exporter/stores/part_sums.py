"""Adds up the parts of one upload, each counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.uploads import Part, Parts, PartTotals

if TYPE_CHECKING:
    from collections.abc import Collection


class NumberedPartSum:
    """Parts known by their number (S3, OBS). A number listed again, with whatever size, counts once.

    Parts 1 to `run` are all there, and hold `run_bytes`: so many can be left out next time.
    """

    def __init__(self, run: int = 0, run_bytes: int = 0, last_modified: float | None = None) -> None:
        """Make a sum of parts 1 to `run`, which hold `run_bytes`; the newest is of `last_modified`."""
        self.begin_with(run, run_bytes, last_modified)

    def begin_with(self, run: int = 0, run_bytes: int = 0, last_modified: float | None = None) -> None:
        """Begin again; see `__init__`."""
        self.run = self.left_out = run
        self.run_bytes = run_bytes
        self._numbers: set[int] = set()
        self._nameless = 0
        self._bytes: int | None = run_bytes
        self._last_modified = last_modified

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
        if None in numbers or newest is None or min(numbers, default=self.left_out + 1) <= self.left_out:  # type: ignore[type-var, operator]
            return False
        self._numbers |= numbers  # type: ignore[arg-type]
        self._bytes += total
        self._last_modified = max(newest, self._last_modified or newest)
        if parts.starts == list(range(self.run + 1, self.run + 1 + len(parts))):
            self._lengthen_run(len(parts), total)
        else:
            for start, size in zip(parts.starts, parts.sizes, strict=True):
                if start == self.run + 1:
                    self._lengthen_run(1, size)  # type: ignore[arg-type]  # all are known
        return True

    def _lengthen_run(self, parts: int, size_bytes: int) -> None:
        self.run += parts
        self.run_bytes += size_bytes

    def _add_one(self, part: Part) -> None:
        if part.start is None:
            self._nameless += 1
        elif part.start in self._numbers or part.start <= self.left_out:
            return
        else:
            self._numbers.add(part.start)
            if part.start == self.run + 1 and part.size is not None:
                self._lengthen_run(1, part.size)
        known = self._bytes is not None and part.start is not None and part.size is not None
        self._bytes = (self._bytes or 0) + (part.size or 0) if known else None
        if part.modified is not None:
            self._last_modified = max(part.modified, self._last_modified or part.modified)

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far."""
        parts = self.left_out + len(self._numbers) + self._nameless
        return PartTotals(parts, self._bytes, self._last_modified, storage_class)


class RangedPartSum:
    """Parts known by the bytes they cover (Glacier). Overlaps are merged, so no byte counts twice.

    They have no numbers to be left out by.
    """

    run = run_bytes = left_out = 0

    def __init__(self) -> None:
        """Make an empty sum."""
        self.begin_with()

    def begin_with(self, run: int = 0, run_bytes: int = 0, last_modified: float | None = None) -> None:  # noqa: ARG002
        """Begin again with nothing."""
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
