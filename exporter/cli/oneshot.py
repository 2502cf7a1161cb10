"""Asks the stores of many targets once, for commands: targets side by side, buckets by their workers."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from exporter.model.errors import Failure, StoppingError, StoreError
from exporter.scan.scanner import Scanner
from exporter.scheduler.discovery import BucketDiscovery
from exporter.stores.registry import make_store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.errors import Reason
    from exporter.scan.enrich import Enrichment
    from exporter.stores.base import Store
    from exporter.stores.transport.client import Traffic

T = TypeVar("T")
U = TypeVar("U")

log = logging.getLogger(__name__)

TARGETS_AT_ONCE = 16
"""So many targets are asked at once."""


class Outcome(NamedTuple, Generic[T]):
    """What came of one bucket; `bucket` is '' where the target's buckets could not be found."""

    target: TargetSettings
    bucket: str
    value: T | Failure


class TargetSession(NamedTuple):
    """One target while it is asked."""

    target: TargetSettings
    store: Store
    stop: threading.Event

    def scanner(self, ages: Sequence[float] = (), insight: Enrichment | None = None) -> Scanner:
        """Return what scans its buckets."""
        return Scanner(self.store, self.target.scan, ages, self.stop, insight=insight)

    def buckets(self) -> tuple[BucketSettings, ...]:
        """Return its buckets: those of the config, or those that it is found to have.

        Raises StoreError and StoppingError.
        """
        if self.target.discover is None:
            return self.target.buckets
        return BucketDiscovery(self.target, self.store, self.stop).find()

    def each(self, buckets: Iterable[BucketSettings], ask: Callable[[BucketSettings], T]) -> list[Outcome[T]]:
        """Ask about these buckets, so many at once as the target has workers. Raises StoppingError."""
        pool = ThreadPoolExecutor(self.target.scan.workers)
        try:
            return list(pool.map(partial(self._ask, ask), buckets))
        finally:
            pool.shutdown(cancel_futures=True)

    def _ask(self, ask: Callable[[BucketSettings], T], bucket: BucketSettings) -> Outcome[T]:
        return Outcome(self.target, bucket.name, attempt(partial(ask, bucket), self.target.name, bucket.name))


class Listener(Protocol):
    """Who wants to know how far things have come; see `exporter.cli.terminal.progress.Progress`."""

    def expect(self, buckets: int) -> None:
        """Note that so many more buckets will be asked about."""

    def finish(self) -> None:
        """Note that one is done."""


class Silence:
    """Counts nothing, tells nobody."""

    def sent(self, operation: str) -> None:
        """Count no request."""

    def failed(self, operation: str, reason: Reason) -> None:
        """Count no failure."""

    def expect(self, buckets: int) -> None:
        """Expect nothing."""

    def finish(self) -> None:
        """Count nothing as done."""


SILENCE = Silence()


@dataclass(frozen=True, slots=True)
class OneShot:
    """Asks targets, and gives up what is under way where an exception (a signal handler's) ends the wait."""

    targets: Sequence[TargetSettings]
    traffic: Traffic = SILENCE
    listener: Listener = SILENCE
    new_store: Callable[[TargetSettings, Transport], Store] = make_store
    only: frozenset[str] = frozenset()
    """Names of the buckets that are asked about; all of them where there are none."""

    def sites(self, work: Callable[[TargetSession], U]) -> list[U]:
        """Do the work on each target, and return what came of it in their order."""
        stop = threading.Event()
        pool = ThreadPoolExecutor(TARGETS_AT_ONCE)
        try:
            return list(pool.map(partial(self._visit, stop, work), self.targets))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def buckets(self, begin: Callable[[TargetSession], Callable[[BucketSettings], T]]) -> list[Outcome[T]]:
        """Ask about each bucket of each target; `begin` returns what asks, one for each target."""
        return list(chain.from_iterable(self.sites(partial(self._survey, begin))))

    def _visit(self, stop: threading.Event, work: Callable[[TargetSession], U], target: TargetSettings) -> U:
        transport = Transport(self.traffic, stop, tls=target.tls, proxy_url=target.proxy_url)
        store = self.new_store(target, transport)
        try:
            return work(TargetSession(target, store, stop))
        finally:
            store.close()

    def _survey(
        self, begin: Callable[[TargetSession], Callable[[BucketSettings], T]], site: TargetSession
    ) -> list[Outcome[T]]:
        found = attempt(site.buckets, site.target.name)
        if isinstance(found, Failure):
            return [Outcome(site.target, "", found)]
        chosen = [bucket for bucket in found if not self.only or bucket.name in self.only]
        self.listener.expect(len(chosen))
        ask = begin(site)

        def ask_one(bucket: BucketSettings) -> T:
            try:
                return ask(bucket)
            finally:
                self.listener.finish()

        return site.each(chosen, ask_one)


def attempt(ask: Callable[[], T], target: str, bucket: str | None = None) -> T | Failure:
    """Return what `ask` returns, or why it failed. Raises StoppingError, and nothing else."""
    try:
        return ask()
    except StoppingError:
        raise
    except StoreError as error:
        return Failure.of(error)
    except Exception as error:  # our own bug: named, and not allowed to end the rest
        log.exception("asking failed unexpectedly", extra={"fields": {"target": target, "bucket": bucket}})
        return Failure.of(error)
