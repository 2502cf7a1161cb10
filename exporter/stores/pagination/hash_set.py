"""A set of 64-bit numbers in a tenth of the memory of Python's own, for what a listing has shown."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MAX_PLAIN = 200_000
"""Up to so many numbers it is one of Python's own sets: faster, at some 100 bytes for each."""
_MAX_BUCKET = 512
"""Mean length of a bucket, beyond which their number is doubled: to insert moves half of one."""
_FIRST_BUCKETS = 64
_TOGETHER = 50_000


class HashSet:
    """Signed 64-bit numbers of any distribution in their lowest bits, such as hashes; 9 to 12 bytes each."""

    def __init__(self, max_plain: int = MAX_PLAIN) -> None:
        """Make it empty; up to `max_plain` numbers it is as fast as a set, and as large."""
        self._max_plain = max_plain
        self._plain: set[int] | None = set()
        self._buckets: list[array[int]] = []
        self._length = 0

    @classmethod
    def taken_from(cls, numbers: array[int]) -> HashSet:
        """Return the set of the numbers of an array, which is empty afterwards: memory holds them once."""
        made = cls()
        while numbers:
            made.add_new(numbers[-_TOGETHER:])
            del numbers[-_TOGETHER:]
        return made

    def add_all(self, numbers: Iterable[int]) -> None:
        """Add any number of numbers."""
        rest = iter(numbers)
        while some := list(islice(rest, _TOGETHER)):
            self.add_new(some)

    def __len__(self) -> int:
        """Return how many it has."""
        return self._length if self._plain is None else len(self._plain)

    def __contains__(self, number: object) -> bool:
        """Whether it has a number."""
        if self._plain is not None:
            return number in self._plain
        assert isinstance(number, int)  # noqa: S101 - all are
        bucket = self._buckets[number & (len(self._buckets) - 1)]
        place = bisect_left(bucket, number)
        return place < len(bucket) and bucket[place] == number

    def __iter__(self) -> Iterator[int]:
        """Yield all of them, in no order."""
        if self._plain is not None:
            yield from self._plain
        for bucket in self._buckets:
            yield from bucket

    def add_new(self, numbers: Collection[int]) -> set[int]:
        """Add the numbers of a page; return those that it had before."""
        if self._plain is not None:
            known = self._plain.intersection(numbers)
            self._plain.update(numbers)
            if len(self._plain) > self._max_plain:
                plain, self._plain = self._plain, None
                self._buckets = [array("q") for _ in range(_FIRST_BUCKETS)]
                self._add_each(plain)
            return known
        return self._add_each(numbers)

    def _add_each(self, numbers: Collection[int]) -> set[int]:
        known = set()
        buckets, last = self._buckets, len(self._buckets) - 1
        for number in numbers:
            bucket = buckets[number & last]
            place = bisect_left(bucket, number)
            if place < len(bucket) and bucket[place] == number:
                known.add(number)
            else:
                bucket.insert(place, number)
                self._length += 1
        while self._length > _MAX_BUCKET * len(self._buckets):
            self._split()
        return known

    def _split(self) -> None:
        """Double the number of buckets; each stays sorted."""
        bit = len(self._buckets)
        upper: list[array[int]] = []
        for place, bucket in enumerate(self._buckets):
            self._buckets[place] = array("q", [each for each in bucket if not each & bit])
            upper.append(array("q", [each for each in bucket if each & bit]))
        self._buckets += upper
