"""Forecast of the requests of a month of scans: one listing's age groups in, an Estimate out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from exporter.scan.hourly import CACHE_SECONDS
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
"""Bounds of age groups, so narrow that all uploads of a group can be treated alike."""


class AgeGroup(NamedTuple):
    """A number of uploads with the same idle time in seconds."""

    idle_seconds: float
    uploads: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The uploads of one bucket by age, and the number of requests that listing them takes.

    `hourly` is the number of requests that a scan makes once an hour: for lifecycle rules, and for tags.
    """

    requests: int
    groups: tuple[AgeGroup, ...]
    hourly: int = 0

    @property
    def uploads(self) -> int:
        """The number of uploads."""
        return sum(group.uploads for group in self.groups)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Numbers of requests: of the first scan, of a later one on average, and of all scans of a month.

    `month_always` is that of a month with every upload asked about at every scan (`parts: always`).
    """

    uploads: int
    first_scan: float
    later_scan: float
    month: float
    month_always: float

    @property
    def savings_factor(self) -> float:
        """By what factor the ledger reduces the requests of a month."""
        return self.month_always / self.month


class _QuestionRate(NamedTuple):
    """The probability that an upload is asked about in each scan from number `begin` to before `end`."""

    begin: int
    end: int
    probability: float


def age_groups(summary: Summary) -> tuple[AgeGroup, ...]:
    """Return the age groups of a bucket that was scanned with AGE_BOUNDS.

    The initiation stands for the last activity, the scan's start for that of an undated upload.
    """
    lowest = AGE_BOUNDS[0] / 4  # stands, with the first bound, for half of it
    idles = [math.sqrt(low * high) for low, high in pairwise((lowest, *AGE_BOUNDS))]
    counts = [high - low for low, high in pairwise((0, *summary.age_counts))]
    dated = [AgeGroup(*pair) for pair in zip((*idles, AGE_BOUNDS[-1]), counts, strict=True)]
    return tuple(group for group in (AgeGroup(0.0, summary.undated), *dated) if group.uploads)


def estimate(listing: Listing, scan: ScanSettings, max_questions: float = math.inf) -> Estimate:
    """Forecast a month of scans of one bucket, each of which asks about `max_questions` uploads at most."""
    scans = math.ceil(MONTH_SECONDS / scan.interval)
    if scan.max_requests is not None:
        max_questions = min(max_questions, max(0, scan.max_requests - listing.requests))
    asked = _questions_per_scan(_due_per_scan(listing.groups, scan, scans), listing.uploads, max_questions)
    hourly_scans = math.ceil(scans / math.ceil(CACHE_SECONDS / scan.interval))
    first = listing.requests + listing.hourly + next(asked)
    later = listing.requests * (scans - 1) + listing.hourly * (hourly_scans - 1) + math.fsum(asked)
    return Estimate(
        uploads=listing.uploads,
        first_scan=first,
        later_scan=later / (scans - 1) if scans > 1 else first,
        month=first + later,
        month_always=float(scans) * (listing.requests + listing.uploads) + listing.hourly * hourly_scans,
    )


def estimate_target(listings: Sequence[Listing], scan: ScanSettings) -> list[Estimate]:
    """Forecast the scans of one target's buckets, which share its requests per second."""
    if scan.requests_per_second is None:
        return [estimate(listing, scan) for listing in listings]
    limit = scan.requests_per_second * min(scan.interval, scan.timeout)
    left = max(0.0, limit - sum(listing.requests for listing in listings))
    uploads = max(1, sum(listing.uploads for listing in listings))
    return [estimate(listing, scan, left * listing.uploads / uploads) for listing in listings]


def sum_estimates(estimates: Sequence[Estimate]) -> Estimate:
    """Add estimates up."""
    return Estimate(
        uploads=sum(each.uploads for each in estimates),
        first_scan=math.fsum(each.first_scan for each in estimates),
        later_scan=math.fsum(each.later_scan for each in estimates),
        month=math.fsum(each.month for each in estimates),
        month_always=math.fsum(each.month_always for each in estimates),
    )


def _due_per_scan(groups: Iterable[AgeGroup], scan: ScanSettings, scans: int) -> Iterator[float]:
    """Yield the number of uploads that come due in each scan."""
    changes = [0.0] * (scans + 1)
    for group in groups:
        for rate in _question_rates(group.idle_seconds, scan, scans):
            changes[rate.begin] += group.uploads * rate.probability
            changes[rate.end] -= group.uploads * rate.probability
    return accumulate(changes[:scans])


def _questions_per_scan(due: Iterable[float], uploads: int, max_questions: float) -> Iterator[float]:
    """Yield the number of uploads that each scan asks about; those beyond `max_questions` wait."""
    waiting = 0.0
    for more in due:
        waiting = min(float(uploads), waiting + more)  # none waits twice
        asked = min(waiting, max_questions)
        waiting -= asked
        yield asked


def _question_rates(idle: float, scan: ScanSettings, scans: int) -> Iterator[_QuestionRate]:
    """Yield when an upload is asked about that has been idle for `idle` seconds, and stays idle."""
    if scan.parts == "never":
        return
    recheck = Recheck(scan.recheck_factor, scan.recheck_at_least)
    begin = scans if scan.parts == "always" else _initial_scans(idle, scan, scans)
    yield _QuestionRate(0, begin, 1.0)
    while begin < scans:
        asked = (begin - 1) * scan.interval
        if recheck.delay(asked, -idle) >= recheck.max_delay:
            yield _QuestionRate(begin, scans, min(1.0, scan.interval / scan.recheck_at_least))
            return
        begin = max(begin, math.ceil(recheck.due(0, asked, -idle) / scan.interval))
        if begin < scans:
            yield _QuestionRate(begin, begin + 1, 1.0)
        begin += 1


def _initial_scans(idle: float, scan: ScanSettings, scans: int) -> int:
    """Return how many scans in a row, from the first, ask: until the delay exceeds one interval."""
    if scan.recheck_factor == 0 or scan.recheck_at_least <= scan.interval:
        return scans
    longest = scan.interval / scan.recheck_factor
    return 1 if longest < idle else min(scans, 2 + int((longest - idle) / scan.interval))
