"""Stores that give no times: first sight is initiation, and the last seen change is activity."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from fakes import DAY, NOW, REFUSED, Clock, error
from unit.blob_store import BlobStore
from unit.fake_scan import scan

from exporter.model.errors import Reason, StoreError
from exporter.scan.first_sight import NO_AGES
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.model.uploads import CountedUpload

HOUR = 3600.0
NAME = BucketName("prod", "azure", "https://example.blob.core.windows.net", "", "media")
FAILED = error(Reason.SERVER_ERROR, 500)
MODES = ("remembered", "always", "never")


class Watch:
    """Scans one container again and again; `at` sets the clock, in seconds since the first scan."""

    def __init__(self, blobs=None, *, ledger: Ledger | None = None, **settings) -> None:
        self.store = BlobStore(blobs=blobs or {})
        self.ledger = ledger or Ledger()
        self.clock = Clock()
        self.settings = settings

    def at(self, seconds: float, **settings):
        """Return the summary of a scan at this time."""
        self.clock.now = seconds
        return scan(self.store, self.ledger, self.clock, **(self.settings | settings)).summary

    def oldest(self, seconds: float, **settings) -> float | None:
        """Return the age of the oldest upload in a scan at this time."""
        initiated = self.at(seconds, **settings).oldest_initiated
        return None if initiated is None else NOW + seconds - initiated

    def idle(self, seconds: float, **settings) -> float | None:
        """Return the longest idle time in a scan at this time."""
        activity = self.at(seconds, **settings).oldest_activity
        return None if activity is None else NOW + seconds - activity


def in_file(path: Path, **options) -> tuple[StateDatabase, Ledger]:
    state = StateDatabase(path, **options)
    assert state.open(Clock())
    return state, Ledger(LedgerRows(state, NAME))


class TestAges:
    @pytest.mark.parametrize("parts", MODES)
    def test_an_upload_is_as_old_as_its_first_sight(self, parts):
        watch = Watch({"a": [10]}, parts=parts)
        assert [watch.oldest(0), watch.oldest(HOUR), watch.oldest(DAY)] == [0.0, HOUR, DAY]

    @pytest.mark.parametrize("parts", MODES)
    def test_no_upload_is_undated_and_each_is_in_the_ages(self, parts):
        watch = Watch({"a": [10], "b": [20]}, parts=parts)
        watch.at(0)
        watch.store.blobs["c"] = [5]
        summary = watch.at(2 * HOUR)
        assert (summary.uploads, summary.undated, summary.age_counts) == (3, 0, (1, 3, 3))
        assert summary.age_sum == 4 * HOUR

    def test_its_parts_do_not_change_its_age(self):
        watch = Watch({"a": [10]}, parts="always")
        watch.at(0)
        watch.store.blobs["a"] = [10, 10]
        assert watch.oldest(HOUR) == HOUR

    def test_it_is_dated_by_when_its_page_was_read_not_by_the_start_of_the_scan(self):
        watch = Watch({"a": [10]})
        watch.store.before_page = lambda _: setattr(watch.clock, "now", 600.0)
        assert watch.at(0).oldest_initiated == NOW + 600.0

    def test_one_that_cannot_be_asked_about_has_its_age_all_the_same(self):
        watch = Watch({"a": REFUSED, "b": FAILED})
        watch.at(0)
        summary = watch.at(HOUR)
        assert (summary.unsized, summary.oldest_initiated, summary.undated) == (2, NOW, 0)

    def test_one_that_the_budget_leaves_out_has_its_age_all_the_same(self):
        watch = Watch({f"{n}": [10] for n in range(9)}, max_requests=3)
        watch.at(0)
        summary = watch.at(HOUR)
        assert (summary.uploads, summary.undated, summary.oldest_initiated) == (9, 0, NOW)
        assert (summary.age_counts[0], summary.age_sum) == (9, 9 * HOUR)

    def test_however_many_are_new_one_place_in_four_is_for_those_that_are_due_again(self):
        watch = Watch({"z": [10]}, max_requests=5, recheck_factor=0)
        watch.at(0)
        watch.store.blobs |= {f"{n:02}": [10] for n in range(20)}
        watch.at(HOUR)
        assert watch.store.asked_for == {"z": 2, "00": 1, "01": 1, "02": 1}

    def test_they_are_asked_about_as_often_as_those_of_a_store_that_tells_initiations(self):
        watch, told = Watch({f"{n:02}": [10] for n in range(40)}), Watch({f"{n:02}": [10] for n in range(40)})
        told.store.has_initiation_times = True
        for hours in range(41):
            told.at(hours * HOUR)
            summary = watch.at(hours * HOUR)
        assert watch.store.asked_for == told.store.asked_for
        assert (summary.uploads, summary.bytes, summary.age_sum) == (40, 400, 40 * 40 * HOUR)


class TestActivity:
    @pytest.mark.parametrize("parts", ["remembered", "always"])
    def test_it_is_when_the_blocks_were_last_seen_to_change(self, parts):
        watch = Watch({"a": [10]}, parts=parts, recheck_factor=0)
        assert [watch.idle(0), watch.idle(HOUR)] == [0.0, HOUR]
        watch.store.blobs["a"] = [10, 10]
        assert [watch.idle(2 * HOUR), watch.idle(DAY)] == [0.0, DAY - 2 * HOUR]

    def test_blocks_that_could_not_be_asked_about_before_were_first_seen_now(self):
        watch = Watch({"a": FAILED})
        watch.at(0)
        watch.store.blobs["a"] = [10]
        summary = watch.at(2 * DAY)
        assert (summary.oldest_initiated, summary.oldest_activity) == (NOW, NOW + 2 * DAY)

    def test_a_change_is_seen_when_the_blocks_are_read_not_at_the_start_of_the_scan(self):
        watch = Watch({"a": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = [10, 10]
        watch.store.before_parts = lambda _: setattr(watch.clock, "now", HOUR + 600.0)
        assert watch.at(HOUR).oldest_activity == NOW + HOUR + 600.0

    def test_stale_is_judged_by_the_last_seen_change(self):
        watch = Watch({"a": [10], "b": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["b"] = [10, 10]
        watch.at(DAY)
        assert watch.at(7 * DAY).stale == 1


class TestAnotherUploadOfTheSameName:
    @pytest.mark.parametrize("parts", MODES)
    def test_after_a_listing_lacked_it_it_is_new(self, parts):
        watch = Watch({"a": [10], "b": [10]}, parts=parts)
        watch.at(0)
        del watch.store.blobs["a"], watch.store.blobs["b"]
        watch.at(HOUR)
        watch.store.blobs |= {"a": [10], "b": [10]}
        assert [watch.oldest(2 * HOUR), watch.idle(3 * HOUR)] == [0.0, HOUR]

    @pytest.mark.parametrize("names", [0, 100_000])
    def test_so_it_is_with_and_without_names(self, names):
        watch = Watch({"a": [10], "b": [10]}, ledger=Ledger(LedgerRows(StateDatabase(max_names=names), NAME)))
        watch.at(0)
        del watch.store.blobs["a"]
        watch.at(HOUR)
        watch.store.blobs["a"] = [10]
        assert watch.at(2 * HOUR).age_sum == 2 * HOUR

    def test_a_failed_listing_ends_nothing(self):
        watch = Watch({"a": [10]})
        watch.at(0)
        watch.store.listing_errors = {1: FAILED}
        with pytest.raises(StoreError):
            watch.at(HOUR, retries=0)
        assert watch.oldest(2 * HOUR) == 2 * HOUR

    def test_what_a_scan_saw_that_then_failed_is_its_first_sight(self):
        watch = Watch({"a": [10], "b": [10]})
        watch.store.page_size, watch.store.listing_errors = 1, {1: FAILED}
        with pytest.raises(StoreError):
            watch.at(0, retries=0)
        assert watch.at(HOUR).age_sum == HOUR

    def test_one_with_fewer_blocks_is_another(self):
        watch = Watch({"a": [10, 10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = [50]
        assert [watch.oldest(HOUR), watch.oldest(2 * HOUR)] == [0.0, HOUR]

    def test_one_with_fewer_bytes_may_be_another(self):
        watch = Watch({"a": [10, 10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = [5, 5, 5]
        assert watch.oldest(HOUR) == 0.0

    @pytest.mark.parametrize("parts", ["remembered", "always"])
    def test_one_with_other_blocks_is_another_however_many_they_are(self, parts):
        watch = Watch({"a": [10]}, recheck_factor=0, parts=parts)
        watch.at(0)
        watch.store.blobs["a"], watch.store.first_ids["a"] = [10], 7
        assert [watch.oldest(HOUR), watch.idle(2 * HOUR)] == [0.0, HOUR]

    def test_one_with_blocks_before_those_that_it_had_is_the_same(self):
        watch = Watch({"a": [10]}, recheck_factor=0)
        watch.store.first_ids["a"] = 7
        watch.at(0)
        watch.store.blobs["a"], watch.store.first_ids["a"] = [5, 10], 6
        assert watch.oldest(HOUR) == HOUR
        watch.store.blobs["a"] = [5, 10, 10]
        assert watch.oldest(2 * HOUR) == 2 * HOUR

    def test_after_it_was_gone_when_it_was_asked_about_it_is_new(self):
        watch = Watch({"a": [10], "b": [10], "c": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = None
        assert watch.at(HOUR).uploads == 2
        watch.store.blobs["a"] = [10]
        assert watch.at(2 * HOUR).age_sum == 4 * HOUR

    def test_one_that_is_listed_though_its_blocks_are_gone_is_not_as_old_as_the_one_before(self):
        watch = Watch({"a": [10], "b": [10], "c": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = None
        watch.at(HOUR)
        summary = watch.at(2 * HOUR)
        assert (summary.uploads, summary.unsized, summary.age_sum) == (3, 1, 4 * HOUR)

    def test_so_it_is_in_the_scan_that_finds_its_blocks_gone(self):
        watch = Watch({"a": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = None
        summary = watch.at(HOUR)
        assert (summary.unsized, summary.oldest_initiated) == (1, NOW + HOUR)

    def test_after_it_was_committed_it_is_new(self):
        watch = Watch({"a": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = []
        assert watch.at(HOUR).uploads == 0
        watch.store.blobs["a"] = [10]
        assert [watch.oldest(2 * HOUR), watch.idle(3 * HOUR)] == [0.0, HOUR]

    def test_one_of_which_nobody_could_say_that_it_is_still_there_is_new_when_it_is_back(self):
        watch = Watch({"a": [10], "b": [10]})
        watch.at(0)
        del watch.store.blobs["a"]
        watch.store.by_name_error = FAILED
        assert watch.at(HOUR).uploads == 1
        watch.store.blobs["a"] = [10]
        watch.store.by_name_error = None
        assert watch.at(2 * HOUR).age_sum == 2 * HOUR

    def test_one_that_the_listing_hides_while_its_key_has_it_keeps_its_age(self):
        watch = Watch({"a": [10], "b": [10]})
        watch.at(0)
        watch.store.hidden = {"a"}
        summary = watch.at(HOUR)
        assert (summary.uploads, summary.unlisted, summary.age_sum) == (2, 1, 2 * HOUR)
        watch.store.hidden = set()
        assert watch.at(2 * HOUR).age_sum == 4 * HOUR

    def test_one_that_was_hidden_and_can_no_longer_be_asked_for_has_no_age(self):
        watch = Watch({"a": [10], "b": [10]}, ledger=Ledger(LedgerRows(StateDatabase(), NAME)))
        watch.at(0)
        watch.store.hidden = {"a"}
        watch.at(HOUR)
        watch.store.by_name_error = watch.store.blobs["a"] = FAILED
        summary = watch.at(2 * HOUR)
        assert (summary.uploads, summary.unlisted, summary.undated) == (2, 1, 1)
        assert summary.age_sum == 2 * HOUR
        watch.store.hidden, watch.store.by_name_error = set(), None
        assert watch.at(3 * HOUR).age_sum == 3 * HOUR


class TestNoUpload:
    def test_it_is_left_out_and_not_asked_about_at_each_scan(self):
        watch = Watch({f"{n}": [] for n in range(20)})
        watch.at(0)
        for hours in range(1, 24):
            summary = watch.at(hours * HOUR)
            assert (summary.uploads, summary.bytes, summary.unsized, summary.complete) == (0, 0, 0, True)
        before = watch.store.asked_for.total()
        for hours in range(24, 48):
            watch.at(hours * HOUR)
        assert watch.store.asked_for.total() - before < 24 * 20 / 2

    def test_beside_uploads_it_takes_no_number_from_them(self):
        watch = Watch({f"{n:02}": [10] if n % 3 else [] for n in range(30)})
        for hours in range(30):
            summary = watch.at(hours * HOUR)
        assert (summary.uploads, summary.bytes, summary.age_sum) == (20, 200, 20 * 29 * HOUR)

    def test_once_it_is_one_it_is_new(self):
        watch = Watch({"a": []}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = [10]
        watch.store.before_parts = lambda _: setattr(watch.clock, "now", HOUR + 600.0)
        assert watch.at(HOUR).oldest_initiated == NOW + HOUR + 600.0

    def test_it_is_in_no_list_of_uploads(self):
        watch, found = Watch({"a": [], "b": [10]}), []
        for _ in range(2):
            scan(watch.store, watch.ledger, watch.clock, observers=[found.append])
        assert [each.upload.key for each in found] == ["b", "b"]
        assert watch.store.asked_for == {"a": 1, "b": 1}

    def test_one_that_nobody_can_ask_for_is_not_taken_for_a_hidden_upload(self):
        watch = Watch({"a": [], "b": [10], "c": [10]})
        watch.at(0)
        watch.store.hidden = {"b"}
        watch.at(HOUR)
        watch.store.hidden, watch.store.by_name_error = {"a", "b"}, FAILED
        summary = watch.at(2 * HOUR)
        assert (summary.uploads, summary.unlisted, summary.unsized) == (2, 1, 0)

    def test_where_it_can_no_longer_be_asked_about_it_stays_left_out(self):
        watch = Watch({"a": []})
        watch.at(0)
        watch.store.blobs["a"] = FAILED
        assert watch.at(HOUR).uploads == 0

    def test_it_counts_as_listed_without_parts_as_nobody_asks(self):
        watch = Watch({"a": [], "b": [10]}, parts="never")
        assert watch.at(0).uploads == 2


class TestRestarts:
    @pytest.mark.parametrize("parts", MODES)
    def test_with_a_state_file_ages_and_activity_survive(self, parts, tmp_path: Path):
        state, ledger = in_file(tmp_path / "state.db")
        watch = Watch({"a": [10]}, ledger=ledger, parts=parts)
        watch.at(0)
        state.close()
        state, watch.ledger = in_file(tmp_path / "state.db")
        summary = watch.at(DAY)
        state.close()
        assert (summary.oldest_initiated, summary.oldest_activity) == (NOW, NOW)

    def test_without_one_all_are_new(self):
        watch = Watch({"a": [10]})
        watch.at(0)
        watch.ledger = Ledger()
        assert [watch.oldest(DAY), watch.idle(2 * DAY)] == [0.0, DAY]

    def test_what_was_absent_while_the_file_could_not_be_written_is_new(self, tmp_path: Path, monkeypatch):
        state, ledger = in_file(tmp_path / "state.db")
        watch = Watch({"a": [10], "b": [10]}, ledger=ledger)
        watch.at(0)
        del watch.store.blobs["a"]
        monkeypatch.setattr(StateDatabase, "write", lambda *_: False)
        watch.at(HOUR)
        monkeypatch.undo()
        watch.store.blobs["a"] = [10]
        assert watch.at(2 * HOUR).age_sum == 2 * HOUR
        state.close()

    def test_a_scan_of_which_nothing_is_kept_knows_no_age(self):
        watch = Watch({"a": [10]}, ledger=Ledger.for_one_scan())
        summary = watch.at(0)
        assert (summary.uploads, summary.undated, summary.bytes) == (1, 1, 10)
        assert (summary.oldest_initiated, summary.oldest_activity) == (None, None)
        assert (summary.stale, summary.stale_bytes) == (None, None)

    def test_such_a_scan_says_so_where_there_are_uploads(self):
        watch = Watch({"a": [10]}, ledger=Ledger.for_one_scan())
        assert scan(watch.store, watch.ledger).notices == (NO_AGES,)
        assert scan(BlobStore(), Ledger.for_one_scan()).notices == ()
        assert scan(watch.store, Ledger()).notices == ()


class TestClocks:
    @pytest.mark.parametrize("parts", MODES)
    def test_after_a_jump_back_nothing_is_in_the_future_and_ages_count_from_there(self, parts):
        watch = Watch({"a": [10]}, parts=parts)
        watch.at(30 * DAY)
        summary = watch.at(0)
        assert (summary.oldest_initiated, summary.oldest_activity) == (NOW, NOW)
        assert [watch.oldest(HOUR), watch.idle(HOUR)] == [HOUR, HOUR]

    def test_what_was_seen_before_the_clock_was_set_is_new_once_it_is(self):
        watch = Watch({"a": [10]})
        watch.at(-NOW)
        assert [watch.oldest(0), watch.idle(HOUR)] == [0.0, HOUR]

    def test_a_change_that_was_seen_in_the_future_counts_from_now(self):
        watch = Watch({"a": [10]}, recheck_factor=0)
        watch.at(0)
        watch.store.blobs["a"] = [10, 10]
        watch.at(30 * DAY)
        assert [watch.idle(HOUR), watch.idle(2 * HOUR)] == [0.0, HOUR]

    def test_ages_from_before_it_stay(self):
        watch = Watch({"a": [10]})
        watch.at(0)
        watch.at(30 * DAY)
        assert [watch.oldest(HOUR), watch.idle(2 * HOUR)] == [HOUR, 2 * HOUR]


def test_uploads_without_an_id_are_shown_one_by_one():
    watch, found = Watch({"a": [10], "b": [20]}), []
    scan(watch.store, watch.ledger, watch.clock, observers=[found.append])
    assert [(each.upload.key, each.bytes) for each in found] == [("a", 10), ("b", 20)]


@pytest.mark.slow
def test_no_age_is_overstated_and_none_is_lost_whatever_comes_between():
    for seed in range(20):
        History(random.Random(seed)).run(scans=25)


class History:
    """Uploads that begin, grow, end and begin anew by chance, scans that fail, restarts, and budgets.

    A key begins anew only after a finished scan without it, or with fewer blocks where each scan asks: what
    nothing tells apart is left out.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.database = StateDatabase()
        self.parts = rng.choice(MODES)
        asks_always = rng.random() < 0.5
        self.watch = Watch(
            ledger=self.reopened(),
            parts="always" if asks_always and self.parts != "never" else self.parts,
            max_requests=rng.choice([None, None, 6]),
            retries=0,
        )
        self.watch.store.page_size = rng.choice([1, 3, 1000])
        self.began: dict[str, float] = {}
        self.changed: dict[str, float] = {}
        self.first_listed: dict[str, float] = {}
        self.absent: set[str] = {f"{n:02}" for n in range(12)}

    def reopened(self) -> Ledger:
        return Ledger(LedgerRows(self.database, NAME))

    def run(self, scans: int) -> None:
        now = 0.0
        for _ in range(scans):
            self.live(now)
            now += self.rng.choice([60.0, HOUR, DAY])
            if self.rng.random() < 0.2:
                self.watch.ledger = self.reopened()
            self.scan(now)
            now += 1.0

    def live(self, now: float) -> None:
        blobs = self.watch.store.blobs
        for key in sorted(self.absent):
            if self.rng.random() < 0.3:
                blobs[key] = [self.rng.randint(1, 9)]
                self.began[key] = self.changed[key] = now
                self.absent.discard(key)
        for key in [each for each in sorted(blobs) if each not in self.absent]:
            chance = self.rng.random()
            if chance < 0.1:
                del blobs[key], self.began[key], self.changed[key]
                self.first_listed.pop(key, None)
            elif chance < 0.3:
                blobs[key] = [*blobs[key], 5]
                self.changed[key] = now

    def scan(self, now: float) -> None:
        found: list[CountedUpload] = []
        self.watch.clock.now = now
        fails = self.rng.random() < 0.2
        if fails:
            self.watch.store.listing_errors = {self.watch.store.pages: FAILED}
        observers = [found.append] * self.rng.randint(0, 1)  # without any, whole chunks are counted
        try:
            summary = scan(
                self.watch.store,
                self.watch.ledger,
                self.watch.clock,
                observers=observers,
                **self.watch.settings,
            ).summary
        except StoreError:
            return
        self.absent |= {f"{n:02}" for n in range(12)} - self.began.keys()
        true_ages = [now - began for began in self.began.values()]
        assert (summary.uploads, summary.undated) == (len(true_ages), 0)
        assert summary.age_sum <= sum(true_ages)
        for each in found:
            self.check(each, now)

    def check(self, each: CountedUpload, now: float) -> None:
        key, initiated = each.upload.key, each.upload.initiated
        assert initiated is not None
        assert initiated - NOW >= self.began[key]
        assert initiated - NOW == self.first_listed.setdefault(key, initiated - NOW)
        if self.watch.settings["parts"] == "always" and each.parts is not None:
            assert (each.activity or 0.0) - NOW >= self.changed[key]
            assert sum(self.watch.store.blobs[key]) == each.bytes
        assert initiated - NOW <= now
