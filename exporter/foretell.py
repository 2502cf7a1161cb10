"""Lists every bucket once and foretells what scans of it will ask: settings in, estimates or reasons out."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from exporter.estimate import AGE_BOUNDS, Estimate, Listing, estimate_all, read_groups
from exporter.ledger import Ledger
from exporter.model import Reason, StoppingError, StoreError
from exporter.scan import Scanner
from exporter.stores.base import UPLOADS_OPERATION
from exporter.stores.table import make_store
from exporter.stores.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.settings import BucketSettings, Settings, TargetSettings

log = logging.getLogger(__name__)

TARGETS_AT_ONCE = 16
"""So many targets are listed at once, the buckets of each one after the other."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What scans of one bucket will ask, or why that cannot be told."""

    target: TargetSettings
    bucket: str
    outcome: Estimate | str


@dataclass(slots=True)
class _Traffic:
    """Counts the requests that a listing takes; those that failed are not part of every scan."""

    pages: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, operation: str) -> None:
        self._add(operation, 1)

    def failed(self, operation: str, reason: Reason) -> None:  # noqa: ARG002 - whatever the reason
        self._add(operation, -1)

    def _add(self, operation: str, number: int) -> None:
        with self._lock:
            self.pages += number * (operation == UPLOADS_OPERATION)


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
    traffic = _Traffic()
    store = make_store(target, Transport(traffic, stop, tls=target.tls, proxy_url=target.proxy_url))
    scanner = Scanner(store, replace(target.scan, parts="never"), AGE_BOUNDS, stop)
    try:
        return list(_outcomes(target, scanner, traffic))
    finally:
        store.close()


def _outcomes(target: TargetSettings, scanner: Scanner, traffic: _Traffic) -> Iterator[Listing | str]:
    for bucket in target.buckets:
        try:
            yield _list_one(bucket, scanner, traffic)
        except StoppingError:
            raise
        except StoreError as error:
            yield f"{error.reason}: {error}"
        except Exception as error:  # our own bug: named, and not allowed to end the rest
            fields = {"target": target.name, "bucket": bucket.name}
            log.exception("listing failed unexpectedly", extra={"fields": fields})
            yield f"{Reason.INTERNAL}: unexpected {type(error).__name__}; please report it"


def _list_one(bucket: BucketSettings, scanner: Scanner, traffic: _Traffic) -> Listing:
    before = traffic.pages
    summary = scanner.scan(bucket, Ledger()).summary
    return Listing(max(1, traffic.pages - before), read_groups(summary))
