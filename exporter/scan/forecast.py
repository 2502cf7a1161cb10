"""Forecast of the requests of a month of scans: one listing's age groups in, an Estimate out."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, count, pairwise
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

_MAX_QUESTIONS = 1000
"""Questions about an upload that are forecast one by one; a tiny recheck_factor asks more."""
_STRETCH = 0.02
"""The later ones are by stretches in which its idle time grows by this share."""


class AgeGroup(NamedTuple):
    """A number of uploads with the same idle time in seconds."""

    idle_seconds: float
    uploads: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The uploads of one bucket by age, and the number of requests that listing them takes.

    `hourly` is the number of requests that a scan makes once an hour: for lifecycle rules, and for tags.
    `entries` is the number of all that is listed, None where that is the uploads alone.
    """

    requests: int
    groups: tuple[AgeGroup, ...]
    hourly: int = 0
    entries: int | None = None

    @property
    def uploads(self) -> int:
        """The number of uploads."""
        return sum(group.uploads for group in self.groups)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Numbers of requests: of the first scan, of a later one on average, and of all scans of a month.

    `month_always` is that of a month with every upload asked about at every scan (`parts: always`).
    `listed` is the number of all that the store lists, None where that is the uploads alone.
    """

    uploads: int
    first_scan: float
    later_scan: float
    month: float
    month_always: float
    listed: int | None = None

    @property
    def savings_factor(self) -> float:
        """By what factor the ledger reduces the requests of a month."""
        return self.month_always / self.month


class _Run(NamedTuple):
    """A number of scans in a row, and of how many uploads the same is true in each."""

    scans: int
    uploads: float


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
    due = _due_per_scan(listing.groups, scan, scans)
    asked = list(_questions_per_scan(due, listing.uploads, max_questions))
    hourly_scans = math.ceil(scans / math.ceil(CACHE_SECONDS / scan.interval))
    first = listing.requests + listing.hourly + asked[0].uploads
    asked[0] = asked[0]._replace(scans=asked[0].scans - 1)
    asked_later = math.fsum(run.scans * run.uploads for run in asked)
    later = listing.requests * (scans - 1) + listing.hourly * (hourly_scans - 1) + asked_later
    return Estimate(
        uploads=listing.uploads,
        first_scan=first,
        later_scan=later / (scans - 1) if scans > 1 else first,
        month=first + later,
        month_always=float(scans) * (listing.requests + listing.uploads) + listing.hourly * hourly_scans,
        listed=listing.entries,
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
        listed=_sum_of_known(each.listed for each in estimates),
    )


def _sum_of_known(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _due_per_scan(groups: Iterable[AgeGroup], scan: ScanSettings, scans: int) -> Iterator[_Run]:
    """Yield the number of uploads that come due in each scan."""
    changes = defaultdict(float, {0: 0.0, scans: 0.0})
    for group in groups:
        for rate in _question_rates(group.idle_seconds, scan, scans):
            changes[rate.begin] += group.uploads * rate.probability
            changes[rate.end] -= group.uploads * rate.probability
    begins = sorted(changes)
    levels = accumulate(changes[begin] for begin in begins)
    yield from (_Run(end - begin, due) for (begin, end), due in zip(pairwise(begins), levels, strict=False))


def _questions_per_scan(due: Iterable[_Run], uploads: int, max_questions: float) -> Iterator[_Run]:
    """Yield the number of uploads that each scan asks about; those beyond `max_questions` wait."""
    waiting = 0.0
    for run in due:
        left = run.scans
        while left:
            ready = min(float(uploads), waiting + run.uploads)  # none waits twice
            asked = min(ready, max_questions)
            alike, waiting = _scans_alike(waiting, ready, asked, run.uploads, left)
            waiting = min(uploads - asked, waiting)
            yield _Run(alike, asked)
            left -= alike


def _scans_alike(waiting: float, ready: float, asked: float, due: float, scans: int) -> tuple[int, float]:
    """Return how many of the next scans ask about as many uploads, and how many uploads wait after them.

    Before the first of them `waiting` wait, then `ready` can be asked about; `due` come due in each.
    """
    if asked == ready:  # nothing is left over, so that later ones ask about what comes due
        return (scans if waiting == 0 else 1), 0.0
    growth = due - asked
    alike = scans if growth >= 0 else min(scans, 1 + int((ready - asked) / -growth))
    return alike, max(0.0, ready - asked + (alike - 1) * growth)


@lru_cache(maxsize=2 * len(AGE_BOUNDS))
def _question_rates(idle: float, scan: ScanSettings, scans: int) -> tuple[_QuestionRate, ...]:
    """Return what `_each_question_rate` yields; cached, as all buckets have the same age groups."""
    return tuple(_each_question_rate(idle, scan, scans))


def _each_question_rate(idle: float, scan: ScanSettings, scans: int) -> Iterator[_QuestionRate]:
    """Yield when an upload is asked about that has been idle for `idle` seconds, and stays idle."""
    if scan.parts == "never":
        return
    recheck = Recheck(scan.recheck_factor, scan.recheck_at_least)
    begin = scans if scan.parts == "always" else _initial_scans(idle, scan, scans)
    yield _QuestionRate(0, begin, 1.0)
    for question in count():
        asked = (begin - 1) * scan.interval
        delay = recheck.delay(asked, -idle)
        if begin >= scans or delay >= recheck.max_delay:
            break
        following = max(begin, math.ceil((asked + delay) / scan.interval))
        if question < _MAX_QUESTIONS:
            rate = _QuestionRate(following, following + 1, 1.0)
        else:
            stretch = math.ceil(_STRETCH * (asked + idle) / scan.interval)
            rate = _QuestionRate(begin, begin + stretch, 1 / (following + 1 - begin))
        if rate.begin < scans:
            yield rate._replace(end=min(scans, rate.end))
        begin = rate.end
    if begin < scans:
        yield _QuestionRate(begin, scans, min(1.0, scan.interval / scan.recheck_at_least))


def _initial_scans(idle: float, scan: ScanSettings, scans: int) -> int:
    """Return how many scans in a row, from the first, ask: until the delay exceeds one interval."""
    if scan.recheck_factor == 0 or scan.recheck_at_least <= scan.interval:
        return scans
    longest = scan.interval / scan.recheck_factor
    return 1 if longest < idle else min(scans, 2 + int((longest - idle) / scan.interval))
