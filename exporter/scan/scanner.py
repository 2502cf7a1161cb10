"""One bucket in, one result out: lists its uploads, sizes them, and adds up what they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.model.results import ScanResult
from exporter.model.top_uploads import TopUploads
from exporter.scan.recheck import Recheck
from exporter.scan.sizing import OUT_OF_TIME, Asked, Sizing
from exporter.scan.tally import Tally
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.rate_limit import RateLimit
from exporter.stores.engine.retry import Deadline, RetryPolicy
from exporter.stores.pagination import RestartError, list_next_page, uploads_paginator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.results import Summary
    from exporter.model.uploads import Found, Upload
    from exporter.scan.enrich import Enrichment
    from exporter.state.ledger import Ledger
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.store_client import StoreClient

RESTARTS = 2
"""How often a listing whose marker the store no longer knows is begun again."""
LISTING_SHARE = 0.25
"""The last share of a scan's time is kept for the listing: counts and ages matter most."""


class Scanner:
    """Scans the buckets of one target, each with its own ledger."""

    def __init__(  # noqa: PLR0913 - what a scan depends on
        self,
        client: StoreClient,
        ages: Sequence[float],
        *,
        new_pace: Callable[[int], ConcurrencyLimit] = ConcurrencyLimit,
        saved: Callable[[int], None] = lambda _: None,
        worst_limit: int = 0,
        insight: Enrichment | None = None,
    ) -> None:
        """Make a scanner of the client's store, with the client's settings.

        `new_pace` makes what adapts a bucket's calls in flight, of which there are so many at most; `saved`
        is told of calls that what is remembered made needless. Results hold so many of the worst uploads, and
        what `insight` adds.
        """
        self.client = client
        self.clocks = client.clocks
        self.settings = settings = client.settings
        self._ages = ages
        self._new_pace = new_pace
        self.saved = saved
        self.recheck = Recheck(settings.recheck_factor, settings.recheck_at_least)
        self._rate = RateLimit(settings.requests_per_second) if settings.requests_per_second else None
        self._worst_limit = worst_limit
        self._insight = insight
        self._paces: dict[str, ConcurrencyLimit] = {}

    def scan(
        self,
        bucket: BucketSettings,
        ledger: Ledger,
        new_watch: Callable[[], Callable[[Found], None]] | None = None,
    ) -> ScanResult:
        """Return what the bucket's uploads are and hold.

        `new_watch` returns what is told of each upload; it is called anew where the listing starts over.

        Raises StoreError where the listing failed or did not end within `scan.timeout`, StoppingError where
        the client's `stop` was set. An upload that cannot be sized is counted and fails nothing.
        """
        started, now, sent = self.clocks.monotonic(), self.clocks.wall(), 0
        for _ in range(1 + RESTARTS):
            ledger.begin()
            worst = TopUploads(self._worst_limit) if self._worst_limit else None
            groups = self._insight.groups() if self._insight else None
            watch = _both(worst.add if worst else None, new_watch() if new_watch else None)
            watch = _both(watch, groups.add if groups else None)
            tally = self._tally(bucket, now, watch)
            try:
                done = _Pass(self, bucket, ledger, tally, started + self.settings.timeout, sent_before=sent)
                summary = done.run()
            except RestartError:
                sent = done.requests
                continue
            if self._insight:
                deadline = started + self.settings.timeout
                summary = self._insight.added_to(summary, bucket, groups, deadline)
            duration = self.clocks.monotonic() - started
            trouble = (done.trouble or OUT_OF_TIME) if summary.unsized or summary.overdue else ""
            result = ScanResult(summary, self.clocks.wall(), duration, trouble, worst, done.requests)
            ledger.commit(result)
            return result
        raise StoreError(Reason.BAD_RESPONSE, "the store forgot its own marker again and again")

    def open(self, bucket: BucketSettings, deadline: float) -> Executor:
        """Return what makes the calls of one pass over the bucket, before `deadline`."""
        return self.client.open(bucket, deadline, self.pace(bucket), self._rate)

    def pace(self, bucket: BucketSettings) -> ConcurrencyLimit:
        """Return what adapts the bucket's calls in flight; it outlasts the scan."""
        if bucket.name not in self._paces:
            self._paces[bucket.name] = self._new_pace(self.settings.concurrency)
        return self._paces[bucket.name]

    def _tally(self, bucket: BucketSettings, now: float, watch: Callable[[Found], None] | None) -> Tally:
        with_parts = self.settings.parts != "never"
        return Tally(
            now=now, stale_after=bucket.stale_after, ages=self._ages, with_parts=with_parts, watch=watch
        )


def _both(
    one: Callable[[Found], None] | None, other: Callable[[Found], None] | None
) -> Callable[[Found], None] | None:
    if one is None or other is None:
        return one or other

    def watch(found: Found) -> None:
        one(found)
        other(found)

    return watch


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
        sent_before: int,
    ) -> None:
        settings = scanner.settings
        self._settings = settings
        self._bucket = bucket
        self._tally = tally
        self._now = scanner.clocks.monotonic
        self._patience = RetryPolicy(settings.request_timeout, settings.retries, Deadline(deadline))
        self._listing = uploads_paginator()
        self._page_length = 0
        self._pace = scanner.pace(bucket)
        self._sizing = Sizing(
            store=scanner.client.store,
            settings=settings,
            bucket=bucket,
            ledger=ledger,
            recheck=scanner.recheck,
            tally=tally,
            patience=self._patience_of_sizing(deadline),
            now=self._now,
            saved=scanner.saved,
        )
        self._sent_before = sent_before
        self._flows = scanner.open(bucket, deadline)

    @property
    def trouble(self) -> str:
        """Why uploads were not sized, or not as lately as promised; '' where no reason is known."""
        return self._sizing.trouble

    @property
    def requests(self) -> int:
        """How many calls were made, those of given up passes included."""
        return self._sent_before + self._flows.sent

    def _patience_of_sizing(self, deadline: float) -> RetryPolicy:
        settings = self._settings
        ends = deadline - LISTING_SHARE * settings.timeout
        most = math.inf if settings.max_requests is None else settings.max_requests
        return RetryPolicy(settings.request_timeout, settings.retries, Deadline(ends), most)

    def run(self) -> Summary:
        try:
            self._ask_for_page()
            while ended := self._flows.completed():
                for asked, outcome in ended:
                    if isinstance(asked, Asked):
                        self._sizing.settle(asked, outcome)
                    else:
                        self._take_page(outcome)
                self._go_on()
        except RestartError:
            self._sizing.patience.deadline.at = self._now()  # what is in flight is not tried again
            self._flows.skip_pauses()
            while self._flows.completed():
                pass
            raise
        except StoreError as error:
            error.requests = self.requests
            raise
        finally:
            self._flows.close()
        self._sizing.finish()
        return self._tally.summary()

    def _ask_for_page(self) -> None:
        self._page_asked = True
        self._flows.start(list_next_page(self._listing, self._bucket), None, self._patience)

    def _take_page(self, outcome: Collection[Upload] | StoreError | RestartError) -> None:
        """Take the uploads of a page; those to be sized wait for their turn."""
        self._page_asked = False
        if isinstance(outcome, StoreError | RestartError):
            raise outcome
        self._page_length = len(outcome)
        if self._listing.done:
            self._give_time_left()
        if self._tally.with_parts:
            self._sizing.take(outcome, self._flows, listed=self._listing.done)
        else:
            self._tally.add_counted_all(outcome)

    def _give_time_left(self) -> None:
        """Let sizing have all the time; where it is slow on purpose, no more than the next scan leaves it."""
        ends = self._patience.deadline.at
        if self._settings.requests_per_second is not None:
            ends = min(ends, self._now() + self._settings.interval)
        self._sizing.patience.deadline.at = ends

    def _go_on(self) -> None:
        """Size as many uploads as may be asked about; have the next page come while the last is sized."""
        self._sizing.start(self._flows, self._pace, others=int(self._page_asked), listed=self._listing.done)
        if not (self._listing.done or self._page_asked) and self._sizing.waiting <= self._page_length:
            self._ask_for_page()
