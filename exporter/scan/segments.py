"""The pages of a bucket's listing: which are asked for next, and what their answers mean for its segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import ListingStart
from exporter.stores.pagination.boundaries import BoundaryCollector, MarkerCollector, choose_boundaries
from exporter.stores.pagination.joins import Join, ask_at_join, why_failed
from exporter.stores.pagination.listing import RestartError, list_next_page
from exporter.stores.pagination.segmented_listing import SegmentedListing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.config.settings import BucketSettings, ScanSettings
    from exporter.model.uploads import Upload
    from exporter.state.ledger import Ledger
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.retry import RetryPolicy
    from exporter.stores.pagination.joins import JoinAnswer
    from exporter.stores.pagination.segment_paginator import SegmentPaginator

ONE_STREAM_SECONDS = 86400.0
"""Time for which a bucket is not listed in segments, after that was found not to be exact."""
ONE_STREAM_AFTER_FAILURE_SECONDS = 3600.0
"""The same after a page failed, which may come of the store's state as well as of the key."""
REFUSED = "the page after a key is refused"

_STORES_OWN = {Reason.BAD_RESPONSE, Reason.UNSUPPORTED, Reason.SERVER_ERROR}
"""What a store may answer to a key that it does not take as a marker."""


def new_listing(
    ledger: Ledger, settings: ScanSettings, prefix: str, now: float, start: ListingStart
) -> SegmentedListing:
    """Return a listing that finds boundaries for the next one, cut at those of the last.

    It has one segment where these are missing, or where segments were not exact within a day. Where all
    uploads are sized at each scan, segments would save little. `start` is what a segment may begin after.
    """
    if start is ListingStart.NOTHING or settings.listing_concurrency == 1 or settings.parts == "always":
        return SegmentedListing()
    has_markers = start is ListingStart.EARLIER_MARKER
    collector = MarkerCollector(prefix) if has_markers else BoundaryCollector()
    until, found = ledger.traits.one_stream_until, ledger.boundaries
    is_off = until is not None and now < until <= now + ONE_STREAM_SECONDS
    if is_off or bool(found.starts) != has_markers:
        return SegmentedListing(endings=collector.endings, collector=collector)
    boundaries = choose_boundaries(found, min(settings.listing_concurrency, settings.concurrency), prefix)
    return SegmentedListing(
        boundaries, found.endings if boundaries else collector.endings, collector=collector
    )


class ListingPages:
    """Asks for the pages of a listing's segments, for one pass; paginators and joins label its tasks."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        executor: Executor,
        retry_policy: RetryPolicy,
        listing: SegmentedListing,
        bucket: BucketSettings,
        *,
        may_encode: bool,
        note_one_stream: Callable[[str], None],
    ) -> None:
        """Make it; its calls are run by `executor` under `retry_policy`.

        `note_one_stream` is called with the reason where segments are given up; it may raise.
        """
        self._executor = executor
        self._retry_policy = retry_policy
        self._listing = listing
        self._bucket = bucket
        self._may_encode = may_encode
        self._note_one_stream = note_one_stream
        self._asked: set[SegmentPaginator] = set()

    @property
    def asked(self) -> int:
        """Number of pages asked for."""
        return len(self._asked)

    def start_calls(self, has_room: Callable[[int], bool]) -> None:
        """Ask for the next page of each segment while there is room beside those asked for."""
        for segment in self._listing.segments:
            if segment.done or segment in self._asked:
                continue
            if not has_room(len(self._asked)):
                return
            self._asked.add(segment)
            task = list_next_page(segment, self._bucket, may_encode=self._may_encode)
            self._executor.start(task, segment, self._retry_policy)

    def complete(
        self,
        label: SegmentPaginator | Join,
        outcome: Collection[Upload] | JoinAnswer | StoreError | RestartError,
    ) -> Collection[Upload]:
        """Return the uploads that an outcome adds. Raises the error that the listing failed with."""
        is_off = bool(self._listing.off)
        if isinstance(label, Join):
            uploads = self._listing.answer(label, outcome)  # type: ignore[arg-type]  # of `ask_at_join`
        else:
            self._asked.discard(label)
            uploads = self._complete_page(label, outcome)  # type: ignore[arg-type]  # of `list_next_page`
        for join in self._listing.open_joins():
            task = ask_at_join(join, self._listing.order, self._bucket, may_encode=self._may_encode)
            self._executor.start(task, join, self._retry_policy)
        if self._listing.off and not is_off:
            self._note_one_stream(self._listing.off)
        return uploads

    def _complete_page(
        self, segment: SegmentPaginator, outcome: Collection[Upload] | StoreError | RestartError
    ) -> Collection[Upload]:
        if not isinstance(outcome, StoreError | RestartError):
            return self._listing.take(segment, outcome)
        if segment.is_closed:
            return ()
        if segment is self._listing.unproven or not _may_be_stores_own(outcome):
            raise outcome
        self._listing.turn_off(why_failed(outcome, REFUSED))
        return ()


def _may_be_stores_own(error: StoreError | RestartError) -> bool:
    """Whether a page may have failed as the store does not take its marker."""
    return isinstance(error, RestartError) or error.reason in _STORES_OWN
