"""The worst uploads of many, by age, by idle time and by bytes; of each so many and no more are held."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model.uploads import Found

Order = Literal["age", "idle", "bytes"]
ORDERS: tuple[Order, ...] = ("age", "idle", "bytes")


class TopUploads:
    """Keeps the worst uploads by each order. For one thread while uploads are added."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` uploads by each order."""
        self._limit = limit
        self._numbers = count()  # of two that are equally bad the one found first is kept
        self._heaps: dict[Order, list[tuple[float, int, Found]]] = {order: [] for order in ORDERS}

    def add(self, found: Found) -> None:
        """Take an upload; where what an order goes by is not known, it has no place in it."""
        initiated, activity, size = found.upload.initiated, found.activity, found.bytes
        if initiated is not None:
            self._add("age", -initiated, found)
        if activity is not None:
            self._add("idle", -activity, found)
        if size is not None:
            self._add("bytes", size, found)

    def _add(self, order: Order, badness: float, found: Found) -> None:
        heap = self._heaps[order]
        if len(heap) < self._limit:
            heapq.heappush(heap, (badness, -next(self._numbers), found))
        elif heap and badness > heap[0][0]:
            heapq.heapreplace(heap, (badness, -next(self._numbers), found))

    def by(self, order: Order) -> Iterator[Found]:
        """Yield the worst uploads by this order, the worst first."""
        for *_, found in sorted(self._heaps[order], key=lambda entry: entry[:2], reverse=True):
            yield found
