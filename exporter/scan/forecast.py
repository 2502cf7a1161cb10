"""What a month of scans will ask, foretold from one listing: age groups in, an Estimate out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from exporter.scan.recheck import Recheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.config.settings import ScanSettings
    from exporter.model.results import Summary

MONTH_SECONDS = 30 * 86400.0
_YOUNGEST_SECONDS = 60.0
_STEPS_PER_DOUBLING = 16
_DOUBLINGS = 24  # up to 30 years
AGE_BOUNDS = tuple(
    _YOUNGEST_SECONDS * 2 ** (step / _STEPS_PER_DOUBLING)
    for step in range(_DOUBLINGS * _STEPS_PER_DOUBLING + 1)
)
"""Bounds of age groups so narrow that all of a group's uploads are asked about alike."""


class Group(NamedTuple):
    """So many uploads that have been idle for so many seconds."""

    idle: float
    uploads: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What one listing of a bucket found, and how many requests it took."""

    requests: int
    groups: tuple[Group, ...]

    @property
    def uploads(self) -> int:
        """How many there are."""
        return sum(group.uploads for group in self.groups)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many requests scans will make: the first, a later one on average, and all of a month.

    `plain` is what a month would take where every upload is asked about at every scan.
    """

    uploads: int
    first: float
    steady: float
    month: float
    plain: float

    @property
    def times_less(self) -> float:
        """How many times as much the plain loop asks."""
        return self.plain / self.month


class _Asks(NamedTuple):
    """From scan `begin` on, before scan `end`, an upload is asked about with this chance in each."""

    begin: int
    end: int
    chance: float


def read_groups(summary: Summary) -> tuple[Group, ...]:
    """Return the age groups of a bucket that was scanned with AGE_BOUNDS.

    An upload counts as idle since its initiation, an undated one since now.
    """
    lowest = AGE_BOUNDS[0] / 4  # stands, with the first bound, for half of it
    idles = [math.sqrt(low * high) for low, high in pairwise((lowest, *AGE_BOUNDS))]
    counts = [high - low for low, high in pairwise((0, *summary.age_counts))]
    dated = [Group(*pair) for pair in zip((*idles, AGE_BOUNDS[-1]), counts, strict=True)]
    return tuple(group for group in (Group(0.0, summary.undated), *dated) if group.uploads)


def estimate(listing: Listing, scan: ScanSettings, room: float = math.inf) -> Estimate:
    """Foretell a month of scans of one bucket, of which each may ask about `room` uploads at most."""
    scans = math.ceil(MONTH_SECONDS / scan.interval)
    if scan.max_requests is not None:
        room = min(room, max(0, scan.max_requests - listing.requests))
    asked = _asked(_due(listing.groups, scan, scans), listing.uploads, room)
    first = listing.requests + next(asked)
    later = listing.requests * (scans - 1) + math.fsum(asked)
    return Estimate(
        uploads=listing.uploads,
        first=first,
        steady=later / (scans - 1) if scans > 1 else first,
        month=first + later,
        plain=float(scans) * (listing.requests + listing.uploads),
    )


def estimate_all(listings: Sequence[Listing], scan: ScanSettings) -> list[Estimate]:
    """Foretell the scans of one target's buckets, which share what it may be sent a second."""
    if scan.requests_per_second is None:
        return [estimate(listing, scan) for listing in listings]
    most = scan.requests_per_second * min(scan.interval, scan.timeout)
    left = max(0.0, most - sum(listing.requests for listing in listings))
    uploads = max(1, sum(listing.uploads for listing in listings))
    return [estimate(listing, scan, left * listing.uploads / uploads) for listing in listings]


def total(estimates: Sequence[Estimate]) -> Estimate:
    """Add estimates up."""
    return Estimate(
        uploads=sum(each.uploads for each in estimates),
        first=math.fsum(each.first for each in estimates),
        steady=math.fsum(each.steady for each in estimates),
        month=math.fsum(each.month for each in estimates),
        plain=math.fsum(each.plain for each in estimates),
    )


def _due(groups: Iterable[Group], scan: ScanSettings, scans: int) -> Iterator[float]:
    """Yield scan by scan how many uploads are due."""
    changes = [0.0] * (scans + 1)
    for group in groups:
        for asks in _asks(group.idle, scan, scans):
            changes[asks.begin] += group.uploads * asks.chance
            changes[asks.end] -= group.uploads * asks.chance
    return accumulate(changes[:scans])


def _asked(due: Iterable[float], uploads: int, room: float) -> Iterator[float]:
    """Yield scan by scan how many uploads are asked about; those for whom there is no room wait."""
    waiting = 0.0
    for more in due:
        waiting = min(float(uploads), waiting + more)  # none waits twice
        asked = min(waiting, room)
        waiting -= asked
        yield asked


def _asks(idle: float, scan: ScanSettings, scans: int) -> Iterator[_Asks]:
    """Yield when an upload is asked about that has been idle for so long, and stays idle."""
    if scan.parts == "never":
        return
    recheck = Recheck(scan.recheck_factor, scan.recheck_at_least)
    begin = scans if scan.parts == "always" else _scans_in_a_row(idle, scan, scans)
    yield _Asks(0, begin, 1.0)
    while begin < scans:
        asked = (begin - 1) * scan.interval
        if recheck.delay(asked, -idle) >= recheck.at_least:
            yield _Asks(begin, scans, min(1.0, scan.interval / scan.recheck_at_least))
            return
        begin = max(begin, math.ceil(recheck.due(0, asked, -idle) / scan.interval))
        if begin < scans:
            yield _Asks(begin, begin + 1, 1.0)
        begin += 1


def _scans_in_a_row(idle: float, scan: ScanSettings, scans: int) -> int:
    """Return how many scans, the first included, ask one after the other, since the delay is so short."""
    if scan.recheck_factor == 0 or scan.recheck_at_least <= scan.interval:
        return scans
    longest = scan.interval / scan.recheck_factor
    return 1 if longest < idle else min(scans, 2 + int((longest - idle) / scan.interval))
