"""Adds up the parts of one upload, each counted once."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import MAX_NUMBER, Part, Parts, PartTotals
from exporter.stores.base import PARTS_OPERATION
from exporter.stores.pagination.hash_set import HashSet

if TYPE_CHECKING:
    from collections.abc import Collection


MAX_PARTS_PER_UPLOAD = 100_000
"""Maximum number of parts of an upload: SeaweedFS takes as many, other stores 10,000. Each takes 40 bytes."""
MAX_SINGLE_PARTS = 10_000
"""The same where parts are listed twice, or lack a field, or have ranges: each takes some 250 bytes then."""


class NumberedPartSum:
    """Parts known by their number (S3, OBS). Of a number listed again, the part that was sent last counts.

    That is the one with the later LastModified; where these are equal or one is missing, the later in order.
    Parts 1 to `contiguous_parts` are all there, and hold `contiguous_bytes`: the next scan can skip them.
    """

    def __init__(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:
        """Make a sum, as `restart` does."""
        self.restart(skipped_parts, size, last_modified)

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:
        """Forget all parts, and count parts 1 to `skipped_parts` of together `size` bytes.

        `last_modified` is when the newest of these was uploaded (Unix seconds).
        """
        self.outdated = False
        self.contiguous_parts = self.skipped_parts = skipped_parts
        self.contiguous_bytes = size
        self._skipped = Part(skipped_parts, size, last_modified)
        self._in_run = 0
        self._numbers = HashSet(max_plain=MAX_SINGLE_PARTS)
        self._unnumbered: list[Part] = []
        self._bytes: int | None = size
        self._last_modified = last_modified
        self._pages: list[Parts] = []
        self._by_number: dict[int, Part] | None = None

    def expect(self, mark: int) -> None:
        """Do nothing: parts have no marks."""

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of a page; one without a number from 1 on or a size leaves the bytes unknown.

        Raises StoreError (bad_response) where parts that are known one by one are too many.
        """
        if self._by_number is None and isinstance(parts, Parts) and self._add_all(parts):
            self._pages.append(_packed(parts) if self._pages else parts)  # nearly always there is one
        else:
            self._add_each(parts)

    def _add_all(self, parts: Parts) -> bool:
        """Count a page of parts at once; false, and none is counted, where one repeats or lacks a field."""
        try:  # adding or comparing None is a TypeError
            newest = max(parts.modified, default=self._last_modified)  # type: ignore[type-var]
            total = sum(parts.sizes)  # type: ignore[arg-type]
        except TypeError:
            return False
        is_run = not self._numbers and parts.starts == _run(self.contiguous_parts + 1, len(parts.starts))
        if newest is None or not (is_run or self._add_numbers(parts)):
            return False
        if is_run:  # nearly always: no number can repeat, so none has to be kept
            self._in_run += len(parts.starts)
            self._extend_contiguous(len(parts.starts), total)
        self._bytes += total  # type: ignore[operator]  # known until parts are added one by one
        self._last_modified = max(newest, self._last_modified or newest)
        return True

    def _add_numbers(self, parts: Parts) -> bool:
        """Keep the numbers of a page; false, and none is kept, where one is missing or was counted before."""
        numbers = set(parts.starts)
        if len(numbers) < len(parts) or None in numbers or any(map(self._numbers.__contains__, numbers)):
            return False
        if min(numbers, default=self.contiguous_parts + 1) <= self.contiguous_parts:  # type: ignore[type-var, operator]
            return False
        self._numbers.add_new(numbers)  # type: ignore[arg-type]
        for start, size in zip(parts.starts, parts.sizes, strict=True):
            if start == self.contiguous_parts + 1:
                self._extend_contiguous(1, size)  # type: ignore[arg-type]  # all are known
        return True

    def _extend_contiguous(self, parts: int, size_bytes: int) -> None:
        self.contiguous_parts += parts
        self.contiguous_bytes += size_bytes

    def _add_each(self, parts: Collection[Part]) -> None:
        """Count the parts of a page one by one, and from now on those of every page."""
        if self._by_number is None:
            _check_single(sum(map(len, self._pages)))
            self._by_number = {part.start: part for page in self._pages for part in page}  # type: ignore[misc]
            self._pages = []
        _check_single(len(self._by_number) + len(self._unnumbered))
        for part in parts:
            if not part.start:  # no store means a part 0; and where the first parts are skipped, it is unseen
                self._unnumbered.append(part)
            elif part.start <= self.skipped_parts:
                self.outdated = self.outdated or _is_later(part, self._skipped)
            elif not _is_later(self._by_number.get(part.start, part), part):
                self._by_number[part.start] = part
        self._add_up(self._by_number)

    def _add_up(self, by_number: dict[int, Part]) -> None:
        counted = [self._skipped, *by_number.values(), *self._unnumbered]
        sizes = [part.size for part in counted if part.size is not None]
        self._bytes = sum(sizes) if len(sizes) == len(counted) and not self._unnumbered else None
        moments = [part.modified for part in counted if part.modified is not None]
        self._last_modified = max(moments, default=None)
        self.contiguous_parts, self.contiguous_bytes = self.skipped_parts, self._skipped.size or 0
        while (following := by_number.get(self.contiguous_parts + 1)) and following.size is not None:
            self._extend_contiguous(1, following.size)

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far."""
        numbered = self._in_run + len(self._numbers) if self._by_number is None else len(self._by_number)
        parts = self.skipped_parts + numbered + len(self._unnumbered)
        return PartTotals(parts, _believed(self._bytes), self._last_modified, storage_class)


def _packed(parts: Parts) -> Parts:
    """Return the parts of a page, of which all is known, in 24 bytes each."""
    columns = array("q", parts.starts), array("q", parts.sizes), array("d", parts.modified)  # type: ignore[type-var]
    return Parts(*columns)


def too_many_parts(limit: int) -> StoreError:
    """Return the error of an upload with more parts than any store allows."""
    text = f"{PARTS_OPERATION}: the upload has more than {limit:,} parts, or their list does not end"
    return StoreError(Reason.BAD_RESPONSE, f"{text}; look at the store", status=200)


def _check_single(parts: int) -> None:
    """Raise StoreError where parts that have to be known one by one are too many."""
    if parts > MAX_SINGLE_PARTS:
        raise too_many_parts(MAX_SINGLE_PARTS)


@lru_cache(maxsize=16)
def _run(first: int, length: int) -> list[int]:
    """Return the numbers of `length` parts from `first` on; cached, as pages are alike."""
    return list(range(first, first + length))


def _believed(size: int | None) -> int | None:
    """Return a sum of bytes, None where it is above what any store can mean."""
    return size if size is None or size <= MAX_NUMBER else None


def _is_later(part: Part, other: Part) -> bool:
    """Whether a part was certainly sent after another."""
    return part.modified is not None and other.modified is not None and part.modified > other.modified


class RangedPartSum:
    """Parts known by the bytes they cover (Glacier). Overlaps are merged, so no byte counts twice.

    They have no numbers, so none can be skipped.
    """

    contiguous_parts = contiguous_bytes = skipped_parts = 0
    outdated = False

    def __init__(self) -> None:
        """Make an empty sum."""
        self.restart()

    def restart(self, skipped_parts: int = 0, size: int = 0, last_modified: float | None = None) -> None:  # noqa: ARG002
        """Forget all parts."""
        self._ranges: set[tuple[int, int]] = set()
        self._unreadable = 0

    def expect(self, mark: int) -> None:
        """Do nothing: parts have no marks."""

    def add(self, parts: Collection[Part]) -> None:
        """Count the parts of a page; one whose range cannot be read leaves the bytes unknown.

        Raises StoreError (bad_response) where there are too many.
        """
        for start, size, _ in parts:
            if start is None or size is None:
                self._unreadable += 1
            else:
                self._ranges.add((start, start + size))
        _check_single(len(self._ranges))

    def totals(self, storage_class: str) -> PartTotals:
        """Return the sum so far."""
        parts = len(self._ranges) + self._unreadable
        return PartTotals(
            parts, None if self._unreadable else _believed(self._covered()), None, storage_class
        )

    def _covered(self) -> int:
        covered = end_so_far = 0
        for start, end in sorted(self._ranges):
            covered += max(0, end - max(start, end_so_far))
            end_so_far = max(end, end_so_far)
        return covered
