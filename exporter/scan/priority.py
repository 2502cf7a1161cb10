"""Uploads that are due to be asked about in, those whose turn it is out."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model.uploads import Upload
    from exporter.state.rows import Known

OVERDUE_SHARE = 4
"""One in so many is kept for the most overdue of the uploads that were asked about before."""


class Candidate(NamedTuple):
    """An upload that is due.

    `urgency` is Unix seconds, the earlier the more urgent: when it came due, or was last asked about in vain.
    """

    upload: Upload
    identity: int
    known: Known | None
    urgency: float = 0.0

    @property
    def was_asked(self) -> bool:
        """Whether it was asked about before, in vain perhaps."""
        return self.known is not None


class InOrder:
    """All of them, in the order of the listing."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: deque[Candidate] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def add(self, candidate: Candidate) -> None:
        """Have one wait."""
        self._waiting.append(candidate)

    def pop(self) -> Candidate:
        """Return the next."""
        return self._waiting.popleft()

    def trim(self, most: int) -> Iterator[Candidate]:  # noqa: ARG002 - all may wait
        """Yield none."""
        return iter(())


class MostUrgent:
    """As many as a budget allows: those never asked about first, and a quarter of the most overdue."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heaps: tuple[list[_Entry], list[_Entry]] = ([], [])
        self._order = count()
        self._turns: deque[Candidate] | None = None

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._heaps)) + len(self._turns or ())

    def add(self, candidate: Candidate) -> None:
        """Have one wait; not after the first `pop`."""
        entry = (-candidate.urgency, -next(self._order), candidate)  # so that the least urgent is on top
        heapq.heappush(self._heaps[candidate.was_asked], entry)

    def trim(self, most: int) -> Iterator[Candidate]:
        """Let no more than `most` wait on, and yield the others."""
        never, overdue = self._heaps
        share = min(len(overdue), most // OVERDUE_SHARE)
        while len(never) + len(overdue) > most:
            longest = overdue if len(overdue) > share or not never else never
            yield heapq.heappop(longest)[-1]

    def pop(self) -> Candidate:
        """Return the next: three never asked about, one overdue, and so on."""
        if self._turns is None:
            self._turns = deque(self._in_turn())
        return self._turns.popleft()

    def _in_turn(self) -> Iterator[Candidate]:
        never, overdue = (deque(entry[-1] for entry in sorted(heap, reverse=True)) for heap in self._heaps)
        for heap in self._heaps:
            heap.clear()
        for turn in count(1):
            if not never and not overdue:
                return
            overdues_turn = turn % OVERDUE_SHARE == 0 or not never
            yield overdue.popleft() if overdues_turn and overdue else never.popleft()


_Entry = tuple[float, int, Candidate]
