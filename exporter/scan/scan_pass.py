"""One pass over a bucket's listing: pages, the sizing of uploads, and the cross-examination."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.model.errors import StoreError
from exporter.scan.examination.cross_examination import CrossExamination, RelistError
from exporter.scan.examination.gone import GoneUploads
from exporter.scan.examination.questions import Question, Questions
from exporter.scan.first_sight import NO_AGES
from exporter.scan.outcomes import OutcomeRecorder, PartsQuery
from exporter.scan.segments import ListingPages
from exporter.scan.sizing import Sizing
from exporter.stores.base import ListingStart
from exporter.stores.engine.retry import Deadline
from exporter.stores.pagination.joins import Join
from exporter.stores.pagination.listing import RestartError, list_next_page, uploads_paginator
from exporter.stores.pagination.segment_paginator import SegmentPaginator
from exporter.stores.time_limit import check_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings
    from exporter.model.results import Summary
    from exporter.scan.examination.cross_examination import ScanProgress
    from exporter.scan.tally import Tally
    from exporter.state.ledger import Ledger
    from exporter.stores.engine.concurrency import ConcurrencyLimit
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.store_client import StoreClient

LISTING_SHARE = 0.25
"""The last share of a scan's time is kept for the listing: counts and ages matter most."""


class ScanPass:
    """One pass over the listing; given up as a whole where the bucket has to be listed again."""

    def __init__(  # noqa: PLR0913 - what a pass depends on
        self,
        client: StoreClient,
        bucket: BucketSettings,
        ledger: Ledger,
        tally: Tally,
        *,
        executor: Executor,
        concurrency_limit: ConcurrencyLimit,
        deadline: float,
        on_calls_saved: Callable[[int], None],
        progress: ScanProgress,
        relists: bool,
    ) -> None:
        """Make it; `deadline` is the scan's, by the monotonic clock. `run` closes the executor.

        `relists` is whether uploads that ended meanwhile are looked for in a listing, as no later scan will.
        """
        self._settings = settings = client.settings
        self._may_encode = client.store.encodes_keys
        self._operation = client.store.page_operations.uploads
        self._tally = tally
        self._progress = progress
        self._monotonic = client.clocks.monotonic
        self._policy = client.retry_policy(Deadline(deadline))
        self._sizing_deadline = Deadline(deadline - LISTING_SHARE * settings.timeout)
        self._page_length = 0
        self._queued_by_page = 0
        self._listed = False
        self._relists = relists
        self._concurrency_limit = concurrency_limit
        self._executor = executor
        max_calls = math.inf if settings.max_requests is None else settings.max_requests
        sizing_policy = client.retry_policy(self._sizing_deadline, max_calls)
        self._outcomes = OutcomeRecorder(client, tally, ledger, on_calls_saved)
        self._sizing = Sizing(
            *(client, bucket, ledger, tally),
            outcomes=self._outcomes,
            executor=executor,
            retry_policy=sizing_policy,
        )
        self._questions = Questions(executor, self._sizing.budget, sizing_policy)
        self._gone = GoneUploads(
            *(bucket, ledger, self._outcomes, self._questions), by_name=client.store.lists_by_key
        )
        self._sizing.take_gone = self._gone.add
        self._examination = CrossExamination(
            *(client, bucket, ledger, self._questions, self._sizing),
            now=tally.now,
            progress=progress,
            listing_start=ListingStart.NOTHING if relists else executor.listing_start,
        )
        self._pages = ListingPages(
            *(executor, self._policy, self._examination.listing, self._examination.listed_bucket),
            may_encode=self._may_encode,
            note_one_stream=self._examination.note_one_stream,
        )

    @property
    def calls(self) -> int:
        """Number of calls made, those of passes before that were given up included."""
        return self._progress.calls + self._executor.sent

    def warning(self, summary: Summary) -> str:
        """Return why uploads are unsized or sized by old records, '' for nothing."""
        return self._outcomes.warning(summary)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the store does that was worked around, a sentence each."""
        return tuple(self._progress.notices)

    @property
    def unknown_key(self) -> str:
        """The first key that the store listed and then did not know, '' for none."""
        return self._outcomes.unknown_key

    def run(self) -> Summary:
        """Return the sums. Raises StoreError, RestartError, RelistError and StoppingError."""
        try:
            self._complete_all()
            self._review_gone()
            self._complete_all()
            self._examination.finish()
        except (RestartError, RelistError):
            self._drain()
            self._progress.calls = self.calls
            self._progress.in_one_stream = True
            raise
        except StoreError as error:
            error.requests = self.calls
            raise
        finally:
            self._executor.close()
        summary = self._tally.summary()
        if summary.uploads and self._outcomes.sight.is_needed and not self._outcomes.sight.is_used:
            self._progress.notices.setdefault(NO_AGES)
            summary = replace(summary, stale=None, stale_bytes=None)
        return replace(summary, unexamined=self._examination.is_undecided)

    def _complete_all(self) -> None:
        self._start_calls()
        while completed := self._executor.completed():
            for label, outcome in completed:
                if isinstance(label, PartsQuery):
                    self._sizing.complete(label, outcome)
                elif isinstance(label, Question):
                    label.answered(outcome)
                elif isinstance(label, SegmentPaginator | Join):
                    self._add_page(label, outcome)
            self._start_calls()

    def _drain(self) -> None:
        """Wait for the calls in flight, without retries: they may not run into those of the next pass."""
        self._sizing_deadline.at = self._monotonic()
        self._executor.skip_pauses()
        while self._executor.completed():
            pass

    def _add_page(self, label: SegmentPaginator | Join, outcome: Any) -> None:  # noqa: ANN401 - of its task
        """Count or queue the uploads of a page. Raises the error that the listing failed with."""
        found = self._pages.complete(label, outcome)
        if self._listed:  # a question that was under way when the segments were given up
            return
        check_time(self._operation)
        self._listed = listed = self._examination.listing.done and not self._pages.asked
        uploads = self._examination.watched(found, label if isinstance(label, SegmentPaginator) else None)
        if listed:
            self._extend_sizing()
        self._queued_by_page = -self._sizing.queue_length
        if self._tally.with_parts:
            self._sizing.add_page(uploads, listed=listed)
        else:
            self._tally.add_counted_all(self._outcomes.sight.date_all(uploads))
        self._queued_by_page += self._sizing.queue_length
        self._page_length = max(self._page_length, len(uploads))
        if listed:
            self._examination.begin()

    def _extend_sizing(self) -> None:
        """Let sizing have the time kept for the listing; where calls are rationed, one interval at most."""
        deadline = self._policy.deadline.at
        if self._settings.requests_per_second is not None:
            deadline = min(deadline, self._monotonic() + self._settings.interval)
        self._sizing_deadline.at = deadline

    def _start_calls(self) -> None:
        """Ask about queued uploads, and for the next page while those of the last are asked about."""
        limit, listed = self._concurrency_limit.limit, self._listed
        if listed:
            self._questions.start_calls(limit)
        self._sizing.start_calls(limit, other_tasks=self._pages.asked, listed=listed)
        if not listed:
            self._pages.start_calls(self._has_room)

    def _has_room(self, pages_asked: int) -> bool:
        """Whether no more than a page waits for sizing, if each page asked for adds what the last one did."""
        return self._sizing.queue_length + pages_asked * self._queued_by_page <= self._page_length

    def _review_gone(self) -> None:
        """Have those uploads asked for by name that are listed although they are gone."""
        if not (self._relists and self._gone.needs_listing):
            self._gone.finish(answers=self._outcomes.answers)
            return
        listing = uploads_paginator(by_key=self._examination.listing.by_key)
        while not listing.done:
            task = list_next_page(listing, self._examination.listed_bucket, may_encode=self._may_encode)
            self._executor.start(task, None, self._policy)
            [(_, outcome)] = self._executor.completed()
            if isinstance(outcome, Exception):
                self._gone.count_held()
                return
            self._gone.add_listed_again(outcome)
        self._gone.drop_held()
