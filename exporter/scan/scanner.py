"""One bucket in, one result out: lists its uploads, sizes them, and adds up what they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.model.results import ScanResult
from exporter.model.top_uploads import TopUploads
from exporter.scan.outcomes import OUT_OF_TIME, PartsQuery
from exporter.scan.sizing import Sizing
from exporter.scan.tally import Tally
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.rate_limit import RateLimit
from exporter.stores.engine.retry import Deadline
from exporter.stores.pagination import RestartError, list_next_page, uploads_paginator

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.results import Summary
    from exporter.model.uploads import CountedUpload, Upload
    from exporter.scan.enrich import Enrichment
    from exporter.scan.groups import Groups
    from exporter.state.ledger import Ledger
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.store_client import StoreClient

MAX_RESTARTS = 2
"""Maximum number of times that a listing is begun again because the store no longer knows its marker."""
LISTING_SHARE = 0.25
"""The last share of a scan's time is kept for the listing: counts and ages matter most."""

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
    ) -> None:
        """Make a scanner of the client's store, with the client's settings.

        `new_concurrency_limit` makes the limit of one bucket's calls in flight, given its maximum;
        `on_calls_saved` is called with numbers of calls that stored records made needless. Results hold the
        top uploads by each order, `top_uploads_limit` at most, and what `enrichment` adds.
        """
        self.client = client
        self.on_calls_saved = on_calls_saved
        self._settings = client.settings
        self._ages = ages
        self._new_concurrency_limit = new_concurrency_limit
        per_second = client.settings.requests_per_second
        self._rate_limit = RateLimit(per_second) if per_second else None
        self._top_uploads_limit = top_uploads_limit
        self._enrichment = enrichment
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
        started, now, calls = self.client.clocks.monotonic(), self.client.clocks.wall(), 0
        deadline = started + self._settings.timeout
        for _ in range(1 + MAX_RESTARTS):
            ledger.begin()
            top_uploads, groups = self._new_collectors()
            observers = [*(each.add for each in (top_uploads, groups) if each), *new_observers()]
            tally = self._tally(bucket, now, observers)
            listing = _Pass(self, bucket, ledger, tally, deadline, calls_before=calls)
            try:
                summary = listing.run()
            except RestartError:
                calls = listing.calls
                continue
            if self._enrichment:
                summary = self._enrichment.enrich(summary, bucket, groups, deadline)
            ledger.commit(result := self._result(listing, summary, started, top_uploads))
            return result
        raise StoreError(Reason.BAD_RESPONSE, "the store forgot its own marker again and again")

    def _new_collectors(self) -> tuple[TopUploads | None, Groups | None]:
        top_uploads = TopUploads(self._top_uploads_limit) if self._top_uploads_limit else None
        return top_uploads, self._enrichment.new_groups() if self._enrichment else None

    def _result(
        self, listing: _Pass, summary: Summary, started: float, top_uploads: TopUploads | None
    ) -> ScanResult:
        clocks = self.client.clocks
        duration = clocks.monotonic() - started
        warning = (listing.warning or OUT_OF_TIME) if summary.unsized or summary.overdue else ""
        return ScanResult(summary, clocks.wall(), duration, warning, top_uploads, listing.calls)

    def open(self, bucket: BucketSettings, deadline: float) -> Executor:
        """Return an executor of calls about the bucket, under the target's limits, before `deadline`.

        Raises StoreError and StoppingError.
        """
        return self.client.open(bucket, deadline, self.concurrency_limit(bucket), self._rate_limit)

    def concurrency_limit(self, bucket: BucketSettings) -> ConcurrencyLimit:
        """Return the limit of the bucket's calls in flight; it is kept between scans."""
        if bucket.name not in self._concurrency_limits:
            limit = self._new_concurrency_limit(self._settings.concurrency)
            self._concurrency_limits[bucket.name] = limit
        return self._concurrency_limits[bucket.name]

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


class _Pass:
    """One pass over the listing; given up as a whole where the listing has to start over."""

    def __init__(  # noqa: PLR0913 - what a pass depends on
        self,
        scanner: Scanner,
        bucket: BucketSettings,
        ledger: Ledger,
        tally: Tally,
        deadline: float,
        *,
        calls_before: int,
    ) -> None:
        client = scanner.client
        self._settings = settings = client.settings
        self._bucket = bucket
        self._tally = tally
        self._monotonic = client.clocks.monotonic
        self._policy = client.retry_policy(Deadline(deadline))
        self._sizing_deadline = Deadline(deadline - LISTING_SHARE * settings.timeout)
        self._listing = uploads_paginator()
        self._page_length = 0
        self._concurrency_limit = scanner.concurrency_limit(bucket)
        self._calls_before = calls_before
        self._executor = scanner.open(bucket, deadline)
        max_calls = math.inf if settings.max_requests is None else settings.max_requests
        self._sizing = Sizing(
            *(client, bucket, ledger, tally),
            executor=self._executor,
            retry_policy=client.retry_policy(self._sizing_deadline, max_calls),
            on_calls_saved=scanner.on_calls_saved,
        )

    @property
    def warning(self) -> str:
        """Why uploads were not sized, or not as lately as promised; '' where no reason is known."""
        return self._sizing.warning

    @property
    def calls(self) -> int:
        """Number of calls made, those of passes before that were given up included."""
        return self._calls_before + self._executor.sent

    def run(self) -> Summary:
        """Return the sums. Raises StoreError, RestartError and StoppingError."""
        try:
            self._ask_for_page()
            while ended := self._executor.completed():
                for label, outcome in ended:
                    if isinstance(label, PartsQuery):
                        self._sizing.complete(label, outcome)
                    else:
                        self._add_page(outcome)
                self._start_calls()
        except RestartError:
            self._drain()
            raise
        except StoreError as error:
            error.requests = self.calls
            raise
        finally:
            self._executor.close()
        self._sizing.finish()
        return self._tally.summary()

    def _drain(self) -> None:
        """Wait for the calls in flight, without retries: they may not run into those of the next pass."""
        self._sizing_deadline.at = self._monotonic()
        self._executor.skip_pauses()
        while self._executor.completed():
            pass

    def _ask_for_page(self) -> None:
        self._page_asked = True
        self._executor.start(list_next_page(self._listing, self._bucket), None, self._policy)

    def _add_page(self, outcome: Collection[Upload] | StoreError | RestartError) -> None:
        """Count or queue the uploads of a page. Raises the error that the page failed with."""
        self._page_asked = False
        if isinstance(outcome, StoreError | RestartError):
            raise outcome
        self._page_length = len(outcome)
        if self._listing.done:
            self._extend_sizing()
        if self._tally.with_parts:
            self._sizing.add_page(outcome, listed=self._listing.done)
        else:
            self._tally.add_counted_all(outcome)

    def _extend_sizing(self) -> None:
        """Let sizing have the time kept for the listing; where calls are rationed, one interval at most."""
        deadline = self._policy.deadline.at
        if self._settings.requests_per_second is not None:
            deadline = min(deadline, self._monotonic() + self._settings.interval)
        self._sizing_deadline.at = deadline

    def _start_calls(self) -> None:
        """Ask about queued uploads, and for the next page while those of the last are asked about."""
        limit, listed = self._concurrency_limit.limit, self._listing.done
        self._sizing.start_calls(limit, other_tasks=int(self._page_asked), listed=listed)
        if not (listed or self._page_asked) and self._sizing.queue_length <= self._page_length:
            self._ask_for_page()
