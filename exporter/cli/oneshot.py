"""Queries the stores of many targets once, for commands: targets in parallel, buckets by `scan.workers`."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.model.scarcity import is_scarcity
from exporter.scan.scanner import Scanner
from exporter.scheduler.discovery import BucketDiscovery, warn_of_endpoint
from exporter.scheduler.open_files import RESERVE, fit_calls, raise_limit
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.registry import make_store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.config.settings import BucketSettings, ScanSettings, TargetSettings
    from exporter.model.targets import Selection
    from exporter.scan.enrich import Enrichment
    from exporter.stores.base import Store
    from exporter.stores.transport.client import Traffic

T = TypeVar("T")
U = TypeVar("U")

log = logging.getLogger(__name__)

CONCURRENT_TARGETS = 16
"""Maximum number of targets that are queried at the same time."""


@dataclass(frozen=True, slots=True)
class NothingFound(Failure):
    """The store told which buckets there are, and the target is left none of them."""


@dataclass(frozen=True, slots=True)
class LoggedFailure(Failure):
    """A bug of the exporter; the log has it, with the traceback to report."""


class Outcome(NamedTuple, Generic[T]):
    """The result of one bucket; `bucket` is '' where discovery failed, or found none (NothingFound)."""

    target: TargetSettings
    bucket: str
    value: T | Failure


class TargetSession(NamedTuple):
    """One target with its store open."""

    target: TargetSettings
    client: StoreClient

    def scanner(self, ages: Sequence[float] = (), enrichment: Enrichment | None = None) -> Scanner:
        """Return a scanner of its buckets."""
        return Scanner(self.client, ages, enrichment=enrichment, relists_gone=True)

    def find(self) -> tuple[tuple[BucketSettings, ...], Selection | None]:
        """Return its buckets, and what discovery made of the account's, where it has to.

        Raises StoreError and StoppingError.
        """
        if self.target.discover is None:
            return self.target.buckets, None
        return BucketDiscovery(self.target, self.client).find()

    def for_each(
        self, buckets: Iterable[BucketSettings], query: Callable[[BucketSettings], T]
    ) -> list[Outcome[T]]:
        """Run the query on each bucket, `scan.workers` at a time. Raises StoppingError."""
        pool = ThreadPoolExecutor(self.target.scan.workers)
        try:
            return list(pool.map(partial(self._run, query), buckets))
        finally:
            pool.shutdown(cancel_futures=True)

    def _run(self, query: Callable[[BucketSettings], T], bucket: BucketSettings) -> Outcome[T]:
        return Outcome(
            self.target, bucket.name, attempt(partial(query, bucket), self.target.name, bucket.name)
        )


class ProgressListener(Protocol):
    """Receives the progress; see `exporter.cli.terminal.progress.Progress`."""

    def expect(self, buckets: int) -> None:
        """Add to the number of buckets that will be queried."""

    def finish(self) -> None:
        """Count one bucket as done."""


class NoProgress:
    """A Traffic and a ProgressListener that ignores everything."""

    def sent(self, operation: str, requests: int = 1) -> None:
        """Ignore requests."""

    def failed(self, operation: str, reason: Reason) -> None:
        """Ignore a failure."""

    def expect(self, buckets: int) -> None:
        """Ignore the number of buckets."""

    def finish(self) -> None:
        """Ignore a finished bucket."""


NO_PROGRESS = NoProgress()


@dataclass(frozen=True, slots=True)
class OneShot:
    """Queries targets; an exception in the waiting thread (a signal handler's) cancels what is running."""

    targets: Sequence[TargetSettings]
    traffic: Traffic = NO_PROGRESS
    listener: ProgressListener = NO_PROGRESS
    new_store: Callable[[TargetSettings, Transport], Store] = make_store
    bucket_names: frozenset[str] = frozenset()
    """Names of the buckets to query; empty: all."""

    def for_each_target(self, work: Callable[[TargetSession], U]) -> list[U]:
        """Run `work` on each target; return the results in the targets' order."""
        stop = threading.Event()
        fitted = fit_calls(self.targets, raise_limit() - RESERVE, CONCURRENT_TARGETS)
        limits = [target.scan for target in fitted]
        pool = ThreadPoolExecutor(CONCURRENT_TARGETS)
        try:
            return list(pool.map(partial(self._visit, stop, work), self.targets, limits))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def for_each_bucket(
        self, begin: Callable[[TargetSession], Callable[[BucketSettings], T]]
    ) -> list[Outcome[T]]:
        """Query each bucket of each target; `begin` is called once per target and returns the query."""
        return list(chain.from_iterable(self.for_each_target(partial(self._run_target, begin))))

    def _visit(
        self,
        stop: threading.Event,
        work: Callable[[TargetSession], U],
        target: TargetSettings,
        limits: ScanSettings,
    ) -> U:
        transport = Transport(self.traffic, stop, tls=target.tls, proxy_url=target.proxy_url)
        store = self.new_store(target, transport)
        try:
            return work(TargetSession(target, StoreClient(store, limits, stop)))
        finally:
            store.close()

    def _run_target(
        self, begin: Callable[[TargetSession], Callable[[BucketSettings], T]], session: TargetSession
    ) -> list[Outcome[T]]:
        found = attempt(session.find, session.target.name)
        if isinstance(found, Failure):
            return [Outcome(session.target, "", found)]
        buckets, selection = found
        if selection and selection.problem:
            return [Outcome(session.target, "", NothingFound(Reason.NOT_FOUND, selection.problem))]
        if session.target.discover:
            warn_of_endpoint(session.target, buckets)
        selected = [bucket for bucket in buckets if not self.bucket_names or bucket.name in self.bucket_names]
        self.listener.expect(len(selected))
        query = begin(session)

        def query_one(bucket: BucketSettings) -> T:
            try:
                return query(bucket)
            finally:
                self.listener.finish()

        return session.for_each(selected, query_one)


def attempt(query: Callable[[], T], target: str, bucket: str | None = None) -> T | Failure:
    """Return the query's result, or why it failed. Raises StoppingError, and what limits cause."""
    try:
        return query()
    except StoppingError:
        raise
    except StoreError as error:
        return Failure.of(error)
    except Exception as error:  # our own bug: reported, and the other queries go on
        if is_scarcity(error):
            raise
        failure = LoggedFailure.of(error)
        fields = {"target": target, "bucket": bucket, "error": failure.message}
        log.exception("asking failed unexpectedly", extra={"fields": fields})
        return failure
