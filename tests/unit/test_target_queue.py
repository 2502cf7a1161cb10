"""The queue of a target: scans spread over the interval, none twice at once, and the circuit breaker."""

from __future__ import annotations

from itertools import pairwise

import pytest

from exporter.config.settings import BucketSettings
from exporter.model.errors import Failure, Reason
from exporter.scheduler.circuit_breaker import FAILURES_TO_OPEN, PROBE_SECONDS, TARGET_REASONS
from exporter.scheduler.target_queue import TargetQueue

INTERVAL = 300.0
REFUSED = Failure(Reason.CONNECTION, "connection refused")


def queue(buckets=4, interval=INTERVAL, start=0.0):
    return TargetQueue("prod", [BucketSettings(f"bucket-{n}") for n in range(buckets)], interval, start)


def take_all(made, now):
    taken = []
    while (bucket := made.take(now)) is not None:
        taken.append(bucket)
    return taken


def fail_in_a_row(made, count=FAILURES_TO_OPEN, failure=REFUSED, now=0.0):
    for _ in range(count):
        made.finish(made.take(now), now, failure)


def turn(made, now, lasting):
    """Take a bucket and note at once that its scan will have ended after `lasting` seconds."""
    bucket = made.take(now)
    if bucket:
        made.finish(bucket, now + lasting, None)
    return bucket


class TestDue:
    def test_first_scans_are_due_at_once_each_once(self):
        made = queue()
        assert sorted(bucket.name for bucket in take_all(made, 0.0)) == [f"bucket-{n}" for n in range(4)]

    def test_nothing_is_due_before_the_start(self):
        assert queue(start=5.0).take(4.9) is None

    def test_a_bucket_is_never_handed_out_while_its_scan_runs(self):
        made = queue(buckets=1)
        made.take(0.0)
        assert made.take(1e6) is None

    def test_comes_due_again_between_half_and_one_and_a_half_intervals_then_every_interval(self):
        made = queue(buckets=1)
        made.finish(made.take(0.0), 1.0, None)
        second = next(now for now in range(1, 1000) if made.take(float(now)))
        assert INTERVAL / 2 <= second <= 1 + 1.5 * INTERVAL
        made.finish(BucketSettings("bucket-0"), second + 1.0, None)
        third = next(now for now in range(second + 1, 2000) if made.take(float(now)))
        assert third - second == pytest.approx(INTERVAL, abs=1)

    def test_later_scans_are_spread_over_the_interval(self):
        made = queue(buckets=200)
        for bucket in take_all(made, 0.0):
            made.finish(bucket, 0.0, None)
        starts = []
        for now in range(int(INTERVAL * 1.5) + 2):
            for bucket in take_all(made, float(now)):
                starts.append(now % INTERVAL)
                made.finish(bucket, float(now), None)
        tenths = [sum(1 for start in starts if start // (INTERVAL / 10) == tenth) for tenth in range(10)]
        assert min(tenths) > 0
        assert max(tenths) < len(starts) / 4

    def test_a_scan_longer_than_its_interval_does_not_pile_up(self):
        made = queue(buckets=1)
        made.finish(made.take(0.0), 10 * INTERVAL, None)
        due = [now for now in range(10 * int(INTERVAL), 13 * int(INTERVAL)) if made.take(float(now))]
        assert len(due) == 1

    def test_a_scan_that_takes_most_of_its_interval_skips_no_turn(self):
        made = queue(buckets=1)
        starts = [now for now in range(3000) if turn(made, float(now), lasting=0.9 * INTERVAL)]
        assert {later - earlier for earlier, later in pairwise(starts[1:])} == {INTERVAL}


class TestRequests:
    def test_a_bucket_is_due_now_and_then_at_its_phase_as_ever(self):
        made = queue(buckets=2)
        for bucket in take_all(made, 0.0):
            made.finish(bucket, 1.0, None)
        usual = made.scan_times(0.0, 0.0)
        assert made.request({"bucket-1"}, 2.0) == 0
        assert [bucket.name for bucket in take_all(made, 2.0)] == ["bucket-1"]
        made.finish(BucketSettings("bucket-1"), 3.0, None)
        due = made.scan_times(0.0, 0.0)
        assert due["bucket-0"] == usual["bucket-0"]
        assert (due["bucket-1"].due - usual["bucket-1"].due) % INTERVAL == pytest.approx(0.0)

    def test_one_whose_scan_runs_is_scanned_once_more_after_it(self):
        made = queue(buckets=1)
        bucket = made.take(0.0)
        assert [made.request({"bucket-0"}, now) for now in (1.0, 2.0)] == [1, 1]
        assert made.take(3.0) is None
        made.finish(bucket, 4.0, None)
        assert made.take(4.0) == bucket
        made.finish(bucket, 5.0, None)
        assert made.take(6.0) is None

    def test_while_the_target_fails_they_wait_for_a_probe_as_all_do(self):
        made = queue()
        fail_in_a_row(made)
        assert made.request({f"bucket-{n}" for n in range(4)}, 1.0) == 0
        assert made.take(1.0) is None
        assert len(made.take_held(1.0)) == 4
        made.finish(made.take(PROBE_SECONDS), PROBE_SECONDS + 1, None)
        assert len(take_all(made, PROBE_SECONDS + 1)) == 3


class TestTargetThatFails:
    @pytest.mark.parametrize("reason", sorted(TARGET_REASONS))
    def test_after_three_in_a_row_the_others_are_held_and_say_why(self, reason):
        made = queue()
        fail_in_a_row(made, failure=Failure(reason, "why"))
        assert made.take(0.0) is None
        (hold,) = made.take_held(0.0)
        why = Failure(reason, "not tried, the target fails as a whole: why")
        assert (hold.bucket.name, hold.failure) == ("bucket-3", why)

    def test_two_are_not_enough(self):
        made = queue()
        fail_in_a_row(made, count=2)
        assert made.take(0.0) is not None
        assert made.take_held(0.0) == []

    def test_a_success_between_breaks_the_row(self):
        made = queue(buckets=5)
        fail_in_a_row(made, count=2)
        made.finish(made.take(0.0), 0.0, None)
        fail_in_a_row(made, count=1)
        assert made.take(0.0) is not None

    @pytest.mark.parametrize("reason", sorted(set(Reason) - TARGET_REASONS))
    def test_a_buckets_own_failures_hold_nobody(self, reason):
        made = queue(buckets=10)
        fail_in_a_row(made, count=5, failure=Failure(reason, "why"))
        assert made.take(0.0) is not None

    def test_buckets_that_fail_for_good_hold_nobody(self):
        """Of 300 buckets 100 may time out at every scan: after the first round that is nothing new."""
        made = queue(buckets=6)
        bad = {"bucket-0", "bucket-1", "bucket-2"}
        for now in range(0, 3000, 10):
            for bucket in take_all(made, float(now)):
                made.finish(bucket, float(now), REFUSED if bucket.name in bad else None)
            if now > 2 * INTERVAL:
                assert made.take_held(float(now)) == []

    def test_one_bucket_that_fails_again_and_again_is_nothing_new(self):
        made = queue(buckets=2)
        made.take(0.0)  # the other one's scan takes long: no success of its comes between
        now = 0.0
        for _ in range(2 * FAILURES_TO_OPEN):
            bad = made.take(now)
            made.finish(bad, now, REFUSED)
            now += 2 * INTERVAL
        assert made.take_held(now) == []
        assert made.take(now) == bad

    def test_a_bucket_that_did_not_fail_before_is_the_first_probe(self):
        made = queue()
        fail_in_a_row(made)
        assert made.take(PROBE_SECONDS).name == "bucket-3"

    def test_a_held_bucket_is_named_once_an_interval(self):
        made = queue()
        fail_in_a_row(made)
        assert len(made.take_held(0.0)) == 1
        assert made.take_held(1.0) == []
        assert made.take_held(1.5 * INTERVAL)

    def test_one_probe_at_a_time_after_a_pause(self):
        made = queue()
        fail_in_a_row(made)
        assert made.take(PROBE_SECONDS - 1) is None
        assert made.take(PROBE_SECONDS) is not None
        assert made.take(PROBE_SECONDS) is None

    def test_a_failed_probe_is_followed_by_another_pause(self):
        made = queue()
        fail_in_a_row(made)
        made.finish(made.take(PROBE_SECONDS), PROBE_SECONDS, REFUSED)
        assert made.take(2 * PROBE_SECONDS - 1) is None
        assert made.take(2 * PROBE_SECONDS) is not None

    def test_one_successful_probe_frees_the_held_at_once(self):
        made = queue(buckets=6)
        fail_in_a_row(made)
        held = {hold.bucket.name for hold in made.take_held(0.0)}
        probe = made.take(PROBE_SECONDS)
        made.finish(probe, PROBE_SECONDS, None)
        assert held - {probe.name} == {bucket.name for bucket in take_all(made, PROBE_SECONDS)} - {probe.name}

    def test_a_probe_is_not_made_more_often_than_a_short_interval(self):
        made = queue(interval=5.0)
        fail_in_a_row(made)
        assert made.take(5.0) is not None


def test_the_bucket_that_was_the_probe_is_not_scanned_again_at_once():
    made = queue(buckets=6)
    fail_in_a_row(made)
    made.take_held(0.0)
    probe = made.take(60.0)
    made.finish(probe, 60.0, None)
    taken = []
    while (bucket := made.take(60.0)) is not None:
        taken.append(bucket.name)
    assert probe.name not in taken


def test_half_an_interval_lies_between_the_starts_of_a_scan_that_came_late():
    made = queue(buckets=1)
    made.finish(made.take(0.0), 1.0, None)
    due = next(now for now in range(1, 1000) if made.take(float(now)))
    made.finish(queue(buckets=1).take(0.0), due + 1.0, None)
    late = due + 1.9 * INTERVAL  # the target had no worker left until now
    bucket = made.take(late)
    made.finish(bucket, late + 1.0, None)
    assert made.take(late + INTERVAL / 2 - 1) is None


def test_a_bucket_whose_scan_still_runs_is_not_held():
    made = queue(buckets=5)
    running = made.take(0.0)
    fail_in_a_row(made)
    assert running.name not in {hold.bucket.name for hold in made.take_held(0.0)}


def test_no_second_probe_while_one_runs_though_an_older_scan_ends():
    made = queue(buckets=8)
    older = made.take(0.0)
    fail_in_a_row(made)
    assert made.take(60.0) is not None
    made.finish(older, 61.0, Failure(Reason.CONNECTION, "connection refused"))
    assert made.take(121.0) is None


def test_a_hold_says_what_failed_last():
    made = queue(buckets=8)
    fail_in_a_row(made)
    made.finish(made.take(60.0), 60.0, Failure(Reason.TLS, "expired"))
    (said,) = {hold.failure for hold in made.take_held(60.0)}
    assert said == Failure(Reason.TLS, "not tried, the target fails as a whole: expired")


def test_an_internal_failure_says_nothing_of_the_target():
    made = queue(buckets=8)
    running = made.take(0.0)
    fail_in_a_row(made)
    made.finish(running, 1.0, Failure(Reason.INTERNAL, "a bug"))
    assert made.take(1.0) is None


def test_a_scan_that_does_not_end_is_named_once():
    made = queue(buckets=2)
    running = made.take(0.0)
    assert made.take_overdue(90.0, 90.0) == []
    assert made.take_overdue(91.0, 90.0) == [running]
    assert made.take_overdue(92.0, 90.0) == []
    made.finish(running, 93.0, None)
    assert made.take_overdue(1e6, 90.0) == []


class TestBucketThatIsOutForAMoment:
    """A store's list may lack a bucket once, while its scan is under way."""

    def out_and_back(self, made, bucket):
        others = [each for each in made.buckets() if each != bucket]
        made.watch(others, 10.0)
        assert bucket not in made.buckets()
        made.watch([bucket, *others], 20.0)

    def test_is_not_handed_out_again_while_its_scan_runs(self):
        made = queue(buckets=1)
        bucket = made.take(0.0)
        self.out_and_back(made, bucket)
        assert made.take(1e6) is None
        made.finish(bucket, 30.0, None)
        assert made.take(1e6) == bucket

    def test_is_scanned_at_once_after_that_where_it_came_back_with_other_settings(self):
        made = queue(buckets=1)
        bucket = made.take(0.0)
        made.watch([], 10.0)
        other = BucketSettings(bucket.name, prefix="db/")
        made.watch([other], 20.0)
        made.finish(bucket, 30.0, None)
        assert made.take(30.0) == other

    def test_does_not_keep_its_target_from_being_tried_where_it_was_the_probe(self):
        made = queue()
        fail_in_a_row(made)
        probe = made.take(PROBE_SECONDS)
        self.out_and_back(made, probe)
        made.finish(probe, PROBE_SECONDS, REFUSED)
        assert made.take(2 * PROBE_SECONDS) is not None


def test_the_outcome_of_a_bucket_that_is_out_still_tells_of_its_target():
    made = queue()
    fail_in_a_row(made)
    probe = made.take(PROBE_SECONDS)
    made.watch([each for each in made.buckets() if each != probe], PROBE_SECONDS)
    made.finish(probe, PROBE_SECONDS, None)
    assert len(take_all(made, PROBE_SECONDS + INTERVAL * 1.5)) == 3
    assert probe not in made.buckets()


class TestOtherSettings:
    OTHER = BucketSettings("bucket-0", prefix="db/")

    def test_of_a_bucket_have_it_scanned_once_more_and_no_oftener(self):
        made = queue(buckets=1)
        made.finish(made.take(0.0), 1.0, None)
        made.watch([self.OTHER], 2.0)
        made.finish(made.take(2.0), 3.0, None)
        assert made.take(3.0) is None

    def test_of_a_bucket_whose_scan_runs_have_it_scanned_once_more_and_no_oftener(self):
        made = queue(buckets=1)
        before = made.take(0.0)
        made.watch([self.OTHER], 2.0)
        made.finish(before, 3.0, None)
        made.finish(made.take(3.0), 4.0, None)
        assert made.take(4.0) is None


def test_a_turn_says_since_when_a_scan_runs_and_nothing_of_one_that_ended():
    made = queue(buckets=1)
    bucket = made.take(7.0)
    assert made.scan_times(9.0, 1009.0)["bucket-0"].running_since == 1007.0
    made.finish(bucket, 9.0, None)
    assert made.scan_times(9.0, 1009.0)["bucket-0"].running_since is None
