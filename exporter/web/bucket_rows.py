"""What pages and API show of each bucket: its entry on the board, its target's settings, its next scan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from exporter.model.uploads import age_at
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.model.targets import ScanTimes, TargetStatus
    from exporter.state.board import Entry
    from exporter.web.query import Query

Health = Literal["failing", "incomplete", "waiting", "ok"]
HEALTHS: tuple[Health, ...] = ("failing", "incomplete", "waiting", "ok")
"""Most urgent first: the last scan failed; it left uploads unsized, or found the listing at odds with other
answers; no scan has ended yet; all is well."""
State = Literal["failing", "incomplete", "stale", "waiting", "ok"]
STATES: tuple[State, ...] = ("failing", "incomplete", "stale", "waiting", "ok")
"""The same, with buckets set apart that are well but hold stale uploads."""
Cost = tuple[str, float]
"""Currency, and amount per month."""
AgeGroups = tuple[tuple[float | None, int], ...]
"""Upper bound in seconds (None: no bound), and uploads or bytes; the lower bound is the one before."""


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket. `status`, its target's, is None only while its target is being removed."""

    entry: Entry
    status: TargetStatus | None = None

    @property
    def scan_times(self) -> ScanTimes | None:
        """When it is scanned next, and since when it is being scanned."""
        return self.status.scan_times.get(self.entry.bucket) if self.status else None

    @property
    def dated_by_first_sight(self) -> bool:
        """Whether uploads are at least as old as they are shown, as the store does not tell."""
        return not store_type(self.entry.store).has_initiation_times

    @property
    def health(self) -> Health:
        """How its last scan went."""
        if self.entry.success is None:
            return "waiting"
        if not self.entry.success:
            return "failing"
        return "ok" if self.entry.complete else "incomplete"

    @property
    def holds_stale(self) -> bool:
        """Whether it has stale uploads, as far as is known."""
        return bool(self.entry.summary and self.entry.summary.stale)

    @property
    def state(self) -> State:
        """Its health, which does not count as ok with stale uploads in it."""
        return "stale" if self.health == "ok" and self.holds_stale else self.health

    @property
    def texts(self) -> tuple[str, ...]:
        """Why its last scan failed; else why it is not complete, and what it had to work around."""
        entry = self.entry
        if entry.failure:
            return (str(entry.failure),)
        contradictions = entry.summary.contradictions if entry.success and entry.summary else ()
        return tuple(dict.fromkeys(filter(None, (entry.warning, *contradictions, *entry.notices))))

    @property
    def cost(self) -> Cost | None:
        """What its parts cost per month, None where bytes or prices are not known."""
        entry = self.entry
        if entry.price_list is None or entry.summary is None or entry.summary.bytes is None:
            return None
        amount = entry.price_list.monthly(entry.summary.bytes_by_class)
        return None if amount is None else (entry.price_list.currency, amount)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the buckets whose value is known, None where there is none; times are Unix seconds."""

    buckets: int
    healths: Counter[Health]
    unknown: int
    """Number of buckets without any values."""
    unsized: int
    """Number of uploads whose bytes are not known."""
    unlisted: int
    denied: int
    """Number of uploads that stores list and then deny; not among `uploads`."""
    uploads: int | None
    bytes: int | None
    stale: int | None
    stale_bytes: int | None
    oldest: float | None
    oldest_age: float | None
    """Seconds, at the time of its scan."""
    oldest_at_least: bool
    """Whether it may be older."""
    costs: tuple[Cost, ...]


def make_rows(entries: Iterable[Entry], statuses: Iterable[TargetStatus]) -> list[BucketRow]:
    """Return a row per bucket."""
    by_name = {each.settings.name: each for each in statuses}
    return [BucketRow(entry, by_name.get(entry.target)) for entry in entries]


def filter_rows(rows: Iterable[BucketRow], query: Query) -> list[BucketRow]:
    """Return the rows of a query's `target` and `bucket`; each may be missing."""
    target, bucket = query.text("target"), query.text("bucket")
    return [row for row in rows if target in {"", row.entry.target} and bucket in {"", row.entry.bucket}]


def total(rows: Sequence[BucketRow]) -> Totals:
    """Return the sums over the rows."""
    summaries = [(row, row.entry.summary) for row in rows if row.entry.summary]
    dated = [
        (summary.oldest_initiated, row.entry.last_success or 0.0, row.dated_by_first_sight)
        for row, summary in summaries
        if summary.oldest_initiated is not None
    ]
    oldest, seen, at_least = min(dated, default=(None, 0.0, False))
    costs: Counter[str] = Counter()
    for currency, amount in filter(None, (row.cost for row in rows)):
        costs[currency] += amount  # type: ignore[assignment]  # typed for whole numbers
    return Totals(
        buckets=len(rows),
        healths=Counter(row.health for row in rows),
        unknown=len(rows) - len(summaries),
        unsized=sum(
            summary.uploads if summary.bytes is None else summary.unsized for _, summary in summaries
        ),
        unlisted=sum(summary.unlisted for _, summary in summaries),
        denied=sum(summary.denied for _, summary in summaries),
        uploads=_sum(summary.uploads for _, summary in summaries),
        bytes=_sum(summary.bytes for _, summary in summaries),
        stale=_sum(summary.stale for _, summary in summaries),
        stale_bytes=_sum(summary.stale_bytes for _, summary in summaries),
        oldest=oldest,
        oldest_age=age_at(seen, oldest),
        oldest_at_least=at_least,
        costs=tuple(sorted(costs.items())),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def age_groups(entry: Entry) -> AgeGroups:
    """Return a bucket's uploads by age, () where nothing is known."""
    return group_by_age(entry.ages, entry.summary.age_counts) if entry.summary else ()


def byte_groups(entry: Entry) -> AgeGroups:
    """Return a bucket's bytes by age, () where nothing is known."""
    return group_by_age(entry.ages, entry.summary.age_bytes) if entry.summary else ()


def total_groups(histograms: Iterable[AgeGroups]) -> AgeGroups:
    """Return the sums of histograms, of which those whose bounds differ from the first one's are left out."""
    known = [groups for groups in histograms if groups]
    bounds = [bound for bound, _ in known[0]] if known else []
    same = [groups for groups in known if [bound for bound, _ in groups] == bounds]
    columns = zip(*([number for _, number in groups] for groups in same), strict=True)
    return tuple(zip(bounds, map(sum, columns), strict=True))


def group_by_age(bounds: Sequence[float], at_most: Sequence[int]) -> AgeGroups:
    """Return the groups of a histogram; `at_most` has its cumulative counts, the last one without a bound."""
    if not at_most:
        return ()
    return tuple(zip((*bounds, None), (b - a for a, b in pairwise((0, *at_most))), strict=True))


def sort_rows(
    rows: list[BucketRow], value: Callable[[BucketRow], object], *, descending: bool
) -> list[BucketRow]:
    """Return the rows ordered by a value; rows without one come last, and names break ties."""
    named = sorted(rows, key=lambda row: (row.entry.target, row.entry.bucket))
    known = [row for row in named if value(row) is not None]
    known.sort(key=value, reverse=descending)  # type: ignore[arg-type]  # values of one column compare
    return known + [row for row in named if value(row) is None]
