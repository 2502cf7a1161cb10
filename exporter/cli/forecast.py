"""Lists every bucket once and forecasts the requests of its scans: settings in, estimates or failures out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, cast

from exporter.cli.oneshot import LoggedFailure, OneShot
from exporter.model.errors import Failure, StoreError
from exporter.scan.forecast import AGE_BOUNDS, Estimate, Listing, age_groups, estimate_target
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


class _CountingStore:
    """Wraps a store and counts its pages per bucket: each page is one request of every scan."""

    def __init__(self, store: Store) -> None:
        self.pages: Counter[str] = Counter()
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
        return _CountingSession(self._store.open(bucket, deadline), bucket, self.pages)


@dataclass(frozen=True, slots=True)
class _CountingSession:
    listing_start: ClassVar[ListingStart] = ListingStart.NOTHING
    session: BucketSession
    bucket: BucketSettings
    pages: Counter[str]
    checks: set[int] = field(default_factory=set)
    """Ids of the labels of calls that check the prefix: a scan makes them once a day."""

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        if request.bucket.prefix != self.bucket.prefix:
            self.checks.add(id(label))
        self.session.start(request, deadline, label)

    def completed(self, timeout: float) -> Sequence[CompletedCall]:
        found = self.session.completed(timeout)
        pages = [label for label, outcome in found if not isinstance(outcome, StoreError)]
        self.pages[self.bucket.name] += sum(id(label) not in self.checks for label in pages)
        return found

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
    scanner, pages = session.scanner(AGE_BOUNDS), cast("_CountingStore", session.client.store).pages
    hourly = session.target.lifecycle + bool(session.target.tags)

    def list_one(bucket: BucketSettings) -> Listing:
        summary = scanner.scan(bucket, Ledger.for_one_scan()).summary
        # some stores answer an empty bucket with an error instead of a page
        return Listing(max(1, pages[bucket.name]), age_groups(summary), hourly)

    return list_one
