"""Lists every bucket once and foretells what scans of it will ask: settings in, estimates or reasons out."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from exporter.estimate import AGE_BOUNDS, Estimate, Listing, estimate_all, read_groups
from exporter.ledger import Ledger
from exporter.model import Reason, StoppingError, StoreError
from exporter.scan import Scanner
from exporter.stores.table import make_store
from exporter.stores.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.config.settings import BucketSettings, Settings, TargetSettings
    from exporter.stores.base import Answered, Ask, Calls, Store

log = logging.getLogger(__name__)

TARGETS_AT_ONCE = 16
"""So many targets are listed at once, the buckets of each one after the other."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What scans of one bucket will ask, or why that cannot be told."""

    target: TargetSettings
    bucket: str
    outcome: Estimate | str


class _Traffic:
    """Counts nothing: what helps to find a bucket, or was tried again, is not part of every scan."""

    def sent(self, operation: str) -> None:
        pass

    def failed(self, operation: str, reason: Reason) -> None:
        pass


class _CountingStore:
    """A store, and how many pages of uploads it answered with: each of them is a request of every scan."""

    def __init__(self, store: Store) -> None:
        self.pages = 0
        self.operations = store.operations
        self.has_part_times = store.has_part_times
        self.signing_region = store.signing_region
        self.new_fold = store.new_fold
        self.abort_rules = store.abort_rules
        self.close = store.close
        self._store = store

    def open(self, bucket: BucketSettings, deadline: float) -> Calls:
        return _CountedCalls(self._store.open(bucket, deadline), self)


@dataclass(frozen=True, slots=True)
class _CountedCalls:
    calls: Calls
    store: _CountingStore

    def start(self, ask: Ask, deadline: float, label: object) -> None:
        self.calls.start(ask, deadline, label)

    def answers(self, timeout: float) -> Sequence[Answered]:
        found = self.calls.answers(timeout)
        self.store.pages += sum(not isinstance(outcome, StoreError) for _, outcome in found)
        return found

    def close(self) -> None:
        self.calls.close()


def foretell(settings: Settings) -> list[Foretold]:
    """List every bucket of every target once, and foretell its scans.

    Gives up what is under way where an exception (a signal handler's) ends the wait for it.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(TARGETS_AT_ONCE)
    try:
        return list(chain.from_iterable(pool.map(partial(_foretell, stop), settings.targets)))
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _foretell(stop: threading.Event, target: TargetSettings) -> list[Foretold]:
    """Foretell the scans of one target's buckets. Raises StoppingError, and nothing else."""
    found = _list_all(target, stop)
    listings = [outcome for outcome in found if isinstance(outcome, Listing)]
    estimates = iter(estimate_all(listings, target.scan))
    return [
        Foretold(target, bucket.name, outcome if isinstance(outcome, str) else next(estimates))
        for bucket, outcome in zip(target.buckets, found, strict=True)
    ]


def _list_all(target: TargetSettings, stop: threading.Event) -> list[Listing | str]:
    """Return each bucket's listing, or why it failed."""
    transport = Transport(_Traffic(), stop, tls=target.tls, proxy_url=target.proxy_url)
    store = _CountingStore(make_store(target, transport))
    scanner = Scanner(store, replace(target.scan, parts="never"), AGE_BOUNDS, stop)
    try:
        return list(_outcomes(target, scanner, store))
    finally:
        store.close()


def _outcomes(target: TargetSettings, scanner: Scanner, store: _CountingStore) -> Iterator[Listing | str]:
    for bucket in target.buckets:
        try:
            yield _list_one(bucket, scanner, store)
        except StoppingError:
            raise
        except StoreError as error:
            yield f"{error.reason}: {error}"
        except Exception as error:  # our own bug: named, and not allowed to end the rest
            fields = {"target": target.name, "bucket": bucket.name}
            log.exception("listing failed unexpectedly", extra={"fields": fields})
            yield f"{Reason.INTERNAL}: unexpected {type(error).__name__}; please report it"


def _list_one(bucket: BucketSettings, scanner: Scanner, store: _CountingStore) -> Listing:
    before = store.pages
    summary = scanner.scan(bucket, Ledger()).summary
    pages = max(1, store.pages - before)  # an empty bucket may answer with an error instead of a page
    return Listing(pages, read_groups(summary))
