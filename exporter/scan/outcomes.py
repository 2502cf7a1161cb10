"""Outcomes of questions about uploads in; tally and ledger updated, and the reason why any is unsized."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import PartTotals
from exporter.scan.first_sight import FirstSight
from exporter.scan.recheck import Recheck
from exporter.state.records import ContiguousParts

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.errors import StoreError
    from exporter.model.results import Summary
    from exporter.model.uploads import Upload
    from exporter.scan.priority import DueUpload
    from exporter.scan.tally import Tally
    from exporter.state.ledger import Ledger
    from exporter.state.rows import UploadRecord
    from exporter.stores.base import PartSum
    from exporter.stores.engine.store_client import StoreClient

DEFAULT_PAGE_SIZE = 1000
"""Number of parts on a page where scan.page_size is not set."""
OUT_OF_TIME = "no time was left to list their parts, or their sizes cannot be read"
OVER_BUDGET = (
    "scan.max_requests or scan.requests_per_second leaves no request for them: "
    "they are asked about in a later scan"
)


class PartsQuery(NamedTuple):
    """An upload whose parts are being listed, their sum so far, and the number of calls expected for it."""

    due: DueUpload
    part_sum: PartSum
    calls: int


class OutcomeRecorder:
    """Counts each upload of one pass by what is known of it, and stores in the ledger what was learnt.

    `reason` says why uploads were left unsized, or are not sized as lately as promised; '' for no reason.
    """

    def __init__(
        self,
        client: StoreClient,
        tally: Tally,
        ledger: Ledger,
        on_calls_saved: Callable[[int], None],
    ) -> None:
        """Make it for one pass; `on_calls_saved` is called with the number of calls that records saved."""
        settings = client.settings
        self.reason = ""
        self.unknown_key = ""
        """The first key that the store listed and then did not know."""
        self.uses_records = settings.parts == "remembered"
        self.sight = FirstSight(ledger, client.store, client.clocks.wall)
        times_are_known = client.store.has_part_times and client.store.has_initiation_times
        self.keeps_records = self.uses_records or not times_are_known
        """Also with `parts: always`, if the store lacks times: activity is a change between scans."""
        self._keep_for = settings.keep_for
        self._tally = tally
        self._ledger = ledger
        self.recheck = Recheck(settings.recheck_factor, settings.recheck_at_least)
        self.on_calls_saved = on_calls_saved
        self._parts_per_page = (
            settings.page_size or DEFAULT_PAGE_SIZE if client.store.page_operations.parts_in_pages else None
        )
        self.answers = 0
        """Number of uploads about whose parts the store answered, or failed to."""
        self._unknown = 0

    def calls_to_list(self, parts: int) -> int:
        """Return the number of calls that it takes to list so many parts."""
        return 1 + max(0, parts - 1) // self._parts_per_page if self._parts_per_page else 1

    def add_current(self, upload: Upload, record: UploadRecord) -> int:
        """Count an upload by its record, which need not be checked yet; returns the calls that this saves."""
        if record.is_no_upload:
            return 1
        self._tally.add_sized(upload, totals_of(record))
        return self.calls_to_list(record.parts or 0)

    def add_unasked(self, due: DueUpload, reason: str) -> None:
        """Count an upload that is not asked about, by its record though that is too old, or as unsized."""
        self.reason = self.reason or reason
        self._ledger.hold_findings(due.upload)
        record = due.record
        if record and self.uses_records and self._still_counts(due.row_id, record, reason):
            if not record.is_no_upload:
                self._tally.add_overdue(due.upload, totals_of(record))
        else:
            self._tally.add_unsized(due.upload)

    def _still_counts(self, row_id: int, record: UploadRecord, reason: str) -> bool:
        """Whether an old record may still be used.

        With the budget as the reason, always; otherwise for as long as values outlive failing scans.
        """
        if record.parts is None:
            return False
        due_at = self.recheck.due(row_id, record.checked_at, record.idle_since)
        return reason == OVER_BUDGET or self._tally.now <= due_at + self._keep_for

    def add_sized(self, query: PartsQuery, totals: PartTotals) -> None:
        """Count an upload whose parts were listed."""
        self.answers += 1
        (upload, row_id, before, _, chunk), part_sum, _ = query
        if not self.keeps_records:
            self._tally.add_sized(upload, totals)
            return
        upload = self.sight.date_anew(upload, totals, before)
        now, contiguous = self._tally.now, None
        if self._parts_per_page and part_sum.contiguous_parts >= self._parts_per_page:
            read_at = before.read_in_full_at if before and part_sum.skipped_parts else now
            contiguous = ContiguousParts(part_sum.contiguous_parts, part_sum.contiguous_bytes, read_at)
        seen_at = self.sight.seen_at
        record = self._ledger.record_parts(
            row_id, upload, totals, now, before, contiguous=contiguous, seen_at=seen_at
        )
        self._tally.add_sized(upload, totals, record.idle_since if record.dated else None)
        if chunk:
            chunk.take_answer(upload, row_id, record)
        if part_sum.skipped_parts:
            listed = totals.parts - part_sum.skipped_parts
            self.on_calls_saved(self.calls_to_list(totals.parts) - self.calls_to_list(listed))

    def add_no_upload(self, due: DueUpload) -> None:
        """Leave out what is listed and turned out to be no upload."""
        self.answers += 1
        if self.keeps_records:
            self._ledger.record_no_upload(due.row_id, due.upload, self._tally.now, due.record)

    def add_unknown(self, upload: Upload) -> None:
        """Count an upload that is listed although ListParts does not know it, as unsized."""
        self._unknown += 1
        self.unknown_key = min(self.unknown_key or upload.key, upload.key)
        self._tally.add_unsized(upload)

    def add_denied(self, upload: Upload) -> None:
        """Count an upload that is listed although the store denies it, however it is asked."""
        self._ledger.record_denied(upload)
        self._tally.add_denied(upload)

    def mark_unlisted(self, upload: Upload) -> None:
        """Note that an upload that will be counted is lacking in the listing."""
        self._tally.mark_unlisted(upload)

    def add_failed(self, due: DueUpload, error: StoreError) -> None:
        """Count an upload whose parts could not be listed."""
        self.answers += 1
        self.add_unasked(due, str(error))
        self.reason = str(error)
        if self.uses_records:
            self._ledger.record_failure(due.row_id, due.upload, self._tally.now, due.record)

    def warning(self, summary: Summary) -> str:
        """Return why uploads are unsized or sized by old records, '' for nothing."""
        incomplete = summary.unsized > self._unknown or summary.overdue
        texts = (
            (self._unknown, f"the store lists {self._unknown:,} keys that it then does not know"),
            (incomplete, self.reason or OUT_OF_TIME),
        )
        return "; ".join(text for holds, text in texts if holds)


def totals_of(record: UploadRecord) -> PartTotals:
    """Return what an upload's parts added up to when they were listed last."""
    activity = record.idle_since if record.dated else None
    return PartTotals(record.parts or 0, record.bytes, activity, record.storage_class or "", record.abort_at)
