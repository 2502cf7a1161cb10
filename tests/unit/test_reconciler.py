"""The reconciler: what changed settings or buckets do to targets, board and state, and what they do not."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from fakes import NOW
from unit.scheduler_setup import SchedulerSetup, target

from exporter.config.cleanup import CleanupSettings
from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.model.targets import ScanRequest, UnknownNameError
from exporter.scan.tally import Tally
from exporter.scheduler.discovery import DiscoverySchedule
from exporter.scheduler.reconciler import STAGGER_SECONDS
from exporter.state.database import StateDatabase

HOUR = 3600.0


class TestOtherSettings:
    def test_what_is_unchanged_keeps_its_values_and_its_place_in_the_queue(self):
        setup = SchedulerSetup(target(), target("other"))
        setup.tick()
        targets, shown = setup.targets.copy(), setup.shown()
        scan_times = setup.reconciler.statuses()[0].scan_times
        setup.apply(target(), target("other"), target("third"))
        assert {name: setup.targets[name] for name in targets} == targets
        kept = {key: entry for key, entry in setup.shown().items() if key[0] != "third"}
        assert all(kept[key] is entry for key, entry in shown.items())
        assert kept.keys() == shown.keys()
        assert setup.reconciler.statuses()[0].scan_times == scan_times
        assert setup.forgotten == setup.closed == setup.cancelled == []

    def test_a_new_bucket_is_scanned_at_once_and_disturbs_no_other(self):
        setup = SchedulerSetup(target())
        setup.tick()
        before = setup.shown()
        setup.apply(target("prod", "a", "b", "c"))
        assert setup.shown()["prod", "c"].success is None
        setup.tick()
        after = setup.shown()
        assert after["prod", "c"].success
        assert after["prod", "a"] is before["prod", "a"]
        assert sorted(setup.targets["prod"].scanner.scanned) == ["a", "b", "c"]

    def test_a_bucket_that_is_out_loses_all(self):
        setup = SchedulerSetup(target())
        setup.tick()
        setup.apply(target("prod", "b"))
        assert setup.shown().keys() == setup.remembered() == {("prod", "b")}
        assert setup.reconciler.statuses()[0].buckets == (BucketSettings("b"),)

    def test_a_target_that_is_out_loses_all_and_gives_back_what_it_held(self):
        setup = SchedulerSetup(target(), target("other"))
        setup.tick(1)
        watched = setup.targets["other"]
        setup.apply(target())
        assert {key[0] for key in setup.shown()} == {name for name, _ in setup.remembered()} == {"prod"}
        assert (setup.forgotten, setup.cancelled, setup.closed) == (["other"], [watched], [watched])
        setup.tick(1e6)
        assert sorted(watched.scanner.scanned) == ["a", "b"]

    def test_values_that_mean_the_same_stay_where_a_target_begins_anew(self):
        setup = SchedulerSetup(target())
        setup.tick()
        before = setup.shown()["prod", "a"]
        setup.apply(target(region="eu-west-1"))
        after = setup.shown()["prod", "a"]
        assert (after.summary, after.last_success, after.success) == (before.summary, NOW, None)
        setup.tick()
        assert setup.shown()["prod", "a"].success
        assert len(setup.closed) == 1

    def test_values_that_would_mean_something_else_do_not(self):
        setup = SchedulerSetup(target())
        setup.tick()
        setup.apply(target("prod", BucketSettings("a", prefix="db/"), "b"))
        shown = setup.shown()
        assert (shown["prod", "a"].summary, shown["prod", "b"].success) == (None, True)
        setup.apply(target("prod", BucketSettings("a", prefix="db/"), "b"), ages=(HOUR,))
        assert {entry.summary for entry in setup.shown().values()} == {None}
        assert {entry.ages for entry in setup.shown().values()} == {(HOUR,)}

    def test_every_bucket_is_shown_with_what_its_store_does_by_itself(self):
        setup = SchedulerSetup(target(cleanup=CleanupSettings("store", 86400.0)), target("other"))
        after = {key: entry.cleanup_after for key, entry in setup.shown().items()}
        assert after == {
            **{("prod", bucket): 86400.0 for bucket in "ab"},
            **{("other", bucket): None for bucket in "ab"},
        }

    def test_ages_shown_another_way_mean_the_same(self):
        setup = SchedulerSetup(target())
        setup.tick()
        before = setup.shown()["prod", "a"]
        setup.apply(target(), ages_as="gauges")
        after = setup.shown()["prod", "a"]
        assert (before.ages_as, after.ages_as) == ("histogram", "gauges")
        assert after.summary == before.summary

    def test_where_a_target_cannot_be_made_nothing_changes(self):
        setup = SchedulerSetup(target())
        setup.tick()
        before = setup.shown()
        setup.no_more_targets = True
        with pytest.raises(TypeError):
            setup.apply(target(region="eu-west-1"), target("other"))
        assert setup.shown() == before
        setup.tick(2 * HOUR)
        assert len(setup.targets["prod"].scanner.scanned) == 4


def test_first_scans_of_targets_are_not_all_due_in_the_same_instant():
    setup = SchedulerSetup(*(target(f"target-{number}") for number in range(3)))
    due = [each.scan_times["a"].due - NOW for each in setup.reconciler.statuses()]
    assert due == pytest.approx([0.0, STAGGER_SECONDS, 2 * STAGGER_SECONDS], abs=1e-3)


def test_a_worker_takes_no_further_bucket_of_a_target_that_is_out():
    setup = SchedulerSetup(replace(target(), scan=ScanSettings(workers=1)))
    scanner = setup.targets["prod"].scanner
    scanner.behave = lambda _: setup.apply()
    setup.tick()
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
    def setup(self):
        setup = SchedulerSetup(target("prod", "a"))
        self.reached, self.release, self.outcome = threading.Event(), threading.Event(), None

        def hold(_):
            self.reached.set()
            self.release.wait(30)
            if self.outcome:
                raise self.outcome

        setup.targets["prod"].scanner.behave = hold
        setup.loop.tick()
        assert self.reached.wait(10)
        yield setup
        self.release.set()

    def finish(self, setup):
        self.release.set()
        assert setup.loop.join(10) == []

    def test_go_on_where_nothing_changed_for_them(self, setup):
        setup.apply(target("prod", "a", "b"))
        self.finish(setup)
        assert setup.shown()["prod", "a"].success

    def test_show_nothing_where_their_target_is_out(self, setup):
        watched = setup.targets["prod"]
        setup.apply(target("other"))
        assert (setup.cancelled, setup.closed) == ([watched], [])
        self.finish(setup)
        assert setup.closed == [watched]
        assert {key[0] for key in setup.shown()} == {"other"}

    @pytest.mark.parametrize("outcome", [None, StoreError(Reason.TLS, "no"), StoppingError()])
    def test_show_nothing_where_their_target_began_anew(self, setup, outcome):
        self.outcome = outcome
        setup.apply(target("prod", "a", region="eu-west-1"))
        self.finish(setup)
        assert setup.shown()["prod", "a"].success is None
        setup.tick()
        assert setup.shown()["prod", "a"].success

    def test_show_nothing_where_their_bucket_means_something_else_and_it_is_scanned_next(self, setup):
        watched = setup.targets["prod"]
        setup.apply(target("prod", BucketSettings("a", prefix="db/")))
        watched.scanner.behave = house_is_stopping
        self.finish(setup)
        assert setup.shown()["prod", "a"].success is None
        assert watched.scanner.scanned == ["a", "a"]

    def test_show_nothing_where_their_bucket_is_out(self, setup):
        setup.apply(target("prod", "b"))
        self.finish(setup)
        assert setup.shown().keys() == {("prod", "b")}


class TestFinding:
    DISCOVERING = replace(target(), buckets=(), discover=DiscoverSettings(refresh=100.0))

    @pytest.fixture
    def setup(self):
        setup = SchedulerSetup()
        setup.lists["prod"] = ["a", "b"]
        setup.apply(self.DISCOVERING)
        return setup

    def state(self, setup):
        return setup.reconciler.statuses()[0].discovery

    def test_buckets_appear_and_are_scanned(self, setup):
        assert not setup.reconciler.all_discovered()
        setup.tick()
        assert setup.reconciler.all_discovered()
        setup.tick()
        assert {key[1] for key, entry in setup.shown().items() if entry.success} == {"a", "b"}
        assert (self.state(setup).success, self.state(setup).last_success is not None) == (True, True)

    def test_a_url_that_names_one_of_them_already_is_told(self, setup, caplog):
        setup.apply(replace(self.DISCOVERING, endpoint_url="http://h:8333/b"))
        setup.tick()
        [text] = [record.fields["advice"] for record in caplog.records if record.levelname == "WARNING"]
        assert text.startswith("endpoint_url: has the name of the bucket b in its path,")

    def test_gone_ones_lose_all_and_the_others_nothing(self, setup):
        setup.tick()
        setup.tick()
        before = setup.shown()["prod", "b"]
        setup.lists["prod"] = ["b", "c"]
        setup.tick(100)
        assert setup.shown().keys() == {("prod", "b"), ("prod", "c")}
        assert setup.shown()["prod", "b"] == before
        assert ("prod", "a") not in setup.remembered()

    def test_a_list_that_cannot_be_had_keeps_the_last_one_and_is_asked_for_soon(self, setup):
        setup.tick()
        setup.tick()
        setup.lists["prod"] = StoreError(Reason.THROTTLED, "slow down")
        setup.tick(100)
        assert {key[1] for key in setup.shown()} == {"a", "b"}
        state = self.state(setup)
        assert (state.success, state.failure) == (False, Failure(Reason.THROTTLED, "slow down"))
        setup.lists["prod"] = ["a"]
        setup.tick(60)
        assert (self.state(setup).success, {key[1] for key in setup.shown()}) == (True, {"a"})

    def test_the_same_failure_is_told_once(self, setup, caplog):
        setup.lists["prod"] = StoreError(Reason.TLS, "no")
        for _ in range(3):
            setup.tick(61)
        assert [record.getMessage() for record in caplog.records] == ["the list of buckets cannot be read"]

    def test_our_own_bug_is_internal_and_ends_nothing(self, setup):
        setup.lists["prod"] = ZeroDivisionError()
        setup.tick()
        assert self.state(setup).failure.reason is Reason.INTERNAL
        setup.lists["prod"] = ["a"]
        setup.tick(60)
        assert self.state(setup).success

    def test_being_stopped_is_no_failure(self, setup):
        setup.lists["prod"] = StoppingError()
        setup.tick()
        assert self.state(setup).success is None

    def test_what_is_remembered_is_kept_until_the_list_was_had(self):
        setup = SchedulerSetup(target("prod", "a", "b"))
        setup.tick()
        setup.lists["prod"] = StoreError(Reason.TLS, "no")
        setup.apply(self.DISCOVERING)
        setup.tick()
        assert setup.remembered() == {("prod", "a"), ("prod", "b")}
        setup.lists["prod"] = ["b"]
        setup.tick(61)
        assert setup.remembered() == {("prod", "b")}

    def test_what_an_earlier_process_knew_is_shown_at_once_where_the_patterns_still_want_it(self):
        setup = SchedulerSetup(target("prod", "a", "b"))
        setup.tick()
        narrow = replace(self.DISCOVERING, discover=DiscoverSettings(exclude=("b",)))
        setup.apply(narrow)
        assert setup.shown().keys() == setup.remembered() == {("prod", "a")}
        assert setup.shown()["prod", "a"].last_success == NOW

    def test_what_is_found_too_late_is_not_watched(self, setup):
        watched = setup.targets["prod"]
        setup.apply(target("other"))
        setup.reconciler.found(watched, [BucketSettings("a")])
        assert {key[0] for key in setup.shown()} == {name for name, _ in setup.remembered()} == {"other"}

    def test_nothing_is_begun_for_a_target_that_goes_in_the_same_instant(self):
        setup = SchedulerSetup(target("prod", "a", "b"))
        setup.tick()
        setup.apply(self.DISCOVERING)
        watched = setup.targets["prod"]
        watched.discovery = Leaving(setup.apply, lambda: setup.find(watched.settings))
        setup.tick(1)
        assert watched.discovery.asked == watched.scanner.scanned == []
        assert setup.closed[1:] == [watched]

    def test_a_target_gives_back_what_it_holds_once_its_list_is_no_longer_asked_for(self, setup):
        reached, release = threading.Event(), threading.Event()
        watched = setup.targets["prod"]

        def hold():
            reached.set()
            release.wait(30)
            raise StoppingError

        watched.discovery.find = hold
        setup.loop.tick()
        assert reached.wait(10)
        setup.apply(target("other"))
        assert (setup.cancelled, setup.closed) == ([watched], [])
        release.set()
        assert setup.loop.join(10) == []
        assert setup.closed == [watched]

    def test_the_list_is_asked_for_by_one_thread_at_a_time(self, setup):
        discovery = setup.targets["prod"].discovery
        assert discovery.take(0.0)
        assert not discovery.take(1e6)

    def test_a_list_that_cannot_be_had_is_not_asked_for_more_seldom_than_one_that_can(self):
        discovery = DiscoverySchedule(10.0, tuple, 0.0)
        discovery.fail(0.0, Failure(Reason.TLS, "no"))
        assert not discovery.take(9.0)
        assert discovery.take(10.0)

    def test_that_none_is_left_is_told_once_and_again_after_there_was_one(self, setup, caplog):
        for found in ((), (), ("a",), ()):
            setup.lists["prod"] = found
            setup.tick(100)
        told = [each.fields["error"] for each in caplog.records if each.message == "no bucket is watched"]
        assert told == ["discover matches no bucket: there is none, or the credentials see none"] * 2

    def test_a_failure_leaves_in_sight_when_the_list_was_last_had(self, setup):
        setup.tick()
        had = self.state(setup).last_success
        setup.lists["prod"] = StoreError(Reason.TLS, "no")
        setup.tick(100)
        assert (self.state(setup).success, self.state(setup).last_success) == (False, had)

    def test_where_the_system_has_no_thread_for_it_the_list_is_asked_for_at_the_next_tick(
        self, setup, monkeypatch
    ):
        def refuse(_):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            setup.loop.tick()
        assert setup.targets["prod"].idle
        setup.tick()
        assert self.state(setup).success

    def test_that_buckets_are_known_already_is_enough_to_be_ready(self):
        setup = SchedulerSetup(target("prod", "a", "b"))
        setup.tick()
        setup.apply(self.DISCOVERING)
        assert self.state(setup).success is None
        assert setup.reconciler.all_discovered()


class TestScanNow:
    FINDING = replace(target("found"), buckets=(), discover=DiscoverSettings())

    def test_without_names_all_are_scanned_and_lists_are_read_anew(self):
        setup = SchedulerSetup()
        setup.lists["found"] = ["x"]
        setup.apply(target(), self.FINDING)
        setup.tick(1)
        setup.tick()
        setup.lists["found"] = ["x", "y"]
        assert setup.reconciler.request_scans() == ScanRequest(targets=2, buckets=3, running=0, lists=1)
        setup.tick()
        setup.tick()
        assert sorted(setup.targets["prod"].scanner.scanned) == ["a", "a", "b", "b"]
        assert sorted(setup.targets["found"].scanner.scanned) == ["x", "x", "y"]

    def test_only_what_is_named_is_scanned(self):
        setup = SchedulerSetup(target(), target("other", "b", "c"))
        setup.tick(1)
        assert setup.reconciler.request_scans((), ("b",)).buckets == 2
        assert setup.reconciler.request_scans(("prod",), ("a",)) == ScanRequest(1, 1, 0, 0)
        setup.tick()
        assert sorted(setup.targets["prod"].scanner.scanned) == ["a", "a", "b", "b"]
        assert sorted(setup.targets["other"].scanner.scanned) == ["b", "b", "c"]

    @pytest.mark.parametrize(
        ("targets", "buckets", "text"),
        [
            (("prd",), (), 'no target that is watched here is called "prd"; there are: other, prod'),
            (("other",), ("a", "c"), 'no bucket that is watched here is called "a"; there are: c'),
            ((), ("a", "x\ny"), r'no bucket that is watched here is called "x\ny"; there are: a, b, c'),
        ],
    )
    def test_a_name_that_is_not_watched_changes_nothing(self, targets, buckets, text):
        setup = SchedulerSetup(target(), target("other", "c"))
        setup.tick()
        with pytest.raises(UnknownNameError) as caught:
            setup.reconciler.request_scans(targets, buckets)
        assert str(caught.value) == text
        setup.tick()
        assert sorted(setup.targets["prod"].scanner.scanned) == ["a", "b"]

    def test_a_list_that_could_not_be_read_keeps_its_pause(self):
        setup = SchedulerSetup()
        setup.lists["found"] = StoreError(Reason.TLS, "no")
        setup.apply(self.FINDING)
        setup.tick(1)
        assert setup.reconciler.request_scans().lists == 0


def house_is_stopping(_):
    raise StoppingError


def restarted(path, before, after):
    """Return a setup of the settings `after` with the state of one that scanned `before`, not open yet."""
    setup = SchedulerSetup(state=StateDatabase(path))
    assert setup.state.open(setup.stop)
    setup.apply(before)
    setup.tick()
    setup.state.close()
    return SchedulerSetup(after, state=StateDatabase(path))


def test_restored_values_are_shown_once_the_state_is_open(tmp_path):
    again = restarted(tmp_path / "state", target(), target())
    assert {entry.last_success for entry in again.shown().values()} == {None}
    assert again.state.open(again.stop)
    again.reconciler.restore()
    assert {entry.success for entry in again.shown().values()} == {None}
    assert {entry.last_success for entry in again.shown().values()} == {NOW}


def by_string(account):
    text = f"AccountName={account};AccountKey=a2V5"
    return {"credentials": Credentials(connection_string=Secret(text))}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"account": "media"}, by_string("media"), NOW),
        ({"account": "media"}, {"account": "logs"}, None),
        (by_string("media"), by_string("logs"), None),
        ({"account": "media"}, {"account": "media", "endpoint_url": "https://10.0.0.9"}, None),
    ],
)
def test_what_is_known_of_azure_is_that_of_one_storage_account(tmp_path, before, after, shown):
    settings = [replace(target(), store=StoreKind.AZURE, **each) for each in (before, after)]
    again = restarted(tmp_path / "state", *settings)
    assert again.state.open(again.stop)
    again.reconciler.restore()
    assert {entry.last_success for entry in again.shown().values()} == {shown}


@pytest.mark.parametrize(("named", "shown"), [("owner", (("owner", "a"),)), ("team", None)])
def test_restored_tags_are_those_that_the_config_still_names(tmp_path, monkeypatch, named, shown):
    found = Tally.summary
    monkeypatch.setattr(Tally, "summary", lambda self: replace(found(self), tags=(("owner", "a"),)))
    again = restarted(tmp_path / "state", target(tags=("owner",)), target(tags=(named,)))
    assert again.state.open(again.stop)
    again.reconciler.restore()
    assert {entry.summary.tags for entry in again.shown().values()} == {shown}


def test_what_is_not_watched_is_forgotten_once_the_state_is_open(tmp_path):
    again = restarted(tmp_path / "state", target(), target("prod", "b"))
    assert again.state.open(again.stop)
    again.reconciler.restore()
    assert again.remembered() == {("prod", "b")}
