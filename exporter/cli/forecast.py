"""Lists every bucket once and forecasts the requests of its scans: settings in, estimates or failures out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from exporter.cli.oneshot import LoggedFailure, OneShot
from exporter.model.errors import Failure, StoreError
from exporter.scan.forecast import AGE_BOUNDS, Estimate, Listing, age_groups, estimate_target
from exporter.scan.reported_uploads import asks_own_count
from exporter.state.ledger import Ledger
from exporter.stores.base import ListingStart
from exporter.stores.registry import make_store

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from exporter.cli.oneshot import TargetSession
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.stores.base import (
        BucketSession,
        CompletedCall,
        FoundBucket,
        Marker,
        Page,
        PageRequest,
        Store,
    )
    from exporter.stores.transport.client import Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The estimate for one bucket, or why there is none.

    `bucket` is '' where the discovery of the target's buckets failed.
    """

    target: TargetSettings
    bucket: str
    outcome: Estimate | str
    logged: bool = False
    """Whether the log has it already."""


@dataclass(slots=True)
class _Counts:
    """What listing one bucket took: pages, each of them a request of every scan, and entries.

    `entries` is None where the listing has the uploads alone.
    """

    pages: int = 0
    entries: int | None = None


class _CountingStore:
    """Wraps a store and counts what it lists, per bucket."""

    def __init__(self, store: Store) -> None:
        self.counts: defaultdict[str, _Counts] = defaultdict(_Counts)
        self.operations = store.operations
        self.page_operations = store.page_operations
        self.has_part_times = store.has_part_times
        self.has_initiation_times = store.has_initiation_times
        self.lists_by_key = store.lists_by_key
        self.encodes_keys = store.encodes_keys
        self.signing_region = store.signing_region
        self.new_part_sum = store.new_part_sum
        self.abort_rules = store.abort_rules
        self.bucket_tags = store.bucket_tags
        self.close = store.close
        self._store = store

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        return self._store.list_buckets(marker, deadline)

    def keep_only(self, names: Container[str]) -> None:
        self._store.keep_only(names)

    def open(self, bucket: BucketSettings, deadline: float) -> BucketSession:
        return _CountingSession(self._store.open(bucket, deadline), bucket, self.counts[bucket.name])


@dataclass(frozen=True, slots=True)
class _CountingSession:
    listing_start: ClassVar[ListingStart] = ListingStart.NOTHING
    session: BucketSession
    bucket: BucketSettings
    counts: _Counts
    checks: set[int] = field(default_factory=set)
    """Ids of the labels of calls that check the prefix: a scan makes them once a day."""

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        if request.bucket.prefix != self.bucket.prefix:
            self.checks.add(id(label))
        self.session.start(request, deadline, label)

    def completed(self, timeout: float) -> Sequence[CompletedCall]:
        found = self.session.completed(timeout)
        return [(label, self._count(label, outcome)) for label, outcome in found]

    def _count(self, label: object, outcome: Page[Any] | StoreError) -> Page[Any] | StoreError:
        if isinstance(outcome, StoreError) or id(label) in self.checks:
            return outcome
        self.counts.pages += 1
        return self._count_entries(outcome)

    def _count_entries(self, page: Page[T]) -> Page[T]:
        """Count the entries of a page, and of the rest of it when that is read."""
        if page.keys is None:
            return page
        self.counts.entries = (self.counts.entries or 0) + len(page.keys)
        rest = page.rest
        return page._replace(rest=lambda: self._count_entries(rest())) if rest else page

    def close(self) -> None:
        self.session.close()


def forecast(targets: Sequence[TargetSettings], names: frozenset[str] = frozenset()) -> list[Forecast]:
    """List every bucket of every target once (only the buckets of these names, if any) and forecast.

    An exception in the waiting thread (a signal handler's) cancels what is running.
    """
    listed = [replace(target, scan=replace(target.scan, parts="never")) for target in targets]
    outcomes = OneShot(listed, new_store=_counting_store, bucket_names=names).for_each_bucket(_lister)
    settings = {target.name: target for target in targets}
    forecasts: list[Forecast] = []
    for name, group in groupby(outcomes, key=lambda outcome: outcome.target.name):
        buckets, target = list(group), settings[name]
        listings = [outcome.value for outcome in buckets if isinstance(outcome.value, Listing)]
        estimates = iter(estimate_target(listings, target.scan))
        for outcome in buckets:
            failed = isinstance(outcome.value, Failure)
            result = str(outcome.value) if failed else next(estimates)
            logged = isinstance(outcome.value, LoggedFailure)
            forecasts.append(Forecast(target, outcome.bucket, result, logged))
    return forecasts


def _counting_store(target: TargetSettings, transport: Transport) -> Store:
    return _CountingStore(make_store(target, transport))


def _lister(session: TargetSession) -> Callable[[BucketSettings], Listing]:
    scanner, counts = session.scanner(AGE_BOUNDS), cast("_CountingStore", session.client.store).counts
    hourly = session.target.lifecycle + bool(session.target.tags)

    def list_one(bucket: BucketSettings) -> Listing:
        summary = scanner.scan(bucket, Ledger.for_one_scan()).summary
        found = counts[bucket.name]
        # some stores answer an empty bucket with an error instead of a page
        requests = max(1, found.pages) + asks_own_count(session.target, bucket)
        return Listing(requests, age_groups(summary), hourly, found.entries)

    return list_one
