"""What is shown of a bucket: design rule 3."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import NOW, Clock, upload

from exporter.model.errors import Failure, Reason
from exporter.model.results import ScanResult
from exporter.model.top_uploads import TopUploads
from exporter.scan.tally import Tally
from exporter.state.board import Board, Entry

KEY = ("prod", "media")


def board(clock, keep_for=3600.0):
    made = Board(clock.monotonic)
    made.declare([Entry("prod", "media", "s3", keep_for)])
    return made


def result(uploads=1):
    tally = Tally(now=NOW, stale_after=1.0, ages=(), with_parts=True)
    for number in range(uploads):
        tally.add_unsized(upload(number))
    return ScanResult(tally.summary(), NOW, 2.0)


def entry(made):
    (only,) = made.entries()
    return only


class TestBeforeTheFirstScan:
    def test_nothing_is_said(self):
        made = board(Clock())
        assert (entry(made).success, entry(made).summary, made.all_shown()) == (None, None, False)


class TestSuccess:
    def test_shows_the_result(self):
        made = board(Clock())
        made.publish(KEY, result(0))
        shown = entry(made)
        assert (shown.success, shown.complete, shown.last_success, shown.duration) == (True, True, NOW, 2.0)
        assert made.all_shown()

    def test_is_incomplete_while_an_upload_is_unsized(self):
        made = board(Clock())
        made.publish(KEY, result(uploads=1))
        assert (entry(made).success, entry(made).complete) == (True, False)

    def test_takes_a_failure_back(self):
        made = board(Clock())
        made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 1.0)
        made.publish(KEY, result(0))
        assert (entry(made).failure, entry(made).warning) == (None, "")


class TestFailure:
    def test_says_why_and_publishes_nothing_new(self):
        made = board(Clock())
        made.publish(KEY, result(3))
        made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 9.0)
        shown = entry(made)
        assert (shown.success, shown.complete, shown.failure) == (
            False,
            False,
            Failure(Reason.TIMEOUT, "why"),
        )
        assert (shown.summary.uploads, shown.last_success, shown.duration) == (3, NOW, 9.0)

    def test_one_that_was_not_begun_keeps_the_duration_of_the_last(self):
        made = board(Clock())
        made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 9.0)
        made.fail(KEY, Failure(Reason.TIMEOUT, "why"), None)
        assert entry(made).duration == 9.0

    def test_values_outlive_failures_for_keep_for(self):
        clock = Clock()
        made = board(clock, keep_for=3600.0)
        made.publish(KEY, result(3))
        made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 9.0)
        clock.now = 3600.0
        assert entry(made).summary is not None
        clock.now = 3601.0
        assert entry(made).summary is None
        assert entry(made).last_success == NOW

    def test_values_of_a_scan_that_succeeded_do_not_expire(self):
        clock = Clock()
        made = board(clock, keep_for=1.0)
        made.publish(KEY, result(3))
        clock.now = 1e6
        assert entry(made).summary is not None

    def test_a_bucket_not_found_loses_its_values_at_the_second_scan(self):
        made = board(Clock())
        made.publish(KEY, result(3))
        made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
        assert entry(made).summary is not None
        made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
        assert (entry(made).summary, entry(made).success) == (None, False)

    def test_not_found_has_to_be_in_a_row(self):
        made = board(Clock())
        made.publish(KEY, result(3))
        for reason in (Reason.NOT_FOUND, Reason.TIMEOUT, Reason.NOT_FOUND):
            made.fail(KEY, Failure(reason, "why"), 1.0)
        assert entry(made).summary is not None


class TestDeclare:
    def test_a_bucket_out_of_the_config_is_gone_and_its_late_result_is_left_out(self):
        made = board(Clock())
        made.declare([])
        made.publish(KEY, result())
        made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 1.0)
        assert made.entries() == []

    def test_an_unchanged_entry_stays_the_same_object(self):
        """What is rendered once per change relies on it."""
        made = board(Clock())
        made.publish(KEY, result())
        assert entry(made) is entry(made)


def test_a_success_between_breaks_the_row_of_not_found():
    made = board(Clock())
    made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
    made.publish(KEY, result(0))
    made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
    assert entry(made).summary is not None


def test_keep_for_begins_with_the_last_success():
    clock = Clock(10_000.0)
    made = board(clock, keep_for=3600.0)
    made.publish(KEY, result(0))
    made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 1.0)
    clock.now += 3600.0
    assert entry(made).summary is not None


def test_all_are_tried_when_each_was_and_a_failure_is_a_try():
    made = Board(Clock().monotonic)
    made.declare([Entry("prod", "media", "s3", 1.0), Entry("prod", "other", "s3", 1.0)])
    made.publish(KEY, result(0))
    assert not made.all_shown()
    made.fail(("prod", "other"), Failure(Reason.TIMEOUT, "why"), 1.0)
    assert made.all_shown()


@pytest.mark.parametrize("number", ["unsized", "unlisted", "denied"])
def test_a_scan_that_left_something_open_or_found_the_listing_wrong_is_not_complete(number: str):
    made, found = board(Clock()), result(0)
    made.publish(KEY, replace(found, summary=replace(found.summary, **{number: 1})))
    assert (entry(made).success, entry(made).complete) == (True, False)


def test_notices_are_those_of_the_last_scan():
    made = board(Clock())
    made.publish(KEY, replace(result(), notices=("one",)))
    assert entry(made).notices == ("one",)
    made.fail(KEY, Failure(Reason.TLS, "no"), 1.0)
    assert entry(made).notices == ()


def test_a_failed_scan_is_not_complete():
    made = board(Clock())
    made.publish(KEY, result(0))
    made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 1.0)
    assert entry(made).complete is False


def test_a_hold_between_says_nothing_of_the_bucket():
    made = board(Clock())
    made.publish(KEY, result(3))
    made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
    made.fail(KEY, Failure(Reason.TIMEOUT, "not tried"), None)
    made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
    assert entry(made).summary is None


RESULT = result()


class TestRestored:
    def board(self, clock: Clock, age: float) -> Board:
        """Return a board with a bucket that shows the result of an earlier process, `age` seconds old."""
        made = Board(clock.monotonic)
        made.declare([made.restored(Entry("prod", "media", "s3", 3600.0), RESULT, age)])
        return made

    def test_is_shown_until_a_first_scan_has_ended(self):
        made = self.board(Clock(), 60.0)
        shown = entry(made)
        assert (shown.success, shown.summary, shown.last_success) == (None, RESULT.summary, RESULT.finished)
        assert made.all_shown()
        made.publish(KEY, replace(RESULT, finished=1.0))
        assert entry(made).last_success == 1.0

    def test_is_taken_down_after_failures_once_it_is_too_old(self):
        clock = Clock()
        made = self.board(clock, 3000.0)
        made.fail(KEY, Failure(Reason.TIMEOUT, "late"), 1.0)
        clock.now += 600
        assert entry(made).summary == RESULT.summary
        clock.now += 1
        assert entry(made).summary is None

    def test_is_not_shown_where_it_is_too_old_already(self):
        made = self.board(Clock(), 3601.0)
        assert (entry(made).summary, made.all_shown()) == (None, False)


class TestSource:
    """A scan may end after its target or bucket was given other settings."""

    def test_what_comes_from_another_source_is_refused(self):
        made = Board(Clock().monotonic)
        made.declare([Entry("prod", "media", "s3", 3600.0, source="now")])
        before = entry(made)
        assert not made.publish(KEY, RESULT, "before")
        assert not made.fail(KEY, Failure(Reason.TIMEOUT, "why"), 1.0, "before")
        assert entry(made) is before
        assert made.publish(KEY, RESULT, "now")
        assert entry(made).success

    def test_other_buckets_of_a_target_and_other_targets_stay_as_they_are(self):
        made = Board(Clock().monotonic)
        made.declare(
            [Entry("prod", "a", "s3", 1.0), Entry("prod", "b", "s3", 1.0), Entry("other", "a", "s3", 1.0)]
        )
        before = {(each.target, each.bucket): each for each in made.entries()}
        new = Entry("prod", "c", "s3", 1.0)
        made.watch("prod", ["a", "c"], {"c": new})
        after = {(each.target, each.bucket): each for each in made.entries()}
        assert after == {
            ("prod", "a"): before["prod", "a"],
            ("other", "a"): before["other", "a"],
            ("prod", "c"): new,
        }
        assert after["prod", "a"] is before["prod", "a"]


def test_a_bucket_that_is_gone_loses_its_top_uploads_too():
    made = board(Clock())
    made.publish(KEY, replace(result(3), top_uploads=TopUploads(1)))
    made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
    assert entry(made).top_uploads is not None
    made.fail(KEY, Failure(Reason.NOT_FOUND, "no bucket"), 1.0)
    assert entry(made).top_uploads is None
