"""Which of a bucket's uploads are asked for their parts, and what becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import GoneError, StoreError
from exporter.model.uploads import PartTotals, Upload
from exporter.scan.priority import OVERDUE_SHARE, Candidate, InOrder, MostUrgent
from exporter.state.ledger import Run
from exporter.stores.pagination import sum_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.config.settings import BucketSettings, ScanSettings
    from exporter.scan.recheck import Recheck
    from exporter.scan.tally import Tally
    from exporter.state.ledger import Ledger
    from exporter.state.rows import Known
    from exporter.stores.base import PartSum, Store
    from exporter.stores.engine.concurrency import ConcurrencyLimit
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.retry import RetryPolicy

REFUSALS = 50
"""So many refusals to list parts, without one success, and a scan stops asking."""
REFUSED_STATUSES = {403, 405, 501}
GONE_AT_LEAST = 10
"""Below so many, uploads that end while a scan is under way are what every busy bucket has."""
MOST_BEHIND_A_PROBE = 10_000
"""So many uploads wait for what comes of a probe; the others for the next scan."""
PAGE_OF_PARTS = 1000
"""So many parts a page has where nothing else is asked for."""
OUT_OF_TIME = "no time was left to list their parts, or their sizes cannot be read"
GONE_YET_LISTED = "the store lists uploads that it does not have"
OVER_BUDGET = (
    "scan.max_requests or scan.requests_per_second leaves no request for them: they wait for their turn"
)


class Asked(NamedTuple):
    """An upload whose parts are asked for, and what they are added up in."""

    upload: Upload
    identity: int
    known: Known | None
    fold: PartSum
    calls: int


class Sizing:
    """Sizes the uploads of one pass over a bucket's listing, as far as they are due and there is room.

    `patience` is that of its calls: its deadline may be moved.
    """

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        *,
        store: Store,
        settings: ScanSettings,
        bucket: BucketSettings,
        ledger: Ledger,
        recheck: Recheck,
        tally: Tally,
        patience: RetryPolicy,
        now: Callable[[], float],
        saved: Callable[[int], None],
    ) -> None:
        """Begin with no upload; `now` is the monotonic clock, `saved` is told of calls not needed."""
        self.patience = patience
        self.trouble = ""
        self._store = store
        self._settings = settings
        self._bucket = bucket
        self._ledger = ledger
        self._recheck = recheck
        self._tally = tally
        self._gone_tally = tally.blank()
        self._now = now
        self._saved = saved
        self._uses_known = settings.parts == "remembered"
        limited = settings.max_requests is not None or settings.requests_per_second is not None
        self._in_turn = limited or (ledger.refused and self._uses_known)  # a probe has its turns, too
        self._todo = MostUrgent() if self._in_turn else InOrder()
        self._recalls = self._uses_known or not store.has_part_times
        self._parts_per_page = settings.page_size or PAGE_OF_PARTS
        self._asking = ledger.may_ask(tally.now)
        self._refusals_left = 1 if ledger.refused else REFUSALS - ledger.refusals
        self._to_skip = ledger.to_skip  # a probe asks about another upload than the one before
        self._taken = self._sized = self._answers = self._gone = self._promised = 0
        self._listed, self._listing_calls = False, 0
        if not self._asking:
            self.trouble = ledger.refusal

    @property
    def waiting(self) -> int:
        """How many uploads wait to be asked about before the next page is needed."""
        return 0 if self._in_turn else len(self._todo)

    def take(self, uploads: Collection[Upload], flows: Executor, *, listed: bool) -> None:
        """Take the uploads of a page: count those that need not be asked about, and have the others wait."""
        if self._recalls:
            saved = 0
            for upload, (identity, known) in zip(uploads, self._ledger.recall(uploads), strict=True):
                saved += self._take_one(upload, identity, known)
            self._saved(saved)
        else:
            for upload in uploads:
                self._todo.add(Candidate(upload, 0, None))
        if self._in_turn:
            for candidate in self._todo.trim(self._budget(flows, listed=listed)):
                self._leave(candidate, self._ledger.refusal if self._ledger.refused else OVER_BUDGET)

    def _take_one(self, upload: Upload, identity: int, known: Known | None) -> int:
        """Take an upload; return how many calls are saved by what is known of it."""
        if not self._uses_known or known is None or known.parts is None:
            urgency = (known.failed or 0.0) if known else 0.0
            self._todo.add(Candidate(upload, identity, known, urgency))
            return 0
        now, due = self._tally.now, self._recheck.due(identity, known.asked, known.activity)
        if known.asked == now or known.asked < now < due:  # one of the future is of a clock that was wrong
            self._tally.add_sized(upload, _totals(known))
            return self._calls(known.parts)
        self._todo.add(Candidate(upload, identity, known, max(due, known.failed or due)))
        return 0

    def _budget(self, flows: Executor, *, listed: bool) -> int:
        """Return how many uploads may wait at most."""
        rooms = [MOST_BEHIND_A_PROBE] if self._ledger.refused else []
        if self._settings.max_requests is not None:
            rooms.append(self._settings.max_requests - flows.committed - (not listed))
        if self._settings.requests_per_second is not None:
            seconds = min(self._settings.interval, self.patience.deadline.at - self._now())
            rooms.append(int(self._settings.requests_per_second * seconds))
        return max(0, min(rooms))

    def start(self, flows: Executor, pace: ConcurrencyLimit, *, others: int, listed: bool) -> None:
        """Ask about as many uploads as may be; `others` are the flows that are not ours.

        With a budget, or where one is a probe, whose turn it is can only be said once all are `listed`.
        """
        if listed and not self._listed:
            self._listed, self._listing_calls = True, flows.committed
        if self._in_turn and not listed:
            return
        while len(self._todo) and flows.active < self._room(pace) + others:
            self._ask(self._todo.pop(), flows)

    def _room(self, pace: ConcurrencyLimit) -> int:
        """Return how many there may be at once: before a success as many as refusals are waited for."""
        undecided = self._asking and not self._sized
        return min(pace.limit, self._refusals_left) if undecided else pace.limit

    def _ask(self, candidate: Candidate, flows: Executor) -> None:
        self._taken += 1
        if not self._asking or (not self._uses_known and self._taken <= self._to_skip):
            self._leave(candidate, self.trouble or self._ledger.refusal)
        elif self._now() >= self.patience.deadline.at:
            self._leave(candidate, OVER_BUDGET if self._settings.requests_per_second else OUT_OF_TIME)
        else:
            upload, identity, known, _ = candidate
            fold = self._new_fold(known)
            calls = self._calls((known.parts or 0) - fold.contiguous_parts) if known else 1
            if self._is_spent(flows, calls):
                self._leave(candidate, OVER_BUDGET)
                return
            self._promised += calls - 1
            flow = sum_parts(self._bucket, upload, fold)
            flows.start(flow, Asked(upload, identity, known, fold, calls), self.patience)

    def _is_spent(self, flows: Executor, calls: int) -> bool:
        """Whether the budget does not admit so many more calls.

        More than it ever admits are let through by a quarter of it: no upload must wait for ever.
        """
        most = self._settings.max_requests
        if most is None:
            return False
        room = max(0, most - self._listing_calls)
        needed = calls if calls <= room else max(1, room // OVERDUE_SHARE)
        return flows.committed + self._promised + needed > most

    def _new_fold(self, known: Known | None) -> PartSum:
        """Return what adds up the parts; known ones are left out, until it is time to read all again.

        That is where waiting for the next time would be too late.
        """
        fold = self._store.new_part_sum()
        if self._uses_known and known and known.run and known.read is not None:
            now = self._tally.now
            next_time = now + self._recheck.delay(now, known.activity)
            if next_time < known.read + self._recheck.at_least:
                activity = known.activity if known.dated else None
                fold.restart(known.run, known.run_bytes or 0, activity)
        return fold

    def _calls(self, parts: int) -> int:
        """Return how many calls it takes to list so many parts."""
        return 1 + max(0, parts - 1) // self._parts_per_page

    def settle(self, asked: Asked, outcome: PartTotals | StoreError) -> None:
        """Count an upload by what came of asking about it."""
        self._answers += 1
        self._promised -= asked.calls - 1
        if isinstance(outcome, PartTotals):
            self._add_sized(asked, outcome)
        elif isinstance(outcome, GoneError):
            self._add_gone(asked.upload)
        else:
            self._add_failed(asked, outcome)

    def _add_sized(self, asked: Asked, totals: PartTotals) -> None:
        self._sized += 1
        self._ledger.note_answered()
        if not self._recalls:
            self._tally.add_sized(asked.upload, totals)
            return
        upload, identity, known, fold, _ = asked
        is_long = fold.contiguous_parts >= self._parts_per_page
        run = Run(fold.contiguous_parts, fold.contiguous_bytes) if is_long else None
        read = known.read if known and fold.skipped_parts else self._tally.now
        noted = self._ledger.note_parts(identity, upload, totals, self._tally.now, known, run=run, read=read)
        self._tally.add_sized(upload, totals, noted.activity if noted.dated else None)
        if fold.skipped_parts:
            self._saved(self._calls(totals.parts) - self._calls(totals.parts - fold.skipped_parts))

    def _add_gone(self, upload: Upload) -> None:
        self._gone += 1
        if self._ledger.note_gone(upload):
            self.trouble = self.trouble or GONE_YET_LISTED
            self._tally.add_unsized(upload)
        else:
            self._gone_tally.add_unsized(upload)

    def _add_failed(self, asked: Asked, error: StoreError) -> None:
        upload, identity, known, *_ = asked
        self._leave(Candidate(upload, identity, known), str(error))
        self.trouble = str(error)
        if self._uses_known:
            self._ledger.note_failed(identity, self._tally.now, known)
        if self._ledger.refused:
            self._refusals_left -= 1
        elif error.status in REFUSED_STATUSES and not (known and known.failed):
            self._refusals_left -= 1  # one that was refused before says nothing new
            self._ledger.note_refusal(remembered=self._uses_known)
        if not self._sized and self._refusals_left <= 0:
            self._asking = False
            self._ledger.note_refused(self._tally.now, str(error))

    def _leave(self, candidate: Candidate, why: str) -> None:
        """Count an upload by what is remembered of it, for too long already; or as unsized."""
        self.trouble = self.trouble or why
        known = candidate.known
        if known and self._uses_known and self._still_counts(candidate.identity, known, why):
            self._tally.add_overdue(candidate.upload, _totals(known))
        else:
            self._tally.add_unsized(candidate.upload)

    def _still_counts(self, identity: int, known: Known, why: str) -> bool:
        """Whether what is remembered may stand for what could not be asked.

        While the budget is the reason, always; otherwise as long as a bucket's values outlive failing scans.
        """
        if known.parts is None:
            return False
        due = self._recheck.due(identity, known.asked, known.activity)
        return why == OVER_BUDGET or self._tally.now <= due + self._settings.keep_for

    def finish(self) -> None:
        """Count the uploads that ended, too, where they are too many for a race."""
        if self._gone >= GONE_AT_LEAST and self._gone > self._answers / 2:
            self.trouble = self.trouble or GONE_YET_LISTED
            self._tally.merge(self._gone_tally)


def _totals(known: Known) -> PartTotals:
    """Return what an upload's parts added up to."""
    activity = known.activity if known.dated else None
    return PartTotals(known.parts or 0, known.bytes, activity, known.storage_class or "", known.abort_at)
