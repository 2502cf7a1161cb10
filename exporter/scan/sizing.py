"""Which of a bucket's uploads are asked for their parts, and when."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from exporter.model.errors import GoneError, NotAnUploadError, StoreError
from exporter.model.uploads import PartTotals, in_batches
from exporter.scan.known_chunks import KnownChunks
from exporter.scan.outcomes import OUT_OF_TIME, OVER_BUDGET, PartsQuery
from exporter.scan.priority import DueUpload, ListingOrderQueue, UrgencyQueue
from exporter.scan.recheck import is_current
from exporter.scan.refusal_breaker import RefusalBreaker
from exporter.scan.request_budget import RequestBudget
from exporter.stores.pagination.part_listing import sum_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Upload
    from exporter.scan.known_chunks import Chunk
    from exporter.scan.outcomes import OutcomeRecorder
    from exporter.scan.priority import WaitingChunk
    from exporter.scan.tally import Tally
    from exporter.state.ledger import Ledger
    from exporter.state.rows import RememberedUpload, UploadRecord
    from exporter.stores.base import PartSum
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.retry import RetryPolicy
    from exporter.stores.engine.store_client import StoreClient

MAX_BEHIND_PROBE = 10_000
"""Maximum number of uploads that wait for the outcome of a probe; the others wait for the next scan."""


class Sizing:
    """Sizes the uploads of one pass over a listing: those that are due, within the request budget."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        client: StoreClient,
        bucket: BucketSettings,
        ledger: Ledger,
        tally: Tally,
        *,
        outcomes: OutcomeRecorder,
        executor: Executor,
        retry_policy: RetryPolicy,
    ) -> None:
        """Make it without uploads; its calls are run by `executor` under `retry_policy`."""
        settings = client.settings
        self._new_sum = client.store.new_part_sum
        self._monotonic = client.clocks.monotonic
        self._is_rate_limited = settings.requests_per_second is not None
        self._bucket = bucket
        self._ledger = ledger
        self._now = tally.now
        self._executor = executor
        self._retry_policy = retry_policy
        self._recheck = outcomes.recheck
        self._sight = outcomes.sight
        self._outcomes = outcomes
        self.budget = RequestBudget(settings, executor, retry_policy.deadline, self._monotonic)
        self.take_gone: Callable[[Upload], None] = outcomes.add_unknown
        """Receives each upload that ListParts does not know."""
        uses_records = self._outcomes.uses_records
        self._breaker = RefusalBreaker(ledger, tally.now, across_scans=uses_records)
        self._by_urgency = self.budget.is_limited or (self._breaker.is_tripped and uses_records)
        self._queue = UrgencyQueue() if self._by_urgency else ListingOrderQueue()
        self._chunks = (
            KnownChunks(tally, ledger, outcomes) if uses_records and not tally.is_observed else None
        )
        self._to_skip = 0 if uses_records else self._breaker.skipped_by_probe()
        outcomes.reason = self._breaker.message if self._breaker.is_open else ""

    @property
    def queue_length(self) -> int:
        """Number of uploads to be asked about before another page is needed."""
        return 0 if self._by_urgency else len(self._queue)

    def add_page(self, uploads: Collection[Upload], *, listed: bool) -> None:
        """Count the uploads of a page that need not be asked about, and queue the others.

        `listed` is true for the last page of the listing.
        """
        if self._outcomes.keeps_records:
            saved = sum(self._add_remembered(some) for some in in_batches(list(uploads)))
            self._outcomes.on_calls_saved(saved)
        else:
            for upload in uploads:
                self._queue.add(DueUpload(upload, 0, None))
        if self._by_urgency:
            for due in self._queue.trim(self._max_queue_length(listed=listed)):
                reason = self._breaker.message if self._breaker.is_tripped else OVER_BUDGET
                self._outcomes.add_unasked(due, reason)

    def _add_remembered(self, uploads: Sequence[Upload]) -> int:
        """Count or queue uploads by their records; returns the number of calls that these save."""
        if self._chunks is None:
            return self._add_each(uploads, self._ledger.look_up(uploads))
        chunks, saved = self._chunks.count(uploads)
        found = iter(self._ledger.find([upload for chunk in chunks for upload in chunk.uploads]))
        return saved + sum(
            self._add_chunk(self._chunks, chunk, list(islice(found, len(chunk.uploads)))) for chunk in chunks
        )

    def _add_chunk(
        self, chunks: KnownChunks, chunk: Chunk, found: Sequence[tuple[int, UploadRecord | None]]
    ) -> int:
        """Count those of a chunk's uploads that are current, and queue the others."""
        opened = chunks.open(chunk.key, [row_id for row_id, _ in found])
        for listed, (row_id, known) in zip(chunk.uploads, found, strict=True):
            upload, record = self._sight.date(listed, row_id, known)
            due_at = self._current_until(row_id, record)
            if record is None or due_at is None:
                self._queue.add(
                    self._due_upload(upload, row_id, record, None if self._by_urgency else opened)
                )
            else:
                opened.add(upload, row_id, record, due_at)
        chunks.count_current(opened, found)
        return opened.calls

    def _add_each(self, uploads: Sequence[Upload], found: Sequence[tuple[int, UploadRecord | None]]) -> int:
        return sum(self._add_upload(upload, *known) for upload, known in zip(uploads, found, strict=True))

    def _add_upload(self, upload: Upload, row_id: int, record: UploadRecord | None) -> int:
        """Count a listed upload or queue it; returns the number of calls that its record saves."""
        return self._add_dated(row_id, *self._sight.date(upload, row_id, record))

    def add_unlisted(self, upload: Upload, remembered: RememberedUpload, *, is_seen: bool) -> None:
        """Count or queue an upload that the listing lacks; one without a name by its record.

        It `is_seen` where the listing of its key has it.
        """
        row_id, known, _ = remembered
        dated, record = self._sight.date(upload, row_id, known) if is_seen else (upload, known)
        self._outcomes.mark_unlisted(upload)
        if upload.is_nameless:
            self._outcomes.add_current(upload, known)
        elif self._by_urgency:  # the order of the queue is fixed by now
            self._outcomes.add_unasked(DueUpload(dated, row_id, record), OVER_BUDGET)
        else:
            self._outcomes.on_calls_saved(self._add_dated(row_id, dated, record))

    def _max_queue_length(self, *, listed: bool) -> int:
        limit = self.budget.max_uploads(listed=listed)
        return min(limit, MAX_BEHIND_PROBE) if self._breaker.is_tripped else limit

    def _add_dated(self, row_id: int, upload: Upload, record: UploadRecord | None) -> int:
        if record is None or self._current_until(row_id, record) is None:
            self._queue.add(self._due_upload(upload, row_id, record))
            return 0
        return self._outcomes.add_current(upload, record)

    def _current_until(self, row_id: int, record: UploadRecord | None) -> float | None:
        """Return when an upload comes due (Unix seconds), None where it is to be asked about now."""
        if not self._outcomes.uses_records or record is None or record.parts is None:
            return None
        due_at = self._recheck.due(row_id, record.checked_at, record.idle_since)
        return due_at if is_current(self._now, record.checked_at, due_at) else None

    def _due_upload(
        self, upload: Upload, row_id: int, record: UploadRecord | None, chunk: WaitingChunk | None = None
    ) -> DueUpload:
        if not self._outcomes.uses_records or record is None or record.parts is None:
            urgency = (record.failed_at or 0.0) if record else 0.0
        else:
            due_at = self._recheck.due(row_id, record.checked_at, record.idle_since)
            urgency = max(due_at, record.failed_at or due_at)
        return DueUpload(upload, row_id, record, urgency, chunk)

    def start_calls(self, max_concurrency: int, *, other_tasks: int, listed: bool) -> None:
        """Ask about queued uploads until `max_concurrency` are under way, besides the executor's other tasks.

        By urgency, the order is known only once all uploads are `listed`.
        """
        if listed:
            self.budget.end_listing()
        elif self._by_urgency:
            return
        while len(self._queue) and self._executor.active < self._max_calls(max_concurrency) + other_tasks:
            self._start(self._queue.pop())

    def _max_calls(self, max_concurrency: int) -> int:
        allowed = self._breaker.max_calls
        return max_concurrency if allowed is None else min(max_concurrency, allowed)

    def _start(self, due: DueUpload) -> None:
        reason = self._reason_not_to_ask()
        if reason is not None:
            self._outcomes.add_unasked(due, reason)
            return
        part_sum = self._new_part_sum(due.record)
        parts = (due.record.parts or 0) if due.record else 0
        calls = self._outcomes.calls_to_list(parts - part_sum.contiguous_parts)
        if not self.budget.reserve(calls):
            self._outcomes.add_unasked(due, OVER_BUDGET)
            return
        task = sum_parts(self._bucket, due.upload, part_sum)
        self._executor.start(task, PartsQuery(due, part_sum, calls), self._retry_policy)

    def _reason_not_to_ask(self) -> str | None:
        """Return why the next upload is not asked about, None where it is."""
        skip = self._to_skip > 0
        self._to_skip -= skip
        if self._breaker.is_open or skip:
            return self._outcomes.reason or self._breaker.message
        if self._monotonic() >= self._retry_policy.deadline.at:
            return OVER_BUDGET if self._is_rate_limited else OUT_OF_TIME
        return None

    def _new_part_sum(self, record: UploadRecord | None) -> PartSum:
        """Return what adds up the parts, prefilled with the contiguous ones of the record.

        Not prefilled, so that all parts are read, if at the next check the last full reading would be older
        than the maximum delay.
        """
        part_sum = self._new_sum()
        if record and record.mark is not None:
            part_sum.expect(record.mark)
        if not (self._outcomes.uses_records and record and record.contiguous_parts):
            return part_sum
        if record.read_in_full_at is not None:
            next_check = self._now + self._recheck.delay(self._now, record.idle_since)
            if next_check < record.read_in_full_at + self._recheck.max_delay:
                activity = record.idle_since if record.dated else None
                part_sum.restart(record.contiguous_parts, record.contiguous_bytes or 0, activity)
        return part_sum

    def complete(self, query: PartsQuery, outcome: PartTotals | StoreError) -> None:
        """Count an upload by the outcome of its query."""
        self.budget.release(query.calls)
        if isinstance(outcome, PartTotals):
            self._breaker.succeeded()
            self._outcomes.add_sized(query, outcome)
        elif isinstance(outcome, GoneError):
            self._outcomes.answers += 1
            self.take_gone(self._sight.end(*query.due[:3]))
        elif isinstance(outcome, NotAnUploadError):
            self._breaker.succeeded()
            self._outcomes.add_no_upload(query.due)
        else:
            record = query.due.record
            self._outcomes.add_failed(query.due, outcome)
            self._breaker.failed(outcome, failed_before=bool(record and record.failed_at))
