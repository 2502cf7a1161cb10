"""The reconciler of one shard: the buckets of others are neither scanned, shown nor remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.scheduler_setup import SchedulerSetup, target

from exporter.config.sharding import Shard
from exporter.config.target_sections import DiscoverSettings

NAMES = [f"bucket-{n}" for n in range(12)]
FIRST, OTHER = Shard(2, 0), Shard(2, 1)
OURS, THEIRS = ([name for name in NAMES if shard.owns("prod", name)] for shard in (FIRST, OTHER))
LISTED = target("prod", *NAMES)
FOUND = replace(LISTED, buckets=(), discover=DiscoverSettings(refresh=100.0))


def setup(*targets, shard=FIRST, state=None):
    return SchedulerSetup(*targets, shard=shard, state=state)


def scanned(setup):
    return sorted(setup.targets["prod"].scanner.scanned)


def test_both_have_something_here():
    assert sorted(OURS + THEIRS) == sorted(NAMES)
    assert OURS
    assert THEIRS


def test_only_its_own_are_scanned_shown_and_remembered():
    built = setup(LISTED)
    built.tick()
    assert scanned(built) == sorted(OURS)
    own = {("prod", name) for name in OURS}
    assert built.shown().keys() == built.remembered() == own
    [status] = built.reconciler.statuses()
    assert [bucket.name for bucket in status.buckets] == [name for name in NAMES if name in OURS]


@pytest.mark.parametrize("target", [LISTED, FOUND], ids=["listed", "found"])
def test_what_other_shards_left_in_its_state_is_neither_shown_nor_kept(target):
    before = SchedulerSetup(LISTED)
    before.tick()
    assert len(before.remembered()) == len(NAMES)
    after = setup(target, state=before.state)
    own = {("prod", name) for name in OURS}
    assert after.shown().keys() == after.remembered() == own
    assert all(entry.last_success for entry in after.shown().values())


def test_another_bucket_of_another_shard_changes_nothing():
    built = setup(LISTED)
    built.tick()
    before, watched = built.shown(), built.targets["prod"]
    built.apply(target("prod", *OURS, THEIRS[0]))
    assert built.targets["prod"] is watched
    after = built.shown()
    assert after.keys() == before.keys()
    assert all(after[key] is before[key] for key in before)


def test_another_bucket_of_its_own_is_scanned_at_once():
    built = setup(target("prod", *OURS[1:], *THEIRS))
    built.tick()
    built.apply(LISTED)
    built.tick()
    assert scanned(built) == sorted(OURS)


class TestNoBucket:
    def test_a_target_of_which_it_has_none_is_known_all_the_same_and_never_scanned(self):
        built = setup(target("prod", *THEIRS))
        built.tick(1e6)
        [status] = built.reconciler.statuses()
        assert (status.settings.name, status.buckets, scanned(built)) == ("prod", (), [])

    def test_it_is_ready_at_once(self):
        built = setup(target("prod", *THEIRS))
        assert built.reconciler.all_discovered()
        assert built.board.all_shown()

    def test_where_they_are_found_it_is_ready_once_the_list_was_had(self):
        built = setup(FOUND)
        built.lists["prod"] = []
        assert not built.reconciler.all_discovered()
        built.tick()
        assert built.reconciler.all_discovered()
        assert built.board.all_shown()
        assert built.shown() == {}
