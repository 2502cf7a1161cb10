"""The reconciler: what changed settings or buckets do to targets, board and state, and what they do not."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from fakes import NOW
from unit.houses import House, target

from exporter.config.settings import BucketSettings, DiscoverSettings, ScanSettings
from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.scheduler.discovery import DiscoverySchedule
from exporter.scheduler.reconciler import STAGGER_SECONDS
from exporter.state.database import StateDatabase

HOUR = 3600.0


class TestOtherSettings:
    def test_what_is_unchanged_keeps_its_values_and_its_place_in_the_queue(self):
        house = House(target(), target("other"))
        house.tick()
        targets, shown = house.targets.copy(), house.shown()
        scan_times = house.reconciler.statuses()[0].scan_times
        house.apply(target(), target("other"), target("third"))
        assert {name: house.targets[name] for name in targets} == targets
        kept = {key: entry for key, entry in house.shown().items() if key[0] != "third"}
        assert all(kept[key] is entry for key, entry in shown.items())
        assert kept.keys() == shown.keys()
        assert house.reconciler.statuses()[0].scan_times == scan_times
        assert house.forgotten == house.closed == house.cancelled == []

    def test_a_new_bucket_is_scanned_at_once_and_disturbs_no_other(self):
        house = House(target())
        house.tick()
        before = house.shown()
        house.apply(target("prod", "a", "b", "c"))
        assert house.shown()["prod", "c"].success is None
        house.tick()
        after = house.shown()
        assert after["prod", "c"].success
        assert after["prod", "a"] is before["prod", "a"]
        assert sorted(house.targets["prod"].scanner.scanned) == ["a", "b", "c"]

    def test_a_bucket_that_is_out_loses_all(self):
        house = House(target())
        house.tick()
        house.apply(target("prod", "b"))
        assert house.shown().keys() == house.remembered() == {("prod", "b")}
        assert house.reconciler.statuses()[0].buckets == (BucketSettings("b"),)

    def test_a_target_that_is_out_loses_all_and_gives_back_what_it_held(self):
        house = House(target(), target("other"))
        house.tick(1)
        watched = house.targets["other"]
        house.apply(target())
        assert {key[0] for key in house.shown()} == {name for name, _ in house.remembered()} == {"prod"}
        assert (house.forgotten, house.cancelled, house.closed) == (["other"], [watched], [watched])
        house.tick(1e6)
        assert sorted(watched.scanner.scanned) == ["a", "b"]

    def test_values_that_mean_the_same_stay_where_a_target_begins_anew(self):
        house = House(target())
        house.tick()
        before = house.shown()["prod", "a"]
        house.apply(target(region="eu-west-1"))
        after = house.shown()["prod", "a"]
        assert (after.summary, after.last_success, after.success) == (before.summary, NOW, None)
        house.tick()
        assert house.shown()["prod", "a"].success
        assert len(house.closed) == 1

    def test_values_that_would_mean_something_else_do_not(self):
        house = House(target())
        house.tick()
        house.apply(target("prod", BucketSettings("a", prefix="db/"), "b"))
        shown = house.shown()
        assert (shown["prod", "a"].summary, shown["prod", "b"].success) == (None, True)
        house.apply(target("prod", BucketSettings("a", prefix="db/"), "b"), ages=(HOUR,))
        assert {entry.summary for entry in house.shown().values()} == {None}
        assert {entry.ages for entry in house.shown().values()} == {(HOUR,)}

    def test_where_a_target_cannot_be_made_nothing_changes(self):
        house = House(target())
        house.tick()
        before = house.shown()
        house.no_more_targets = True
        with pytest.raises(TypeError):
            house.apply(target(region="eu-west-1"), target("other"))
        assert house.shown() == before
        house.tick(2 * HOUR)
        assert len(house.targets["prod"].scanner.scanned) == 4


def test_first_scans_of_targets_are_not_all_due_in_the_same_instant():
    house = House(*(target(f"target-{number}") for number in range(3)))
    due = [each.scan_times["a"].due - NOW for each in house.reconciler.statuses()]
    assert due == pytest.approx([0.0, STAGGER_SECONDS, 2 * STAGGER_SECONDS], abs=1e-3)


def test_a_worker_takes_no_further_bucket_of_a_target_that_is_out():
    house = House(replace(target(), scan=ScanSettings(workers=1)))
    scanner = house.targets["prod"].scanner
    scanner.behave = lambda _: house.apply()
    house.tick()
    assert scanner.scanned == ["a"]


class Leaving(DiscoverySchedule):
    """Has `leave` called as soon as the list is due."""

    def __init__(self, leave, find):
        super().__init__(100.0, lambda: self.asked.append(None) or find(), 0.0)
        self.asked = []
        self.leave = leave

    def take(self, now):
        self.leave()
        return super().take(now)


class TestScansUnderWay:
    """A scan is held in its middle while the settings change."""

    @pytest.fixture
    def house(self):
        house = House(target("prod", "a"))
        self.reached, self.release, self.outcome = threading.Event(), threading.Event(), None

        def hold(_):
            self.reached.set()
            self.release.wait(30)
            if self.outcome:
                raise self.outcome

        house.targets["prod"].scanner.behave = hold
        house.loop.tick()
        assert self.reached.wait(10)
        yield house
        self.release.set()

    def finish(self, house):
        self.release.set()
        assert house.loop.join(10) == []

    def test_go_on_where_nothing_changed_for_them(self, house):
        house.apply(target("prod", "a", "b"))
        self.finish(house)
        assert house.shown()["prod", "a"].success

    def test_show_nothing_where_their_target_is_out(self, house):
        watched = house.targets["prod"]
        house.apply(target("other"))
        assert (house.cancelled, house.closed) == ([watched], [])
        self.finish(house)
        assert house.closed == [watched]
        assert {key[0] for key in house.shown()} == {"other"}

    @pytest.mark.parametrize("outcome", [None, StoreError(Reason.TLS, "no"), StoppingError()])
    def test_show_nothing_where_their_target_began_anew(self, house, outcome):
        self.outcome = outcome
        house.apply(target("prod", "a", region="eu-west-1"))
        self.finish(house)
        assert house.shown()["prod", "a"].success is None
        house.tick()
        assert house.shown()["prod", "a"].success

    def test_show_nothing_where_their_bucket_means_something_else_and_it_is_scanned_next(self, house):
        watched = house.targets["prod"]
        house.apply(target("prod", BucketSettings("a", prefix="db/")))
        watched.scanner.behave = house_is_stopping
        self.finish(house)
        assert house.shown()["prod", "a"].success is None
        assert watched.scanner.scanned == ["a", "a"]

    def test_show_nothing_where_their_bucket_is_out(self, house):
        house.apply(target("prod", "b"))
        self.finish(house)
        assert house.shown().keys() == {("prod", "b")}


class TestFinding:
    DISCOVERING = replace(target(), buckets=(), discover=DiscoverSettings(refresh=100.0))

    @pytest.fixture
    def house(self):
        house = House()
        house.lists["prod"] = ["a", "b"]
        house.apply(self.DISCOVERING)
        return house

    def state(self, house):
        return house.reconciler.statuses()[0].discovery

    def test_buckets_appear_and_are_scanned(self, house):
        assert not house.reconciler.all_discovered()
        house.tick()
        assert house.reconciler.all_discovered()
        house.tick()
        assert {key[1] for key, entry in house.shown().items() if entry.success} == {"a", "b"}
        assert (self.state(house).success, self.state(house).last_success is not None) == (True, True)

    def test_gone_ones_lose_all_and_the_others_nothing(self, house):
        house.tick()
        house.tick()
        before = house.shown()["prod", "b"]
        house.lists["prod"] = ["b", "c"]
        house.tick(100)
        assert house.shown().keys() == {("prod", "b"), ("prod", "c")}
        assert house.shown()["prod", "b"] == before
        assert ("prod", "a") not in house.remembered()

    def test_a_list_that_cannot_be_had_keeps_the_last_one_and_is_asked_for_soon(self, house):
        house.tick()
        house.tick()
        house.lists["prod"] = StoreError(Reason.THROTTLED, "slow down")
        house.tick(100)
        assert {key[1] for key in house.shown()} == {"a", "b"}
        state = self.state(house)
        assert (state.success, state.failure) == (False, Failure(Reason.THROTTLED, "slow down"))
        house.lists["prod"] = ["a"]
        house.tick(60)
        assert (self.state(house).success, {key[1] for key in house.shown()}) == (True, {"a"})

    def test_the_same_failure_is_told_once(self, house, caplog):
        house.lists["prod"] = StoreError(Reason.TLS, "no")
        for _ in range(3):
            house.tick(61)
        assert [record.getMessage() for record in caplog.records] == ["the list of buckets cannot be had"]

    def test_our_own_bug_is_internal_and_ends_nothing(self, house):
        house.lists["prod"] = ZeroDivisionError()
        house.tick()
        assert self.state(house).failure.reason is Reason.INTERNAL
        house.lists["prod"] = ["a"]
        house.tick(60)
        assert self.state(house).success

    def test_being_stopped_is_no_failure(self, house):
        house.lists["prod"] = StoppingError()
        house.tick()
        assert self.state(house).success is None

    def test_what_is_remembered_is_kept_until_the_list_was_had(self):
        house = House(target("prod", "a", "b"))
        house.tick()
        house.lists["prod"] = StoreError(Reason.TLS, "no")
        house.apply(self.DISCOVERING)
        house.tick()
        assert house.remembered() == {("prod", "a"), ("prod", "b")}
        house.lists["prod"] = ["b"]
        house.tick(61)
        assert house.remembered() == {("prod", "b")}

    def test_what_an_earlier_process_knew_is_shown_at_once_where_the_patterns_still_want_it(self):
        house = House(target("prod", "a", "b"))
        house.tick()
        narrow = replace(self.DISCOVERING, discover=DiscoverSettings(exclude=("b",)))
        house.apply(narrow)
        assert house.shown().keys() == house.remembered() == {("prod", "a")}
        assert house.shown()["prod", "a"].last_success == NOW

    def test_what_is_found_too_late_is_not_watched(self, house):
        watched = house.targets["prod"]
        house.apply(target("other"))
        house.reconciler.found(watched, [BucketSettings("a")])
        assert {key[0] for key in house.shown()} == {name for name, _ in house.remembered()} == {"other"}

    def test_nothing_is_begun_for_a_target_that_goes_in_the_same_instant(self):
        house = House(target("prod", "a", "b"))
        house.tick()
        house.apply(self.DISCOVERING)
        watched = house.targets["prod"]
        watched.discovery = Leaving(house.apply, lambda: house.find(watched.settings))
        house.tick(1)
        assert watched.discovery.asked == watched.scanner.scanned == []
        assert house.closed[1:] == [watched]

    def test_a_target_gives_back_what_it_holds_once_its_list_is_no_longer_asked_for(self, house):
        reached, release = threading.Event(), threading.Event()
        watched = house.targets["prod"]

        def hold():
            reached.set()
            release.wait(30)
            raise StoppingError

        watched.discovery.find = hold
        house.loop.tick()
        assert reached.wait(10)
        house.apply(target("other"))
        assert (house.cancelled, house.closed) == ([watched], [])
        release.set()
        assert house.loop.join(10) == []
        assert house.closed == [watched]

    def test_the_list_is_asked_for_by_one_thread_at_a_time(self, house):
        discovery = house.targets["prod"].discovery
        assert discovery.take(0.0)
        assert not discovery.take(1e6)

    def test_a_list_that_cannot_be_had_is_not_asked_for_more_seldom_than_one_that_can(self):
        discovery = DiscoverySchedule(10.0, tuple, 0.0)
        discovery.fail(0.0, Failure(Reason.TLS, "no"))
        assert not discovery.take(9.0)
        assert discovery.take(10.0)

    def test_a_failure_leaves_in_sight_when_the_list_was_last_had(self, house):
        house.tick()
        had = self.state(house).last_success
        house.lists["prod"] = StoreError(Reason.TLS, "no")
        house.tick(100)
        assert (self.state(house).success, self.state(house).last_success) == (False, had)

    def test_where_the_system_has_no_thread_for_it_the_list_is_asked_for_at_the_next_tick(
        self, house, monkeypatch
    ):
        def refuse(_):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            house.loop.tick()
        assert house.targets["prod"].idle
        house.tick()
        assert self.state(house).success

    def test_that_buckets_are_known_already_is_enough_to_be_ready(self):
        house = House(target("prod", "a", "b"))
        house.tick()
        house.apply(self.DISCOVERING)
        assert self.state(house).success is None
        assert house.reconciler.all_discovered()


def house_is_stopping(_):
    raise StoppingError


def restarted(path, before, after):
    """Return a house of the settings `after` with the state of one that scanned `before`, not open yet."""
    house = House(state=StateDatabase(path))
    assert house.state.open(house.stop)
    house.apply(before)
    house.tick()
    house.state.close()
    return House(after, state=StateDatabase(path))


def test_restored_values_are_shown_once_the_state_is_open(tmp_path):
    again = restarted(tmp_path / "state", target(), target())
    assert {entry.last_success for entry in again.shown().values()} == {None}
    assert again.state.open(again.stop)
    again.reconciler.restore()
    assert {entry.success for entry in again.shown().values()} == {None}
    assert {entry.last_success for entry in again.shown().values()} == {NOW}


def test_what_is_not_watched_is_forgotten_once_the_state_is_open(tmp_path):
    again = restarted(tmp_path / "state", target(), target("prod", "b"))
    assert again.state.open(again.stop)
    again.reconciler.restore()
    assert again.remembered() == {("prod", "b")}
