"""Cross-examination of a bucket's listing: questions by name that show what it leaves out or makes up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.scan.examination.edges import FIRST_SCAN_EDGES, PageEdges, Suspects
from exporter.scan.examination.hidden import HiddenUploads
from exporter.scan.examination.prefix_check import PrefixCheck
from exporter.scan.segments import ONE_STREAM_AFTER_FAILURE_SECONDS, ONE_STREAM_SECONDS, new_listing
from exporter.stores.pagination.joins import FAILED
from exporter.stores.pagination.segment_paginator import UNDECIDED
from exporter.stores.pagination.segmented_listing import SegmentedListing

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.config.settings import BucketSettings, ScanSettings
    from exporter.model.uploads import Upload
    from exporter.scan.examination.questions import Questions
    from exporter.scan.sizing import Sizing
    from exporter.state.ledger import Ledger
    from exporter.stores.base import ListingStart
    from exporter.stores.engine.store_client import StoreClient
    from exporter.stores.pagination.segment_paginator import SegmentPaginator

PREFIX_BROKEN = "the store does not list by prefix: the whole bucket is listed"
EDGES_SKIPPED = "the store leaves out uploads between pages: each page's last key is asked for by name"
IN_ONE_STREAM = "the bucket is listed in one stream"
LISTED_AGAIN = "a listing lacked uploads that the store has: it was repeated"


class RelistError(Exception):
    """The bucket has to be listed once more."""


class ScanProgress:
    """What the passes of one scan share. `calls` are those of passes that were given up."""

    def __init__(self, ledger: Ledger) -> None:
        """Begin a scan of the bucket that the ledger is of."""
        self.calls = 0
        self.in_one_stream = False
        """Whether segments of the listing are not tried (again)."""
        self.notices: dict[str, None] = {}
        """What the store does that was worked around, in the order in which it was found."""
        self.suspects = Suspects(self._list_for_suspects, self._note_skipped)
        self._ledger = ledger

    def list_again(self, notice: str) -> None:
        """Raise RelistError, at most once a scan for each notice."""
        if notice not in self.notices:
            self.notices[notice] = None
            raise RelistError

    def _list_for_suspects(self) -> None:
        raise RelistError

    def _note_skipped(self) -> None:
        self._ledger.traits = self._ledger.traits._replace(skips_edges=True)
        self.list_again(EDGES_SKIPPED)


class CrossExamination:
    """Asks what shows whether one pass over a bucket's listing is whole. For one thread."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        client: StoreClient,
        bucket: BucketSettings,
        ledger: Ledger,
        questions: Questions,
        sizing: Sizing,
        *,
        now: float,
        progress: ScanProgress,
        listing_start: ListingStart,
    ) -> None:
        """Make it before the first page; `now` is the scan's start (Unix seconds).

        `listing_start` is what the segments of the listing, or of the next one, may begin after.
        """
        self._bucket = bucket
        self._ledger = ledger
        self._questions = questions
        self._now = now
        self._progress = progress
        self._pages = 0
        self._has_other_keys = False
        self._listed: Upload | None = None
        self._lists_by_key = client.store.lists_by_key
        self._remembers = self._lists_by_key and client.settings.parts == "remembered"
        self._edges = PageEdges(FIRST_SCAN_EDGES if ledger.result is None else 1)
        self._hidden = HiddenUploads(
            *(bucket, ledger, questions, sizing),
            now=now,
            keep_for=client.settings.keep_for,
            list_again=self._list_again_for_hidden,
            notify=progress.notices.setdefault,
        )
        self._prefix_check = PrefixCheck(bucket, ledger, now, lambda: progress.list_again(PREFIX_BROKEN))
        self.listed_bucket = bucket
        """The bucket to list: without its prefix where the store is known not to list by prefix."""
        if self._prefix_check.is_broken:
            self.listed_bucket = replace(bucket, prefix=None)
            progress.notices.setdefault(PREFIX_BROKEN)
        self.listing = self._new_listing(client.settings, listing_start)
        """The listing: by key where the store is known to leave out uploads between pages."""
        if self.listing.by_key:
            progress.notices.setdefault(EDGES_SKIPPED)

    def _new_listing(self, settings: ScanSettings, start: ListingStart) -> SegmentedListing:
        if self._ledger.traits.skips_edges and self._remembers:
            return SegmentedListing(by_key=True)
        if self._progress.in_one_stream or self.listed_bucket is not self._bucket:
            return SegmentedListing()
        return new_listing(self._ledger, settings, self._bucket.prefix or "", self._now, start)

    def note_one_stream(self, why: str) -> None:
        """Note that the listing goes on in one stream. Raises RelistError where it has to be repeated so."""
        if why == UNDECIDED:
            self._progress.notices.setdefault(f"{why}: {IN_ONE_STREAM}")
        else:
            seconds = ONE_STREAM_AFTER_FAILURE_SECONDS if why == FAILED else ONE_STREAM_SECONDS
            self._ledger.traits = self._ledger.traits._replace(one_stream_until=self._now + seconds)
            time = "an hour" if why == FAILED else "a day"
            self._progress.notices.setdefault(f"{why}: {IN_ONE_STREAM} for {time}")
        if not self.listing.is_whole:
            raise RelistError

    def watched(self, uploads: Collection[Upload], segment: SegmentPaginator | None) -> Collection[Upload]:
        """Take the new uploads of a page of a segment, and return those of the watched prefix."""
        self._pages += 1
        prefix = self._bucket.prefix
        if prefix and self.listed_bucket is not self._bucket:
            uploads = [upload for upload in uploads if upload.key.startswith(prefix)]
        elif prefix and not self._has_other_keys:
            self._has_other_keys = any(upload.key != prefix for upload in uploads)
        if uploads and self._listed is None:
            self._listed = next(iter(uploads))
        if uploads and self._remembers and segment is not None and self._is_edge(segment):
            self._edges.add(list(uploads)[-1].key)
        return uploads

    def _is_edge(self, segment: SegmentPaginator) -> bool:
        """Whether a segment goes on after an upload: not at its end, nor at the beginning of a node."""
        marker = segment.marker
        return not (segment.done or segment.by_key) and marker is not None and len(marker) > 1

    def begin(self) -> None:
        """Queue the questions, now that the listing has ended. Raises RelistError."""
        if self._prefix_needs_check():
            self._questions.ask(self._prefix_check.questions(self.listing.lacking))
        if self._remembers:
            self._hidden.begin(self._listed)
            if not self.listing.by_key:
                suspects = self._progress.suspects
                edges = self._edges.questions(self._bucket, self.listing, self._now, suspects)
                self._questions.ask(edges)

    @property
    def is_undecided(self) -> bool:
        """Whether it is not known if the listing lacks uploads that the store has."""
        return self._hidden.is_undecided

    def finish(self) -> None:
        """Note what was learnt, now that all questions are answered."""
        if self._remembers:
            self._hidden.finish()
        self._ledger.boundaries = self.listing.boundaries()
        if left_out := self.listing.outside_prefix:
            text = f"{left_out:,} listed uploads are outside the prefix: they are left out"
            self._progress.notices[text] = None

    def _prefix_needs_check(self) -> bool:
        """Whether nothing was listed under the prefix but its own key: some stores know whole keys only."""
        asked = self._bucket.prefix and self._lists_by_key and self.listed_bucket is self._bucket
        return bool(asked) and not self._has_other_keys and self._prefix_check.is_due

    def _list_again_for_hidden(self, missing: int) -> None:
        """Have the listing repeated where that takes fewer calls than a question for each missing upload."""
        if missing > self._pages:
            self._progress.list_again(LISTED_AGAIN)
