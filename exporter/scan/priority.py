"""Queues of uploads that are due to be asked about: in listing order, or by urgency within a budget."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model.uploads import Upload
    from exporter.state.rows import UploadRecord

OVERDUE_SHARE = 4
"""One in this many places is reserved for uploads that were asked about before, the most overdue first."""


class WaitingChunk(Protocol):
    """A chunk of the listing that waits for what is learnt of its due uploads."""

    def take_answer(self, upload: Upload, row_id: int, record: UploadRecord) -> None:
        """Take what is now stored of one of its uploads, which was asked about in this scan."""


class DueUpload(NamedTuple):
    """An upload whose parts are to be asked for.

    `urgency` is Unix seconds, lower is more urgent: when it came due, or when the last question failed.
    `chunk` is given the answer, where one waits for it.
    """

    upload: Upload
    row_id: int
    record: UploadRecord | None
    urgency: float = 0.0
    chunk: WaitingChunk | None = None

    @property
    def was_asked(self) -> bool:
        """Whether it was asked about before, with or without success."""
        record = self.record
        return record is not None and (record.checked_at > 0 or record.failed_at is not None)


class ListingOrderQueue:
    """An unbounded queue in the order of the listing."""

    def __init__(self) -> None:
        """Make an empty queue."""
        self._queue: deque[DueUpload] = deque()

    def __len__(self) -> int:
        """Return the number of uploads in the queue."""
        return len(self._queue)

    def add(self, due: DueUpload) -> None:
        """Append an upload."""
        self._queue.append(due)

    def pop(self) -> DueUpload:
        """Remove and return the first one."""
        return self._queue.popleft()

    def trim(self, max_length: int) -> Iterator[DueUpload]:  # noqa: ARG002 - it is unbounded
        """Yield nothing: all may stay."""
        return iter(())


class UrgencyQueue:
    """A queue that can be trimmed: uploads never asked about come first, a quarter are the most overdue.

    All uploads are added, and the queue trimmed, before the first `pop`.
    """

    def __init__(self) -> None:
        """Make an empty queue."""
        self._heaps: tuple[list[_Entry], list[_Entry]] = ([], [])
        self._insertions = count()
        self._sorted: deque[DueUpload] | None = None

    def __len__(self) -> int:
        """Return the number of uploads in the queue."""
        return sum(map(len, self._heaps)) + len(self._sorted or ())

    def add(self, due: DueUpload) -> None:
        """Add an upload."""
        entry = (-due.urgency, -next(self._insertions), due)  # so that the least urgent is on top
        heapq.heappush(self._heaps[due.was_asked], entry)

    def trim(self, max_length: int) -> Iterator[DueUpload]:
        """Remove and yield the least urgent uploads beyond `max_length`."""
        never, overdue = self._heaps
        share = min(len(overdue), max_length // OVERDUE_SHARE)
        while len(never) + len(overdue) > max_length:
            too_long = overdue if len(overdue) > share or not never else never
            yield heapq.heappop(too_long)[-1]

    def pop(self) -> DueUpload:
        """Remove and return the next: three never asked about, one overdue, and so on."""
        if self._sorted is None:
            self._sorted = deque(self._interleaved())
        return self._sorted.popleft()

    def _interleaved(self) -> Iterator[DueUpload]:
        never, overdue = (deque(entry[-1] for entry in sorted(heap, reverse=True)) for heap in self._heaps)
        for heap in self._heaps:
            heap.clear()
        for place in count(1):
            if not never and not overdue:
                return
            is_overdue_place = place % OVERDUE_SHARE == 0 or not never
            yield overdue.popleft() if is_overdue_place and overdue else never.popleft()


_Entry = tuple[float, int, DueUpload]
