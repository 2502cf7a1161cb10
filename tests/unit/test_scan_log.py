"""The lines about scans: each tells what is needed, the same trouble again and again makes one an hour."""

import logging
from dataclasses import replace

import pytest
from fakes import Clock
from unit.example_board import SUMMARY

from exporter.model.errors import Failure, Reason, StoreError
from exporter.model.results import ScanResult
from exporter.scheduler.conditions import CONDITIONS_LIMIT, Conditions
from exporter.scheduler.repeat_filter import (
    BUCKETS_LIMIT,
    LINES_LIMIT,
    LOG_AGAIN_SECONDS,
    MESSAGES_LIMIT,
    RepeatFilter,
)
from exporter.scheduler.scan_log import ScanLog
from exporter.scheduler.scan_summary import ScanSummaries

FINE = replace(SUMMARY, unsized=0, overdue=0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scans(clock: Clock, caplog: pytest.LogCaptureFixture) -> ScanLog:
    caplog.set_level(logging.DEBUG)
    return ScanLog(clock.monotonic)


def result(summary=FINE, trouble: str = "") -> ScanResult:
    return ScanResult(summary, 1.0, 2.3456, trouble, requests=7)


def error(message: str = "no", reason: Reason = Reason.TLS, requests: int | None = 3) -> StoreError:
    cause = StoreError(reason, message)
    cause.requests = requests
    return cause


def fail(scans: ScanLog, message: str = "no", reason: Reason = Reason.TLS) -> None:
    cause = error(message, reason)
    scans.failed("prod", "media", Failure(reason, message), duration=0.5, cause=cause)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, object]]:
    return [
        (record.levelname, record.message, record.fields.get("repeated") or record.fields.get("failures"))
        for record in caplog.records
    ]


def given(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of a line as they are written: without what is None."""
    return {name: value for name, value in record.fields.items() if value is not None}


def test_a_scan_is_one_line_with_all_there_is_to_know(scans, caplog):
    scans.finished("prod", "media", result())
    [record] = caplog.records
    assert (record.levelname, record.message) == ("INFO", "scan finished")
    expected = {"target": "prod", "bucket": "media", "uploads": 5, "bytes": FINE.bytes, "unsized": 0}
    assert given(record) == expected | {"duration": 2.346, "requests": 7}


def test_so_is_a_failure(scans, caplog):
    fail(scans, "handshake failed")
    [record] = caplog.records
    assert (record.levelname, record.message) == ("ERROR", "scan failed")
    expected = {"target": "prod", "bucket": "media", "reason": "tls", "duration": 0.5, "requests": 3}
    assert record.fields == expected | {"error": "handshake failed", "repeated": None}


def test_the_same_failure_is_told_once_an_hour_with_how_often_it_was_met(scans, clock, caplog):
    for _ in range(12 * 3):  # three hours, every five minutes
        fail(scans)
        clock.now += 300.0
    errors = [(line, count) for level, line, count in lines(caplog) if level == "ERROR"]
    assert errors == [("scan failed", None), ("scan failed", 11), ("scan failed", 11)]
    assert sum(level == "DEBUG" for level, *_ in lines(caplog)) == 33


def test_another_reason_message_or_bucket_is_news(scans, caplog):
    fail(scans)
    fail(scans, "no", Reason.CONNECTION)
    fail(scans, "never")
    scans.failed("prod", "other", Failure(Reason.TLS, "no"), duration=0.5, cause=None)
    assert [level for level, *_ in lines(caplog)] == ["ERROR"] * 4


def test_failures_that_take_turns_do_not_make_each_other_news(scans, caplog):
    for _ in range(20):
        fail(scans, "one")
        fail(scans, "other")
    assert [level for level, *_ in lines(caplog) if level == "ERROR"] == ["ERROR"] * 2


def test_a_message_that_differs_in_a_number_is_the_same(scans, caplog):
    fail(scans, "Failed to connect to 127.0.0.1:9 after 3 ms")
    fail(scans, "Failed to connect to 127.0.0.1:9 after 27.5 ms")
    assert [level for level, *_ in lines(caplog)] == ["ERROR", "DEBUG"]


def test_a_recovery_is_told_and_what_follows_is_news_again(scans, caplog):
    fail(scans)
    fail(scans)
    scans.finished("prod", "media", result())
    scans.finished("prod", "media", result())
    fail(scans)
    assert lines(caplog) == [
        ("ERROR", "scan failed", None),
        ("DEBUG", "scan failed", None),
        ("INFO", "scans succeed again", 2),
        ("INFO", "scan finished", None),
        ("ERROR", "scan failed", None),
    ]


def test_unsized_uploads_are_a_warning_once_an_hour_and_a_line_each_scan(scans, clock, caplog):
    unsized = replace(FINE, unsized=1)
    for _ in range(3):
        scans.finished("prod", "media", result(unsized, "HTTP 403"))
    clock.now += LOG_AGAIN_SECONDS
    scans.finished("prod", "media", result(unsized, "HTTP 403"))
    assert lines(caplog) == [
        ("WARNING", "scan finished, uploads unsized", None),
        ("INFO", "scan finished, uploads unsized", None),
        ("INFO", "scan finished, uploads unsized", None),
        ("WARNING", "scan finished, uploads unsized", 2),
    ]
    assert {record.fields["error"] for record in caplog.records} == {"HTTP 403"}


def told(caplog) -> list[tuple[str, str, object]]:
    """Return what the lines say beside that a scan ended, each with its number or its notice."""
    fields = {
        "the listing lacks uploads that the store has": "unlisted",
        "the store lists uploads and denies that it has them": "denied",
        "the scan has a notice": "notice",
        "the scan's notice is over": "notice_over",
    }
    return [
        (record.levelname, text, record.fields.get(fields.get(text, "")))
        for record in caplog.records
        for text in record.message.split("; ")[1:]
    ]


def test_a_listing_that_hides_uploads_is_told_when_it_begins_and_when_it_is_over(scans, caplog):
    for unlisted, denied in ((0, 0), (40, 0), (39, 7), (0, 7), (0, 0), (0, 0)):
        scans.finished("prod", "media", result(replace(FINE, unlisted=unlisted, denied=denied)))
        scans.finished("prod", "other", result())
    assert told(caplog) == [
        ("WARNING", "the listing lacks uploads that the store has", 40),
        ("WARNING", "the store lists uploads and denies that it has them", 7),
        ("INFO", "the listing hides no upload any more", None),
        ("INFO", "the store lists no uploads any more that it denies", None),
    ]


def test_the_line_of_such_a_scan_has_the_numbers(scans, caplog):
    scans.finished("prod", "media", result(replace(FINE, unlisted=40, denied=7)))
    fields = caplog.records[0].fields
    expected = "scan finished; the listing lacks uploads that the store has; "
    assert caplog.records[0].message == f"{expected}the store lists uploads and denies that it has them"
    assert (fields["unlisted"], fields["denied"]) == (40, 7)


def test_a_notice_is_told_once_though_its_numbers_and_its_example_change(scans, caplog):
    for texts in (
        ('3 keys are outside the prefix, the first is "a/1"',),
        ('1,234 keys are outside the prefix, the first is "b \\" 2"', "the store's prefix is not obeyed"),
        ("the store's prefix is not obeyed",),
    ):
        scans.finished("prod", "media", replace(result(), notices=texts))
    assert told(caplog) == [
        ("WARNING", "the scan has a notice", '3 keys are outside the prefix, the first is "a/1"'),
        ("WARNING", "the scan has a notice", "the store's prefix is not obeyed"),
        ("INFO", "the scan's notice is over", '3 keys are outside the prefix, the first is "a/1"'),
    ]


def test_a_listing_that_is_wrong_now_and_then_warns_once_an_hour(scans, clock, caplog):
    for unlisted in (5, 0) * 18:  # three hours, every five minutes
        scans.finished("prod", "media", result(replace(FINE, unlisted=unlisted)))
        clock.now += 300.0
    begun = [level for level, message, _ in told(caplog) if message.startswith("the listing lacks")]
    assert (len(begun), begun.count("WARNING")) == (18, 3)


def test_a_failed_scan_ends_no_condition(scans, caplog):
    scans.finished("prod", "media", result(replace(FINE, denied=1)))
    fail(scans)
    scans.finished("prod", "media", result(replace(FINE, denied=1)))
    assert [line for line in told(caplog) if "denies" in line[1]] == [
        ("WARNING", "the store lists uploads and denies that it has them", 1)
    ]


def test_conditions_that_are_remembered_are_bounded():
    conditions = Conditions()
    for number in range(BUCKETS_LIMIT + 1):
        conditions.update("prod", f"bucket {number}", ["odd"])
    assert conditions.update("prod", "bucket 0", ["odd"]).begun == []
    assert conditions.update("prod", f"bucket {BUCKETS_LIMIT}", ["odd"]) == ([], [])
    assert conditions.update("prod", "bucket 0", []).over == ["odd"]
    many = ["x" * length for length in range(1, CONDITIONS_LIMIT + 2)]
    assert conditions.update("prod", "last", many).begun == many[:CONDITIONS_LIMIT]


def test_a_scan_is_one_line_whatever_is_new_in_it(scans, caplog):
    fail(scans)
    scans.finished("prod", "media", replace(result(replace(FINE, denied=1)), notices=("odd", "odder")))
    scans.finished("prod", "media", replace(result(replace(FINE, unsized=2, unlisted=3)), notices=("new",)))
    first, second = (record.message.split("; ") for record in caplog.records[1:])
    assert first == [
        "scans succeed again",
        "the store lists uploads and denies that it has them",
        "the scan has a notice",
    ]
    assert second == [
        "scan finished, uploads unsized",
        "the listing lacks uploads that the store has",
        "the scan has a notice",
        "the store lists no uploads any more that it denies",
        "the scan's notice is over",
    ]
    assert given(caplog.records[1])["notice"] == "odd; odder"
    assert [given(caplog.records[2])[name] for name in ("notice", "notice_over")] == ["new", "odd; odder"]


def test_where_scans_are_summed_up_only_news_is_more_than_debug(scans, caplog):
    unsized = replace(FINE, unsized=1)
    fail(scans)
    for each in (result(), result(), result(unsized), result(unsized), replace(result(), notices=("odd",))):
        scans.finished("prod", "media", each, summed=True)
    assert lines(caplog)[1:] == [
        ("INFO", "scans succeed again", 1),
        ("DEBUG", "scan finished", None),
        ("WARNING", "scan finished, uploads unsized", None),
        ("DEBUG", "scan finished, uploads unsized", None),
        ("WARNING", "scans succeed again; the scan has a notice", 2),
    ]


class TestSums:
    """Of a target with many buckets: a line for a round of scans."""

    @pytest.fixture
    def sums(self, clock: Clock, caplog: pytest.LogCaptureFixture) -> ScanSummaries:
        caplog.set_level(logging.DEBUG)
        return ScanSummaries(clock.monotonic)

    def test_the_first_round_is_told_at_its_end_and_then_each_interval(self, sums, clock, caplog):
        for _ in range(3):
            for number in range(30):
                sums.add("prod", f"b-{number}", result(), buckets=30, interval=300.0)
                clock.now += 10.0
        assert [given(record) for record in caplog.records] == [
            {"target": "prod", "scans": scans, "failed": 0, "buckets": buckets, "unsized": 0}
            | {"uploads": buckets * FINE.uploads, "bytes": buckets * FINE.bytes}
            | {"requests": scans * 7, "duration": seconds}
            for scans, buckets, seconds in ((30, 30, 290.0), (30, 30, 300.0), (30, 30, 300.0))
        ]
        assert {record.getMessage() for record in caplog.records} == {"scans finished"}

    def test_failed_scans_are_counted_and_a_bucket_that_was_scanned_twice_is_one(self, sums, caplog):
        for found in (result(), result(replace(FINE, uploads=1, bytes=None, unsized=1)), error()):
            sums.add("prod", "media", found, buckets=4, interval=300.0)
        sums.add("other", "media", result(), buckets=4, interval=300.0)
        sums.add("prod", "logs", error(), buckets=4, interval=300.0)
        [line] = [given(record) for record in caplog.records]
        expected = {"target": "prod", "scans": 4, "failed": 2, "buckets": 1, "uploads": 1, "unsized": 1}
        assert line == expected | {"requests": 20, "duration": 0.0}

    @pytest.mark.parametrize("unknown", [None, KeyError("lost"), error(requests=None)])
    def test_a_target_that_fails_as_a_whole_is_no_empty_one_and_not_taken_for_one_that_was_not_asked(
        self, sums, caplog, unknown
    ):
        for target, last in (("prod", error()), ("other", unknown)):
            sums.add(target, "media", error(), buckets=2, interval=300.0)
            sums.add(target, "logs", last, buckets=2, interval=300.0)
        known, not_known = (given(record) for record in caplog.records)
        failed = {"scans": 2, "failed": 2, "buckets": 0, "duration": 0.0}
        assert known == failed | {"target": "prod", "requests": 6}
        assert not_known == failed | {"target": "other"}


def test_a_bug_of_ours_comes_with_its_traceback(scans, caplog):
    for _ in range(2):
        failure = Failure(Reason.INTERNAL, "unexpected KeyError")
        scans.failed("prod", "media", failure, duration=0.1, cause=KeyError("lost"))
    assert [record.levelname for record in caplog.records] == ["ERROR", "DEBUG"]
    assert "KeyError: 'lost'" in caplog.text


def test_what_is_remembered_is_bounded():
    repeats = RepeatFilter(lambda: 0.0)
    for number in range(BUCKETS_LIMIT + 1):
        repeats.failed(f"target {number}", "media", "no")
    assert repeats.failed("target 1", "media", "no") is None
    assert repeats.failed("target 0", "media", "no") == 0
    letters = "abcdefghijklmnop"
    for letter in letters:
        repeats.failed("prod", "last", letter)
    assert repeats.failed("prod", "last", letters[-MESSAGES_LIMIT]) is None
    assert repeats.failed("prod", "last", letters[-MESSAGES_LIMIT - 1]) == 0


def test_of_a_target_with_many_failing_buckets_so_many_problems_an_hour_are_logged(clock: Clock):
    repeats = RepeatFilter(clock.monotonic)

    def lines(target: str, buckets: int) -> int:
        return sum(repeats.failed(target, f"bucket {number}", "no") is not None for number in range(buckets))

    assert [lines("prod", LINES_LIMIT + 5), lines("prod", LINES_LIMIT + 5)] == [LINES_LIMIT, 0]
    assert lines("other", 2) == 2
    clock.now += LOG_AGAIN_SECONDS
    assert repeats.failed("prod", "bucket 0", "no") == 1
    assert lines("prod", LINES_LIMIT + 5) == LINES_LIMIT - 1


def test_a_target_that_comes_again_has_its_lines_again():
    repeats = RepeatFilter(lambda: 0.0)
    for number in range(LINES_LIMIT + 1):
        repeats.failed("prod", f"bucket {number}", "no")
    repeats.keep_only("prod", [])
    assert repeats.failed("prod", "media", "no") == 0


def test_the_first_key_that_the_store_does_not_know_is_quoted(
    scans: ScanLog, caplog: pytest.LogCaptureFixture
):
    unknown = replace(result(replace(FINE, unsized=1), "the store lists 1 keys"), unknown_key="ctl\ufffdx")
    scans.finished("prod", "media", unknown)
    assert caplog.records[-1].fields["key"] == "ctl\ufffdx"
