"""Months of scans in virtual time: what is shown is exact, or no older than promised."""

from __future__ import annotations

import random

import pytest
from fakes import DAY, NOW, Clock, error
from hypothesis import given, settings
from hypothesis import strategies as st
from month import HOUR, Bucket, Listener, MonthStore, mixed_plans, month_of, plan_of

from exporter.model.errors import Reason, StoreError

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

FACTOR = 0.1


class Remembered:
    """What a bucket's scans have to remember, from when each upload was asked about and what it then was."""

    def __init__(self, bucket):
        self.bucket = bucket
        self.rows = {}
        self.activity = {}
        self.keeps_until = {}

    def update(self, ended):
        bucket, world, now = self.bucket, self.bucket.world, self.bucket.now
        for plan in ended:
            row_id = bucket.ledger.row_id(plan.upload)
            for kept in (self.rows, self.activity, self.keeps_until):
                kept.pop(row_id, None)
        for name in bucket.store.asked:
            row_id = bucket.ledger.row_id(world.listed[name].upload)
            self.rows[row_id] = (now, world.bytes[name])
            self.activity[row_id] = world.newest[name]
            self.keeps_until[row_id] = now + min(FACTOR * (now - world.newest[name]), DAY)


def test_a_month_of_hundreds_of_uploads(record_property):
    bucket = Bucket(month_of(7, crashed=50, before=50, during=235))
    expected, world, asked, wrong, total = Remembered(bucket), bucket.world, [], 0, 0
    listed = 0
    while bucket.now < NOW + 30 * DAY:
        ended = world.advance(bucket.now)
        summary = bucket.scan()
        expected.update(ended)
        assert (len(world.listed), world.oldest_initiated) == (summary.uploads, summary.oldest_initiated)
        assert (summary.unsized, summary.overdue) == (0, 0)
        assert expected.rows == bucket.rows()
        assert min(expected.keeps_until.values()) >= bucket.now
        assert sum(size for _, size in expected.rows.values()) == summary.bytes
        assert min(expected.activity.values()) == summary.oldest_activity
        assert len(world.listed) == bucket.ledger.rows.count()
        asked.append(len(bucket.store.asked))
        listed += summary.uploads
        wrong, total = wrong + abs(summary.bytes - world.total), total + world.total
        bucket.wait()
    bucket.ledger.look_up([])
    named = {each.upload for batch in bucket.ledger.missing() for each in batch}
    assert {plan.upload for plan in world.listed.values()} == named
    first, *later = asked
    mean = sum(later) / len(later)
    figures = {
        "uploads": listed / len(asked),
        "first": first,
        "mean": mean,
        "most": max(later),
        "error": wrong / total,
    }
    for name, figure in figures.items():
        record_property(name, figure)
    print(figures)  # noqa: T201
    assert max(later) <= 4 * mean
    assert mean < listed / len(asked) / 10
    assert wrong / total < 0.01


def world_of(draw, **store):
    """Return a bucket of a few dozen uploads of all kinds, with random settings."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    interval = draw(st.sampled_from((HOUR / 12, HOUR / 4, HOUR, 6 * HOUR)))
    plans = mixed_plans(rng, draw(st.integers(1, 40)), SCANS * interval / DAY)
    pages = draw(st.sampled_from((1, 2, 3, 7, 1000)))
    double = MonthStore(plans, Clock(), page_size=pages, in_columns=draw(st.booleans()), **store)
    factor = draw(st.one_of(st.just(FACTOR), st.floats(0, 1)))
    cap = draw(st.sampled_from((HOUR, 6 * HOUR, DAY, 7 * DAY)))
    bucket = Bucket(plans, double, interval=interval, recheck_factor=factor, recheck_at_least=cap)
    return bucket, rng


SCANS = 40


class TestAnyWorld:
    @settings(deadline=None, max_examples=60)
    @given(st.data(), st.booleans())
    def test_shows_what_it_was_told_and_was_told_so_lately(self, data, has_part_times):
        bucket, rng = world_of(data.draw, has_part_times=has_part_times)
        listener = Listener(bucket)
        for _ in range(SCANS):
            bucket.world.advance(bucket.now)
            if rng.random() < 0.1:
                bucket.start()
            if rng.random() < 0.1:
                bucket.store.listing_errors = [error(Reason.SERVER_ERROR, 500)]
            try:
                summary = bucket.scan()
            except StoreError:
                summary = None
            listener.settle()
            if summary:
                check_shown(bucket, listener.listed(), summary)
            bucket.store.listing_errors.clear()
            bucket.wait()


def check_shown(bucket, told, summary):
    world, settings, now = bucket.world, bucket.settings, bucket.now
    assert (len(world.listed), world.oldest_initiated) == (summary.uploads, summary.oldest_initiated)
    assert (summary.unsized, summary.overdue) == (0, 0)
    assert {
        bucket.ledger.row_id(world.listed[name].upload): (each.asked, each.bytes)
        for name, each in told.items()
    } == bucket.rows()
    if world.listed:
        assert sum(len(each.parts) for each in told.values()) == summary.parts
        assert sum(each.bytes for each in told.values()) == summary.bytes
    assert {told[name].asked for name in bucket.store.asked} <= {now}
    activities = [each.activity for each in told.values() if each.activity is not None]
    assert min(activities, default=None) == summary.oldest_activity
    pages = sum(-(-max(1, len(each.parts)) // bucket.store.page_size) for each in told.values())
    with_gaps = sum(max(each.parts, default=0) != len(each.parts) for each in told.values())
    asked = len(bucket.store.asked) + bucket.saved  # behind a gap one page more may be asked for
    assert pages <= asked <= pages + with_gaps
    for each in told.values():
        idle = settings.recheck_factor * max(0.0, each.asked - each.since)
        assert each.asked == now or now - each.asked < min(idle, settings.recheck_at_least)
        assert each.asked - each.oldest_telling() < settings.recheck_at_least


def test_uploads_of_one_crash_are_asked_about_all_over_the_day():
    plans = [plan_of(n, NOW - 20 * DAY, parts=[(NOW - 20 * DAY, 1, 1)]) for n in range(960)]
    bucket, asked = Bucket(plans), []
    for _ in range(3 * 96):
        bucket.scan()
        asked.append(len(bucket.store.asked))
        bucket.wait()
    assert asked[0] == 960
    assert 960 <= sum(asked[1:97]) <= 970
    assert max(asked[1:]) <= 3 * 10


def bucket_of_one(idle, replaced_at):
    """Return a bucket with an upload of a page of parts, of which the first is replaced."""
    last = NOW - idle
    parts = [(last, 1, 10), (last, 2, 10), (last, 3, 10), (NOW + replaced_at, 1, 70)]
    plans = [plan_of(1, last - HOUR, parts=parts)]
    return Bucket(plans, MonthStore(plans, Clock(), page_size=3))


def seen_after(bucket):
    """Return how long after the first scan the replaced part is seen."""
    while bucket.scan().bytes != 90:
        bucket.wait()
        assert bucket.clock.now < 7 * DAY
    return bucket.clock.now


class TestReplacedParts:
    """They go unseen until all parts are read in full: a day, and what is then left of an upload's delay."""

    @settings(deadline=None, max_examples=40)
    @given(st.floats(0, 20 * DAY), st.floats(60, 2 * DAY))
    def test_are_seen_within_a_day_and_a_tenth_of_the_idle_time(self, idle, replaced_at):
        seen = seen_after(bucket_of_one(idle, replaced_at))
        assert replaced_at <= seen
        assert seen - replaced_at <= DAY + min(DAY, FACTOR * (idle + seen)) + HOUR / 4

    def test_are_not_seen_at_once(self):
        assert seen_after(bucket_of_one(HOUR, 60.0)) > 0.9 * DAY

    @pytest.mark.parametrize("idle_days", [0, 2, 9])
    def test_are_seen_within_a_day_and_an_interval(self, idle_days):
        assert seen_after(bucket_of_one(idle_days * DAY, 60.0)) <= 60.0 + DAY + HOUR / 4


def budget_of(uploads, most, *, failing=0, page_size=1000, status=500, **options):
    """Return a bucket of idle uploads, of which so many always fail, that has a budget of requests."""
    plans = [plan_of(n, NOW - (n + 1) * HOUR, parts=[(NOW - n * HOUR, 1, n)]) for n in range(uploads)]
    store = MonthStore(plans, Clock(), page_size=page_size)
    wrong = error(Reason.SERVER_ERROR, status, retryable=status == 500)
    store.failing = {f"id-{n * uploads // failing}": wrong for n in range(failing)}
    return Bucket(plans, store, max_requests=most, **options)


class TestBudget:
    @settings(deadline=None, max_examples=60)
    @given(st.integers(1, 60), st.integers(1, 30), st.sampled_from((2, 10, 1000)))
    def test_those_never_sized_go_first_and_a_quarter_is_for_the_overdue(self, uploads, most, page_size):
        bucket = budget_of(uploads, most, page_size=page_size, recheck_factor=0.0)
        pages = -(-uploads // page_size)
        room, sized = max(0, most - pages), set()
        for _ in range(12):
            summary = bucket.scan()
            never = uploads - len(sized)
            overdue = min(len(sized), room - min(never, room - min(len(sized), room // 4)))
            asked = bucket.store.asked
            assert (uploads, NOW - uploads * HOUR) == (summary.uploads, summary.oldest_initiated)
            assert bucket.store.requests <= max(most, pages)
            assert min(uploads, room) == len(asked) == len(set(asked))
            assert overdue == len(sized & set(asked))
            assert len(sized) - overdue == summary.overdue
            sized |= set(asked)
            assert uploads - len(sized) == summary.unsized
            assert (sum(int(name[3:]) for name in sized) if sized else None) == summary.bytes
            bucket.wait()

    @settings(deadline=None, max_examples=60)
    @given(st.integers(1, 80), st.integers(2, 30), st.floats(0, 1))
    def test_once_nothing_new_arrives_all_are_sized_in_a_bounded_number_of_scans(self, uploads, most, factor):
        bucket = budget_of(uploads, most, recheck_factor=factor)
        room = most - 1
        for _ in range(-(-uploads // (room - room // 4))):
            summary = bucket.scan()
            bucket.wait()
        assert summary.unsized == 0

    @settings(deadline=None, max_examples=40)
    @given(st.data(), st.integers(5, 30), st.sampled_from((403, 500)), st.sampled_from((0, 2)))
    def test_uploads_that_always_fail_starve_no_other(self, data, most, status, retries):
        failing = data.draw(st.integers(0, 20))
        uploads = data.draw(st.integers(max(2, 2 * failing), 60))
        options = {"status": status, "retries": retries, "recheck_factor": 0.0}
        bucket = budget_of(uploads, most, failing=failing, **options)
        room, tries = most - 1, 1 + retries * (status == 500)
        first = -(-uploads * tries // (room - room // 4))
        turn = -(-uploads * tries // (room // 4))
        last = {}
        for number in range(first + 3 * turn):
            summary = bucket.scan()
            assert bucket.store.requests <= most
            last |= dict.fromkeys(bucket.store.asked, number)
            bucket.wait()
        assert failing == summary.unsized
        assert min(last.values()) >= number - turn
        assert uploads == len(last)

    def test_uploads_that_always_fail_starve_no_other_of_the_smallest_budgets_either(self):
        bucket = budget_of(20, 4, failing=5, recheck_factor=0.0)
        last = {}
        for number in range(100):
            bucket.scan()
            last |= dict.fromkeys(bucket.store.asked, number)
            bucket.wait()
        assert min(last.values()) > 50

    @pytest.mark.parametrize("has_part_times", [True, False])
    def test_an_upload_of_more_pages_than_the_budget_is_asked_about_all_the_same(self, has_part_times):
        parts = [(NOW + n * HOUR / 4, 20 + n, 1) for n in range(-20, 4 * 72)]
        plans = [plan_of(1, NOW - 6 * HOUR, parts=parts)]
        double = MonthStore(plans, Clock(), page_size=3, has_part_times=has_part_times)
        bucket = Bucket(plans, double, max_requests=5)
        while bucket.now < NOW + 3 * DAY:
            bucket.world.advance(bucket.now)
            summary = bucket.scan()
            bucket.wait()
        assert summary.bytes > bucket.world.total / 2


class TestRefusedOnes:
    def days(self, failing):
        """Return what is overdue or unsized beside those that fail, at each scan of three days."""
        plans = [plan_of(n, NOW - 20 * DAY, parts=[(NOW - 20 * DAY, 1, 1)]) for n in range(200)]
        bucket = Bucket(plans)
        bucket.store.failing = {f"id-{n}": error(Reason.ACCESS_DENIED, 403) for n in failing}
        late = []
        for _ in range(3 * 96):
            summary = bucket.scan()
            late.append(summary.overdue + summary.unsized - len(failing))
            bucket.wait()
        return late

    @pytest.mark.parametrize("failing", [range(49), range(151, 200), range(140, 200)])
    def test_keep_no_other_from_being_asked_in_time(self, failing):
        assert max(self.days(failing)) == 0

    def test_fifty_before_any_other_look_like_a_store_that_refuses_until_probes_say_otherwise(self):
        late = self.days(range(60))
        assert late[0] == 140
        assert max(late[12 * 4 :]) == 0  # a probe an hour, each of another upload
