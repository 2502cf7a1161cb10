"""The uploads that a person asked for, of all that scans find: filtered, the worst first, so many of them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.settings import TargetSettings
    from exporter.model.uploads import Found, Upload

Order = Literal["age", "idle", "bytes"]


class Row(NamedTuple):
    """An upload and where it is."""

    target: TargetSettings
    bucket: str
    found: Found

    @property
    def upload(self) -> Upload:
        """What the listing said of it."""
        return self.found.upload


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which uploads, in which order, how many (0: all). Seconds and bytes; `now` is Unix seconds."""

    now: float
    order: Order = "age"
    limit: int = 0
    older_than: float | None = None
    idle_for: float | None = None
    min_bytes: int | None = None


@dataclass(slots=True)
class Counts:
    """How many uploads were wanted; and how many left out since what they are judged by is not known."""

    wanted: int = 0
    undated: int = 0
    unsized: int = 0


_Ranked = tuple[bool, float, int, "Row"]


class Selection:
    """Takes the uploads of one bucket and keeps the worst; for one thread."""

    def __init__(self, wanted: Wanted, target: TargetSettings, bucket: str) -> None:
        """Make an empty one."""
        self.counts = Counts()
        self._wanted = wanted
        self._target = target
        self._bucket = bucket
        self._numbers = count()
        self._heap: list[_Ranked] = []

    def add(self, found: Found) -> None:
        """Take an upload."""
        if not self._passes(found):
            return
        self.counts.wanted += 1
        badness = _badness(self._wanted.order, found)
        row = Row(self._target, self._bucket, found)
        # what is not known comes last; of two that are equally bad the one found first comes first
        ranked = (badness is not None, badness or 0.0, -next(self._numbers), row)
        if not self._wanted.limit or len(self._heap) < self._wanted.limit:
            heapq.heappush(self._heap, ranked)
        else:
            heapq.heappushpop(self._heap, ranked)

    def _passes(self, found: Found) -> bool:
        wanted = self._wanted
        for since, least in (
            (found.upload.initiated, wanted.older_than),
            (found.activity, wanted.idle_for),
        ):
            if least is None:
                continue
            if since is None:
                self.counts.undated += 1
                return False
            if wanted.now - since < least:
                return False
        if wanted.min_bytes is None:
            return True
        if found.bytes is None:
            self.counts.unsized += 1
            return False
        return found.bytes >= wanted.min_bytes

    def ranked(self) -> list[_Ranked]:
        """Return what was kept, in no order."""
        return self._heap


def worst(selections: Iterable[Selection], limit: int) -> tuple[list[Row], Counts]:
    """Return the worst of all the selections, the worst first, and how many there were."""
    ranked: list[tuple[bool, float, int, int, Row]] = []
    total = Counts()
    for number, selection in enumerate(selections):
        ranked += ((known, bad, -number, place, row) for known, bad, place, row in selection.ranked())
        total.wanted += selection.counts.wanted
        total.undated += selection.counts.undated
        total.unsized += selection.counts.unsized
    ranked.sort(key=lambda each: each[:-1], reverse=True)
    return [row for *_, row in ranked[: limit or None]], total


def _badness(order: Order, found: Found) -> float | None:
    if order == "bytes":
        return found.bytes
    since = found.upload.initiated if order == "age" else found.activity
    return None if since is None else -since
