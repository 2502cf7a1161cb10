"""One bucket in, one result out: lists its uploads, sizes them, and adds up what they are."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.board import ScanResult
from exporter.model import GoneError, PartTotals, Reason, StoppingError, StoreError, Upload
from exporter.sizing import Sizer
from exporter.stores.paging import Caller, RestartError, list_uploads, size_upload
from exporter.summary import Tally

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from exporter.config.settings import BucketSettings, ScanSettings
    from exporter.ledger import Ledger
    from exporter.sizing import Sized
    from exporter.stores.base import Store
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

    def __init__(
        self,
        store: Store,
        settings: ScanSettings,
        ages: Sequence[float],
        stop: threading.Event,
        clocks: Clocks | None = None,
    ) -> None:
        """Make a scanner that gives up what is under way once `stop` is set."""
        self.store = store
        self.settings = settings
        self._ages = ages
        self._stop = stop
        self._clocks = clocks or Clocks()

    def scan(self, bucket: BucketSettings, ledger: Ledger) -> ScanResult:
        """Return what the bucket's uploads are and hold.

        Raises StoreError where the listing failed or did not end within `scan.timeout`, StoppingError where
        `stop` was set. An upload that cannot be sized is counted and fails nothing.
        """
        started, now = self._clocks.monotonic(), self._clocks.wall()
        caller = self._caller(started)
        for _ in range(1 + RESTARTS):
            ledger.begin()
            try:
                done = _Pass(self, bucket, ledger, caller, self._tally(bucket, now))
                summary = done.run()
            except RestartError:
                continue
            ledger.commit(summary.uploads)
            duration = self._clocks.monotonic() - started
            return ScanResult(
                summary,
                self._clocks.wall(),
                duration,
                (done.trouble or OUT_OF_TIME) if summary.unsized else "",
            )
        raise StoreError(Reason.BAD_RESPONSE, "the store forgot its own marker again and again")

    def _caller(self, started: float) -> Caller:
        settings, clocks = self.settings, self._clocks
        return Caller(
            request_timeout=settings.request_timeout,
            retries=settings.retries,
            deadline=started + settings.timeout,
            stop=self._stop,
            monotonic=clocks.monotonic,
            jitter=clocks.jitter,
        )

    def _tally(self, bucket: BucketSettings, now: float) -> Tally:
        with_parts = self.settings.parts != "never"
        return Tally(now=now, stale_after=bucket.stale_after, ages=self._ages, with_parts=with_parts)


class _Pass:
    """One pass over the listing; given up as a whole where the listing has to start over."""

    def __init__(
        self, scanner: Scanner, bucket: BucketSettings, ledger: Ledger, caller: Caller, tally: Tally
    ) -> None:
        settings = scanner.settings
        self._store = scanner.store
        self._bucket = bucket
        self._ledger = ledger
        self._caller = caller
        self._sizing_ends = caller.deadline - LISTING_SHARE * settings.timeout
        self._sizing = replace(caller, deadline=self._sizing_ends)  # until the listing has ended
        self._tally = tally
        self._gone_tally = tally.blank()
        self._sizer = Sizer(self._size, settings.concurrency)
        self._asking = ledger.may_ask(caller.monotonic())
        self._refusals_left = 1 if ledger.refused else REFUSALS
        self._to_skip = ledger.to_skip  # a probe asks about another upload than the one before
        self._listed = self._sized = self._answers = self._gone = 0
        self.trouble = "" if self._asking else ledger.refusal

    def run(self) -> Summary:
        try:
            for page in list_uploads(self._store, self._bucket, self._caller):
                for upload in page:
                    self._take(upload)
            self._sizing.deadline = self._caller.deadline
            while self._sizer.in_flight:
                self._settle(self._sizer.get())
        except RestartError:
            while self._sizer.in_flight:
                self._sizer.get()
            raise
        except BaseException:
            self._sizing.deadline = self._caller.monotonic()  # what is in flight is not tried again
            raise
        finally:
            self._sizer.close()
        if self._gone >= GONE_AT_LEAST and self._gone > self._answers / 2:
            self.trouble = self.trouble or GONE_YET_LISTED  # too many for a race
            self._tally.merge(self._gone_tally)
        return self._tally.summary()

    def _size(self, upload: Upload) -> PartTotals:
        return size_upload(self._store, self._bucket, upload, self._sizing)

    def _take(self, upload: Upload) -> None:
        if not self._tally.with_parts:
            self._tally.add_counted(upload)
            return
        while self._sizer.in_flight and self._must_wait():
            self._settle(self._sizer.get())
        self._listed += 1
        if self._asking and self._listed > self._to_skip and self._caller.monotonic() < self._sizing_ends:
            self._sizer.put(upload)
        else:
            self._leave_unsized(upload)

    def _must_wait(self) -> bool:
        undecided = self._asking and not self._sized and self._sizer.in_flight >= self._refusals_left
        return self._sizer.full or undecided

    def _settle(self, sized: Sized) -> None:
        upload, outcome = sized
        if isinstance(outcome, StoppingError):
            raise outcome
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
            self._ledger.note_refused(self._caller.monotonic(), str(error))

    def _leave_unsized(self, upload: Upload) -> None:
        self._ledger.keep_parts(upload)
        self._tally.add_unsized(upload)
