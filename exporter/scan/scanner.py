"""One bucket in, one result out: lists its uploads, sizes them, and adds up what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.model.results import ScanResult
from exporter.model.top_uploads import TopUploads
from exporter.scan.examination.cross_examination import RelistError, ScanProgress
from exporter.scan.scan_pass import ScanPass
from exporter.scan.tally import Tally
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.pagination.listing import RestartError
from exporter.stores.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.results import Summary
    from exporter.model.uploads import CountedUpload
    from exporter.scan.enrich import Enrichment
    from exporter.scan.groups import Groups
    from exporter.state.ledger import Ledger
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.store_client import StoreClient

MAX_RESTARTS = 2
"""Maximum number of times that a listing is begun again because the store no longer knows its marker."""

UploadObserver = Callable[["CountedUpload"], None]
"""Is called with each upload that a scan counts."""


class Scanner:
    """Scans the buckets of one target, each with its own ledger."""

    def __init__(  # noqa: PLR0913 - what a scan depends on
        self,
        client: StoreClient,
        ages: Sequence[float],
        *,
        new_concurrency_limit: Callable[[int], ConcurrencyLimit] = ConcurrencyLimit,
        on_calls_saved: Callable[[int], None] = lambda _: None,
        top_uploads_limit: int = 0,
        enrichment: Enrichment | None = None,
        relists_gone: bool = False,
    ) -> None:
        """Make a scanner of the client's store, with the client's settings.

        `new_concurrency_limit` makes the limit of one bucket's calls in flight, given its maximum;
        `on_calls_saved` is called with numbers of calls that stored records made needless. Results hold the
        top uploads by each order, `top_uploads_limit` at most, and what `enrichment` adds. With
        `relists_gone` a bucket is listed once more where uploads were gone: no later scan looks for them.
        """
        self.client = client
        self.on_calls_saved = on_calls_saved
        self._settings = client.settings
        self._ages = ages
        self._new_concurrency_limit = new_concurrency_limit
        self._top_uploads_limit = top_uploads_limit
        self._enrichment = enrichment
        self._relists_gone = relists_gone
        self._concurrency_limits: dict[str, ConcurrencyLimit] = {}

    def scan(
        self,
        bucket: BucketSettings,
        ledger: Ledger,
        new_observers: Callable[[], Sequence[UploadObserver]] = tuple,
    ) -> ScanResult:
        """Return the sums over the bucket's uploads.

        `new_observers` is called at the start, and again where the listing starts over: what the observers
        before were given no longer counts then. Raises StoreError where the listing failed or did not end
        within `scan.timeout`, StoppingError where the client's `stop` was set.
        """
        clocks = self.client.clocks
        started, now = clocks.monotonic(), clocks.wall()
        with time_limit(started + self._settings.timeout, clocks.monotonic, self.client.stop):
            return self._scan(bucket, ledger, new_observers, started, now)

    def _scan(
        self,
        bucket: BucketSettings,
        ledger: Ledger,
        new_observers: Callable[[], Sequence[UploadObserver]],
        started: float,
        now: float,
    ) -> ScanResult:
        """Return what `scan` does; `started` is by the monotonic clock, `now` in Unix seconds."""
        deadline = started + self._settings.timeout
        progress, restarts = ScanProgress(ledger), 0
        if self._enrichment:
            self._enrichment.begin(bucket, deadline)
        while restarts <= MAX_RESTARTS:
            ledger.begin()
            top_uploads, groups = self._new_collectors()
            observers = [*(each.add for each in (top_uploads, groups) if each), *new_observers()]
            tally = self._tally(bucket, now, observers)
            scan_pass = self._new_pass(bucket, ledger, tally, deadline, progress)
            try:
                summary = scan_pass.run()
            except RelistError:
                continue
            except RestartError:
                restarts += 1
                continue
            if self._enrichment:
                summary = self._enrichment.enrich(summary, bucket, groups, deadline)
            result = self._result(scan_pass, summary, started, top_uploads)
            ledger.commit(result)
            return result
        raise StoreError(Reason.BAD_RESPONSE, "the store forgot its own marker again and again")

    def _new_pass(
        self, bucket: BucketSettings, ledger: Ledger, tally: Tally, deadline: float, progress: ScanProgress
    ) -> ScanPass:
        return ScanPass(
            *(self.client, bucket, ledger, tally),
            executor=self.open(bucket, deadline),
            concurrency_limit=self.concurrency_limit(bucket),
            deadline=deadline,
            on_calls_saved=self.on_calls_saved,
            progress=progress,
            relists=self._relists_gone,
        )

    def _new_collectors(self) -> tuple[TopUploads | None, Groups | None]:
        top_uploads = TopUploads(self._top_uploads_limit) if self._top_uploads_limit else None
        return top_uploads, self._enrichment.new_groups() if self._enrichment else None

    def _result(
        self, scan_pass: ScanPass, summary: Summary, started: float, top_uploads: TopUploads | None
    ) -> ScanResult:
        clocks = self.client.clocks
        duration = clocks.monotonic() - started
        return ScanResult(
            summary,
            clocks.wall(),
            duration,
            scan_pass.warning(summary),
            top_uploads,
            scan_pass.calls,
            notices=scan_pass.notices,
            unknown_key=scan_pass.unknown_key,
        )

    def open(self, bucket: BucketSettings, deadline: float) -> Executor:
        """Return an executor of calls about the bucket, under the target's limits, before `deadline`.

        Raises StoreError and StoppingError.
        """
        return self.client.open(bucket, deadline, self.concurrency_limit(bucket))

    def concurrency_limit(self, bucket: BucketSettings) -> ConcurrencyLimit:
        """Return the limit of the bucket's calls in flight; it is kept between scans."""
        limit = self._concurrency_limits.get(bucket.name)
        if limit is None:
            limit = self._new_concurrency_limit(self._settings.concurrency)
            self._concurrency_limits[bucket.name] = limit
        return limit

    def keep_only(self, names: Container[str]) -> None:
        """Forget what is kept between scans of all buckets but those of these names."""
        for name in self._concurrency_limits.copy():  # a copy: scans add to them
            if name not in names:
                self._concurrency_limits.pop(name, None)
        if self._enrichment:
            self._enrichment.keep_only(names)
        self.client.store.keep_only(names)

    def _tally(self, bucket: BucketSettings, now: float, observers: Sequence[UploadObserver]) -> Tally:
        with_parts = self._settings.parts != "never"
        return Tally(
            now=now,
            stale_after=bucket.stale_after,
            ages=self._ages,
            with_parts=with_parts,
            observer=_combined(observers),
        )


def _combined(observers: Sequence[UploadObserver]) -> UploadObserver | None:
    """Return one observer that calls all of them, None for none."""
    if len(observers) < 2:  # noqa: PLR2004 - none or one
        return observers[0] if observers else None

    def observe(found: CountedUpload) -> None:
        for observer in observers:
            observer(found)

    return observe
