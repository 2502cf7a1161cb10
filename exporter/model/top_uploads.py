"""The top uploads by age, by idle time and by bytes: a bounded number of each."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from exporter.model.uploads import CountedUpload

T = TypeVar("T")

Order = Literal["age", "idle", "bytes"]
ORDERS: tuple[Order, ...] = ("age", "idle", "bytes")


def rank_of(order: Order, found: CountedUpload) -> float | None:
    """Return a number that is greater the further up an upload stands in an order; None if not known."""
    if order == "bytes":
        return found.bytes
    since = found.upload.initiated if order == "age" else found.activity
    return None if since is None else -since


class BoundedHeap(Generic[T]):
    """Keeps the items of greatest rank, at most `limit` of them (0: all); of equal ranks, the first added."""

    def __init__(self, limit: int) -> None:
        """Begin empty."""
        self._limit = limit or math.inf
        self._numbers = count()
        self._heap: list[tuple[Any, int, T]] = []

    def add(self, rank: Any, item: T) -> None:  # noqa: ANN401 - ranks of one heap compare
        """Keep an item, or drop it."""
        heap = self._heap
        if len(heap) < self._limit:
            heapq.heappush(heap, (rank, -next(self._numbers), item))
        elif rank > heap[0][0]:
            heapq.heapreplace(heap, (rank, -next(self._numbers), item))

    def ranked(self) -> list[tuple[Any, T]]:
        """Return ranks and items, the greatest rank first."""
        entries = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return [(rank, item) for rank, _, item in entries]


class TopUploads:
    """Keeps the top uploads by each order, and apart from them those of which the listing is wrong.

    Uploads that the listing lacks come first, as nothing else shows them; those that the store denies last.
    For one thread while uploads are added.
    """

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` uploads by each order, as many stale ones, and as many unlisted and denied."""
        self._heaps, self._unlisted, self._denied = (_new_heaps(limit) for _ in range(3))

    def add(self, found: CountedUpload) -> None:
        """Add an upload to each order in which its rank is known; one without a name is left out."""
        if found.nameless:
            return
        heaps = self._denied if found.denied else self._unlisted if found.unlisted else self._heaps
        for (order, stale), heap in heaps.items():
            rank = rank_of(order, found)
            if rank is not None and (found.stale or not stale):
                heap.add(rank, found)

    def ranked(self, order: Order, *, stale: bool = False) -> list[tuple[tuple[int, float], CountedUpload]]:
        """Return ranks and uploads by this order, the first one first; unlisted come before, denied after.

        With `stale` only those that are.
        """
        groups = ((2, self._unlisted), (1, self._heaps), (0, self._denied))
        return [
            ((group, rank), found)
            for group, heaps in groups
            for rank, found in heaps[order, stale and order != "idle"].ranked()
            if found.stale or not stale
        ]


_Heaps = dict[tuple[Order, bool], BoundedHeap["CountedUpload"]]
"""By order, and whether only stale uploads are in it."""


def _new_heaps(limit: int) -> _Heaps:
    """Return empty heaps. Of those by idle time one is enough: the stale uploads of a bucket come first."""
    keys = ((order, stale) for order in ORDERS for stale in (False, True) if order != "idle" or not stale)
    return {key: BoundedHeap(limit) for key in keys}
