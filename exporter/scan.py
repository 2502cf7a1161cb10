"""One bucket in, one result out: lists its uploads, sizes them, and adds up what they are."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.board import ScanResult
from exporter.model import GoneError, PartTotals, Reason, StoppingError, StoreError, Upload
from exporter.pace import Pace
from exporter.stores.flows import Flows, Patience, pause_before
from exporter.stores.paging import RestartError, new_listing, next_page, size_upload
from exporter.summary import Tally

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Sequence

    from exporter.config.settings import BucketSettings, ScanSettings
    from exporter.ledger import Ledger
    from exporter.stores.base import Calls, Store
    from exporter.summary import Summary

RESTARTS = 2
"""How often a listing whose marker the store no longer knows is begun again."""
REFUSALS = 50
"""So many refusals to list parts, without one success, and a scan stops asking."""
REFUSED_STATUSES = {403, 405, 501}
GONE_AT_LEAST = 10
"""Below so many, uploads that end while a scan is under way are what every busy bucket has."""
OUT_OF_TIME = "no time was left to list their parts, or their sizes cannot be read"
GONE_YET_LISTED = "the store lists uploads that it does not have"
LISTING_SHARE = 0.25
"""The last share of a scan's time is kept for the listing: counts and ages matter most."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where a scan reads time and chance. `wall` is Unix seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    jitter: Callable[[float, float], float] = random.uniform


class Scanner:
    """Scans the buckets of one target, each with its own ledger."""

    def __init__(  # noqa: PLR0913 - what a scan depends on
        self,
        store: Store,
        settings: ScanSettings,
        ages: Sequence[float],
        stop: threading.Event,
        clocks: Clocks | None = None,
        *,
        new_pace: Callable[[int], Pace] = Pace,
    ) -> None:
        """Make a scanner that gives up what is under way once `stop` is set.

        `new_pace` makes what adapts a bucket's calls in flight, of which there are so many at most.
        """
        self.store = store
        self.settings = settings
        self.stop = stop
        self.clocks = clocks or Clocks()
        self._ages = ages
        self._new_pace = new_pace
        self._paces: dict[str, Pace] = {}

    def scan(self, bucket: BucketSettings, ledger: Ledger) -> ScanResult:
        """Return what the bucket's uploads are and hold.

        Raises StoreError where the listing failed or did not end within `scan.timeout`, StoppingError where
        `stop` was set. An upload that cannot be sized is counted and fails nothing.
        """
        started, now = self.clocks.monotonic(), self.clocks.wall()
        for _ in range(1 + RESTARTS):
            ledger.begin()
            try:
                done = _Pass(self, bucket, ledger, self._tally(bucket, now), started + self.settings.timeout)
                summary = done.run()
            except RestartError:
                continue
            ledger.commit(summary.uploads)
            duration = self.clocks.monotonic() - started
            trouble = (done.trouble or OUT_OF_TIME) if summary.unsized else ""
            return ScanResult(summary, self.clocks.wall(), duration, trouble)
        raise StoreError(Reason.BAD_RESPONSE, "the store forgot its own marker again and again")

    def open(self, bucket: BucketSettings, deadline: float) -> Flows:
        """Return what makes the calls of one pass over the bucket, before `deadline`."""
        clocks = self.clocks
        calls = self._calls(bucket, deadline)
        return Flows(calls, self.pace(bucket), self.stop, monotonic=clocks.monotonic, jitter=clocks.jitter)

    def _calls(self, bucket: BucketSettings, deadline: float) -> Calls:
        """Open the store, which may have to ask for credentials; tried again as any call is."""
        clocks, tries = self.clocks, 0
        while True:
            try:
                return self.store.open(
                    bucket, min(deadline, clocks.monotonic() + self.settings.request_timeout)
                )
            except StoreError as error:
                pause = pause_before(error, tries, clocks.jitter)
                late = clocks.monotonic() + pause >= deadline
                if not error.retryable or tries >= self.settings.retries or late:
                    raise
            if self.stop.wait(pause):
                raise StoppingError
            tries += 1

    def pace(self, bucket: BucketSettings) -> Pace:
        """Return what adapts the bucket's calls in flight; it outlasts the scan."""
        if bucket.name not in self._paces:
            self._paces[bucket.name] = self._new_pace(self.settings.concurrency)
        return self._paces[bucket.name]

    def _tally(self, bucket: BucketSettings, now: float) -> Tally:
        with_parts = self.settings.parts != "never"
        return Tally(now=now, stale_after=bucket.stale_after, ages=self._ages, with_parts=with_parts)


class _Pass:
    """One pass over the listing; given up as a whole where the listing has to start over."""

    def __init__(
        self, scanner: Scanner, bucket: BucketSettings, ledger: Ledger, tally: Tally, deadline: float
    ) -> None:
        settings = scanner.settings
        self._store = scanner.store
        self._bucket = bucket
        self._ledger = ledger
        self._tally = tally
        self._gone_tally = tally.blank()
        self._now = scanner.clocks.monotonic
        self._patience = Patience(settings.request_timeout, settings.retries, deadline)
        self._sizing_ends = deadline - LISTING_SHARE * settings.timeout
        self._sizing = Patience(settings.request_timeout, settings.retries, self._sizing_ends)
        self._listing = new_listing()
        self._page_length = 0
        self._todo: deque[Upload] = deque()
        self._asking = ledger.may_ask(self._now())
        self._refusals_left = 1 if ledger.refused else REFUSALS
        self._to_skip = ledger.to_skip  # a probe asks about another upload than the one before
        self._listed = self._sized = self._answers = self._gone = 0
        self.trouble = "" if self._asking else ledger.refusal
        self._pace = scanner.pace(bucket)
        self._flows = scanner.open(bucket, deadline)

    def run(self) -> Summary:
        try:
            self._ask_for_page()
            while ended := self._flows.ended():
                for upload, outcome in ended:
                    if isinstance(upload, Upload):
                        self._settle(upload, outcome)
                    else:
                        self._take_page(outcome)
                self._go_on()
        except RestartError:
            self._sizing.deadline = self._now()  # what is in flight is not tried again
            self._flows.pause_no_more()
            while self._flows.ended():
                pass
            raise
        finally:
            self._flows.close()
        if self._gone >= GONE_AT_LEAST and self._gone > self._answers / 2:
            self.trouble = self.trouble or GONE_YET_LISTED  # too many for a race
            self._tally.merge(self._gone_tally)
        return self._tally.summary()

    def _ask_for_page(self) -> None:
        self._page_asked = True
        self._flows.start(next_page(self._listing, self._bucket), None, self._patience)

    def _take_page(self, outcome: Collection[Upload] | StoreError | RestartError) -> None:
        """Take the uploads of a page; they wait for their turn to be sized."""
        self._page_asked = False
        if isinstance(outcome, StoreError | RestartError):
            raise outcome
        if self._tally.with_parts:
            self._page_length = len(outcome)
            self._todo.extend(outcome)
        else:
            self._tally.add_counted_all(outcome)
        if self._listing.done:
            self._sizing.deadline = self._patience.deadline

    def _go_on(self) -> None:
        """Size as many uploads as may be asked about; have the next page come while the last is sized."""
        while self._todo and self._flows.active < self._room():
            self._take(self._todo.popleft())
        if not (self._listing.done or self._page_asked) and len(self._todo) <= self._page_length:
            self._ask_for_page()

    def _room(self) -> int:
        """Return how many flows there may be: one of the listing, and of the sizing what the pace allows.

        Before the first success no more uploads are asked about than refusals are waited for.
        """
        undecided = self._asking and not self._sized
        most = min(self._pace.limit, self._refusals_left) if undecided else self._pace.limit
        return most + self._page_asked

    def _take(self, upload: Upload) -> None:
        self._listed += 1
        if self._asking and self._listed > self._to_skip and self._now() < self._sizing.deadline:
            flow = size_upload(self._bucket, upload, self._store.new_fold())
            self._flows.start(flow, upload, self._sizing)
        else:
            self._leave_unsized(upload)

    def _settle(self, upload: Upload, outcome: PartTotals | StoreError) -> None:
        self._answers += 1
        if isinstance(outcome, PartTotals):
            self._add_sized(upload, outcome)
        elif isinstance(outcome, GoneError):
            self._add_gone(upload)
        else:
            self._add_failed(upload, outcome)

    def _add_sized(self, upload: Upload, totals: PartTotals) -> None:
        self._sized += 1
        self._ledger.note_answered()
        activity = None
        if not self._store.has_part_times:
            activity = self._ledger.note_parts(upload, totals, self._tally.now)
        self._tally.add_sized(upload, totals, activity)

    def _add_gone(self, upload: Upload) -> None:
        self._gone += 1
        self._ledger.keep_parts(upload)
        if self._ledger.note_gone(upload):
            self.trouble = self.trouble or GONE_YET_LISTED
            self._tally.add_unsized(upload)
        else:
            self._gone_tally.add_unsized(upload)

    def _add_failed(self, upload: Upload, error: StoreError) -> None:
        self.trouble = str(error)
        self._leave_unsized(upload)
        if error.status in REFUSED_STATUSES or self._ledger.refused:
            self._refusals_left -= 1
        if not self._sized and self._refusals_left <= 0:
            self._asking = False
            self._ledger.note_refused(self._now(), str(error))

    def _leave_unsized(self, upload: Upload) -> None:
        self._ledger.keep_parts(upload)
        self._tally.add_unsized(upload)
