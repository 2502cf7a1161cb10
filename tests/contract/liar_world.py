"""A bucket whose uploads begin, grow and end between any two requests, and which remembers what was when."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from fakes import Clock

from exporter.model.uploads import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_TOTALS = 4096
"""Of an upload that was changed in more ways than this during a scan, any size is taken for true."""


class Event(NamedTuple):
    """Something that happens before a request of a scan, counted from 0; -1: before the scan.

    `what` is "begin" (`which` key, `number` of parts, their `size`), "end" or "part" (`which` upload, part
    `number`, `size`) or "restart".
    """

    scan: int
    before: int
    what: str
    which: int = 0
    number: int = 1
    size: int = 1


@dataclass(eq=False)
class InProgress:
    """An upload as it truly is. Moments count the events of the bucket; times are Unix seconds."""

    key: str
    upload_id: str
    initiated: float
    begun: int
    node: int
    ended: int | None = None
    parts: dict[int, Part] = field(default_factory=dict)
    versions: list[Part] = field(default_factory=list)
    """All that were sent, replaced ones too."""
    sent: list[tuple[int, int, int]] = field(default_factory=list)
    """Moment, number and size of each."""

    @property
    def activity(self) -> float:
        return max((part.modified or 0.0 for part in self.parts.values()), default=self.initiated)

    def take(self, moment: int, part: Part) -> None:
        self.parts[part.start or 0] = part
        self.versions.append(part)
        self.sent.append((moment, part.start or 0, part.size or 0))

    def existed_all_through(self, first: int, last: int) -> bool:
        return self.begun <= first and (self.ended is None or self.ended > last)

    def existed(self, first: int, last: int) -> bool:
        return self.begun <= last and (self.ended is None or self.ended > first)

    def may_add_up_to(self, parts: int, size: int, first: int, last: int) -> bool:
        """Whether somebody who read part by part between these moments may have found so many and so much."""
        choices: dict[int, set[int | None]] = {}
        for moment, number, bytes_ in self.sent:
            if moment <= first:
                choices[number] = {bytes_}
            elif moment <= last:
                choices.setdefault(number, {None}).add(bytes_)
        if all(len(sizes) == 1 for sizes in choices.values()):
            return (parts, size) == (len(choices), sum(_sure(choices.values())))
        found = {
            (sum(each is not None for each in row), sum(each or 0 for each in row))
            for row in islice(product(*choices.values()), MAX_TOTALS)
        }
        return (parts, size) in found or prod(map(len, choices.values())) > MAX_TOTALS


def _sure(choices: Iterable[set[int | None]]) -> list[int]:
    return [next(iter(sizes)) or 0 for sizes in choices]


class Bucket:
    """The uploads, and the events that are still to come."""

    def __init__(self, keys: Sequence[str], events: Sequence[Event], new_id: Callable[[int], str]) -> None:
        """Make it with the first uploads in it: those of events before the first scan."""
        self.ever: list[InProgress] = []
        self.moment = 0
        self.restarted = -1
        """Uploads begun before this moment were forgotten by a restart."""
        self.clock = Clock()
        self._keys = keys
        self._new_id = new_id
        self._events = sorted(events, key=lambda event: event[:2])
        self._scan = self._requests = -1

    def begin_scan(self) -> int:
        """Let happen what happens before the next scan; return the moment at which it begins."""
        self._scan += 1
        self._requests = -1
        self._advance()
        self.clock.now += 1.0
        return self.moment

    def before_request(self) -> None:
        self._requests += 1
        self._advance()

    def _advance(self) -> None:
        while self._events and self._events[0][:2] <= (self._scan, self._requests):
            self._happen(self._events.pop(0))

    def _happen(self, event: Event) -> None:
        self.moment += 1
        self.clock.now += 1.0
        alive = [each for each in self.ever if each.ended is None]
        if event.what == "begin":
            name = self._new_id(len(self.ever))
            key = self._keys[event.which % len(self._keys)]
            upload = InProgress(key, name, self.clock.wall(), self.moment, event.which % 2)
            self.ever.append(upload)
            for number in range(1, event.number + 1):
                upload.take(self.moment, Part(number, event.size * number, self.clock.wall()))
        elif event.what == "restart":
            self.restarted = self.moment
        elif alive:
            upload = alive[event.which % len(alive)]
            if event.what == "end":
                upload.ended = self.moment
            else:
                upload.take(self.moment, Part(event.number, event.size, self.clock.wall()))
