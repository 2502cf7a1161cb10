"""The loop: workers, what reaches the board, and that nothing ends it."""

from __future__ import annotations

import logging
import threading
import time

import pytest
import schedule
from fakes import NOW, Clock, error, upload
from servers import wait_until

from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import Failure, Reason, StoppingError, StoreError
from exporter.model.results import ScanResult
from exporter.model.scarcity import TOO_LITTLE, ScarcityError
from exporter.scan.tally import Tally
from exporter.scheduler.loop import Loop
from exporter.scheduler.publisher import Publisher
from exporter.scheduler.scan_summary import MANY_BUCKETS
from exporter.scheduler.target_queue import TargetQueue
from exporter.scheduler.watched_target import WatchedTarget
from exporter.state.board import Board, Entry
from exporter.state.ledger import Ledger


class FakeScanner:
    """Calls `behave`, which returns nothing for a success or raises."""

    def __init__(self, behave=lambda _: None):
        self.behave = behave
        self.scanned = []
        self.unsized = 0
        self.running = self.most = 0
        self.lock = threading.Lock()

    def scan(self, bucket, ledger):
        with self.lock:
            self.scanned.append((bucket.name, ledger))
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            self.behave(bucket)
        finally:
            with self.lock:
                self.running -= 1
        tally = Tally(now=NOW, stale_after=1.0, ages=(), with_parts=True)
        for number in range(self.unsized):
            tally.add_unsized(upload(number))
        return ScanResult(tally.summary(), NOW, 0.5, "parts are refused" if self.unsized else "")


class LoopSetup:
    """A loop over some targets with fake scanners."""

    def __init__(self, *scanners, buckets=3, workers=2):
        self.clock, self.stop, self.board, self.failures = Clock(), threading.Event(), Board(), []
        self.targets = []
        for number, scanner in enumerate(scanners):
            names = tuple(BucketSettings(f"bucket-{n}") for n in range(buckets))
            target = TargetSettings(f"target-{number}", StoreKind.S3, names, ScanSettings(workers=workers))
            queue = TargetQueue(target.name, names, target.scan.interval, 0.0)
            self.targets.append(WatchedTarget(target, queue, scanner))
        self.board.declare(
            Entry(watched.settings.name, bucket.name, "s3", 60.0, source=watched.source(bucket))
            for watched in self.targets
            for bucket in watched.settings.buckets
        )
        publisher = Publisher(
            self.board, lambda *failure: self.failures.append(failure), self.clock.monotonic
        )
        self.idle = self.ticks = 0
        self.loop = Loop(
            *(self, publisher, self.stop),
            on_idle=self.count_idle,
            on_tick=self.count_tick,
            monotonic=self.clock.monotonic,
        )

    def count_idle(self):
        self.idle += 1

    def count_tick(self):
        self.ticks += 1

    def tick(self):
        self.loop.tick()
        assert self.loop.join(10) == []
        return {(entry.target, entry.bucket): entry for entry in self.board.entries()}


class TestWork:
    def test_one_tick_scans_all_that_is_due(self):
        entries = LoopSetup(FakeScanner(), buckets=20).tick()
        assert all(entry.success for entry in entries.values())

    def test_with_each_tick_it_does_what_else_is_to_be_done_now_and_then(self):
        setup = LoopSetup(FakeScanner(), buckets=0)
        setup.tick()
        setup.tick()
        assert setup.ticks == 2

    def test_never_more_workers_than_the_target_has(self):
        barrier = threading.Barrier(2)
        scanner = FakeScanner(lambda _: barrier.wait(10))
        LoopSetup(scanner, buckets=6, workers=2).tick()
        assert scanner.most == 2

    def test_it_is_idle_once_the_last_of_two_scans_has_ended(self):
        barrier, release = threading.Barrier(3), threading.Event()

        def wait(bucket):
            barrier.wait(10)
            if bucket.name == "bucket-1":
                release.wait(10)

        setup = LoopSetup(FakeScanner(wait), buckets=2, workers=2)
        setup.loop.tick()
        barrier.wait(10)
        wait_until("one scan to end", lambda: setup.loop.threads == 1, seconds=10)
        assert setup.idle == 0
        release.set()
        wait_until("the loop to be idle", lambda: setup.idle == 1, seconds=10)

    def test_a_bucket_whose_failure_cannot_be_published_has_its_turn_again(self, caplog):
        scanned = []

        class NoMemory(list):
            def append(self, _):
                raise MemoryError

        def fail(bucket):
            scanned.append(bucket.name)
            raise StoreError(Reason.BAD_RESPONSE, "garbled")

        setup = LoopSetup(FakeScanner(fail), buckets=1)
        setup.failures = NoMemory()
        setup.tick()
        setup.clock.now += 2 * setup.targets[0].settings.scan.interval
        setup.tick()
        told = [(record.message, record.exc_info) for record in caplog.records]
        assert (scanned, told) == (["bucket-0"] * 2, [("too little memory", None)] * 2)

    def test_a_second_tick_while_scans_run_starts_no_overlap(self):
        release = threading.Event()
        scanner = FakeScanner(lambda _: release.wait(10))
        setup = LoopSetup(scanner, buckets=1)
        setup.loop.tick()
        setup.clock.now = 1e6
        setup.loop.tick()
        release.set()
        assert setup.loop.join(10) == []
        assert len(scanner.scanned) == 1

    def test_a_bucket_keeps_its_ledger(self):
        scanner = FakeScanner()
        setup = LoopSetup(scanner, buckets=1)
        setup.tick()
        setup.clock.now = 1e6
        setup.tick()
        (_, first), (_, second) = scanner.scanned
        assert first is second

    def test_logs_one_line_for_a_scan(self, caplog):
        with caplog.at_level(logging.INFO):
            LoopSetup(FakeScanner(), buckets=1).tick()
        (record,) = caplog.records
        assert (record.getMessage(), record.fields["bucket"], record.fields["uploads"]) == (
            "scan finished",
            "bucket-0",
            0,
        )

    def test_logs_one_line_for_all_scans_of_a_target_with_many_buckets(self, caplog):
        with caplog.at_level(logging.INFO):
            LoopSetup(FakeScanner(), buckets=MANY_BUCKETS, workers=64).tick()
            assert [record.getMessage() for record in caplog.records] == ["scan finished"] * MANY_BUCKETS
            caplog.clear()
            LoopSetup(FakeScanner(), buckets=MANY_BUCKETS + 1, workers=64).tick()
        [record] = caplog.records
        assert (record.getMessage(), record.fields["buckets"]) == ("scans finished", MANY_BUCKETS + 1)

    def test_warns_of_unsized_uploads_and_says_why(self, caplog):
        scanner = FakeScanner()
        scanner.unsized = 2
        LoopSetup(scanner, buckets=1).tick()
        (record,) = caplog.records
        assert (record.levelno, record.fields["unsized"], record.fields["error"]) == (
            logging.WARNING,
            2,
            "parts are refused",
        )


class TestFailures:
    def test_of_one_bucket_are_shown_counted_and_logged_and_touch_no_other(self, caplog):
        def behave(bucket):
            if bucket.name == "bucket-1":
                raise error(Reason.ACCESS_DENIED, 403)

        setup = LoopSetup(FakeScanner(behave))
        entries = setup.tick()
        failed = entries["target-0", "bucket-1"]
        why = Failure(Reason.ACCESS_DENIED, "a access_denied of the test")
        assert (failed.success, failed.failure) == (False, why)
        assert [entry.success for entry in entries.values()] == [True, False, True]
        assert setup.failures == [("target-0", Reason.ACCESS_DENIED)]
        (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert (line.fields["reason"], line.fields["error"]) == ("access_denied", why.message)

    def test_our_own_bug_is_internal_and_ends_nothing(self):
        def behave(_):
            raise ZeroDivisionError

        setup = LoopSetup(FakeScanner(behave), FakeScanner())
        entries = setup.tick()
        assert entries["target-0", "bucket-0"].failure.reason is Reason.INTERNAL
        assert entries["target-1", "bucket-0"].success
        setup.clock.now = 1e6
        assert setup.tick()["target-0", "bucket-0"].failure.reason is Reason.INTERNAL

    def test_stopping_is_none(self):
        def behave(_):
            raise StoppingError

        setup = LoopSetup(FakeScanner(behave), buckets=1)
        assert setup.tick()["target-0", "bucket-0"].success is None
        assert setup.failures == []

    def test_of_a_target_that_does_not_answer_show_on_all_its_buckets_with_few_requests(self):
        def behave(_):
            raise error(Reason.CONNECTION)

        broken, fine = FakeScanner(behave), FakeScanner()
        setup = LoopSetup(broken, fine, buckets=50, workers=1)
        setup.tick()
        entries = setup.tick()
        assert len(broken.scanned) == 3
        assert {entry.failure.reason for key, entry in entries.items() if key[0] == "target-0"} == {
            Reason.CONNECTION
        }
        assert all(entry.success for key, entry in entries.items() if key[0] == "target-1")
        assert len(setup.failures) == 3

    def test_in_one_targets_queue_do_not_reach_the_next_target(self):
        setup = LoopSetup(FakeScanner(), FakeScanner())
        setup.targets[0].queue = broken_queue()
        assert setup.tick()["target-1", "bucket-0"].success


def test_what_the_board_refuses_is_neither_counted_nor_logged(caplog):
    """Its target or bucket was given other settings while the scan ran."""

    def behave(_):
        raise error(Reason.ACCESS_DENIED, 403)

    setup = LoopSetup(FakeScanner(behave), buckets=1)
    setup.board.declare([Entry("target-0", "bucket-0", "s3", 60.0, source="other settings")])
    assert setup.tick()["target-0", "bucket-0"].success is None
    assert (setup.failures, caplog.records) == ([], [])


class TestStop:
    def test_ends_the_loop_and_starts_no_more(self):
        scanner = FakeScanner()
        setup = LoopSetup(scanner, buckets=50, workers=1)
        scanner.behave = lambda _: setup.stop.set()
        thread = threading.Thread(target=setup.loop.run)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        assert setup.loop.join(10) == []
        assert len(scanner.scanned) == 1

    def test_a_probe_that_is_given_up_does_not_say_that_the_target_answers(self, caplog):
        def refuse(_):
            raise error(Reason.CONNECTION)

        def give_up(_):
            raise StoppingError

        scanner = FakeScanner(refuse)
        setup = LoopSetup(scanner, buckets=4, workers=1)
        setup.tick()
        scanner.behave, setup.clock.now = give_up, 100.0
        with caplog.at_level(logging.INFO):
            setup.tick()
        assert "target answers again" not in caplog.text

    def test_join_says_when_a_scan_does_not_end(self):
        release = threading.Event()
        setup = LoopSetup(FakeScanner(lambda _: release.wait(30)), buckets=1)
        setup.loop.tick()
        assert setup.loop.join(0.05) == ["target-0"]
        release.set()
        assert setup.loop.join(10) == []

    def test_ticks_go_on(self):
        scanner = FakeScanner()
        setup = LoopSetup(scanner, buckets=1)
        thread = threading.Thread(target=setup.loop.run)
        thread.start()
        deadline = time.monotonic() + 10
        while len(scanner.scanned) < 2 and time.monotonic() < deadline:
            setup.clock.now += 1000.0
            time.sleep(0.05)
        setup.stop.set()
        thread.join(10)
        assert len(scanner.scanned) >= 2


def broken_queue():
    class Broken:
        def take(self, now):
            raise RuntimeError(now)

    return Broken()


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_target_holds_no_more_than_its_workers_however_often_it_ticks():
    release = threading.Event()
    scanner = FakeScanner(lambda _: release.wait(10))
    setup = LoopSetup(scanner, buckets=6, workers=2)
    for _ in range(3):
        setup.loop.tick()
    assert wait_for(lambda: scanner.running == 2)
    time.sleep(0.1)
    assert len(scanner.scanned) == 2
    release.set()
    assert setup.loop.join(10) == []
    assert scanner.most == 2


def test_a_worker_that_ended_is_free_again_and_forgotten():
    setup = LoopSetup(FakeScanner(), buckets=1, workers=1)
    for number in range(4):
        setup.clock.now = number * 1000.0
        setup.tick()
    assert len(setup.targets[0].scanner.scanned) == 4
    assert setup.loop.threads == 0


def test_each_bucket_has_a_ledger_of_its_own():
    scanner = FakeScanner()
    LoopSetup(scanner, buckets=2).tick()
    (_, first), (_, second) = scanner.scanned
    assert first is not second


def test_a_failure_shows_how_long_it_took_and_a_hold_does_not(caplog):
    setup = LoopSetup(FakeScanner(), buckets=5, workers=1)

    def behave(_):
        setup.clock.now += 7.0
        raise error(Reason.CONNECTION)

    setup.targets[0].scanner.behave = behave
    setup.tick()
    entries = setup.tick()
    assert [e.duration for e in entries.values()] == [7.0, 7.0, 7.0, None, None]


def test_our_own_bug_is_in_the_log_with_its_traceback(caplog):
    def behave(_):
        raise LookupError("a bug of the test")

    setup = LoopSetup(FakeScanner(behave), buckets=1)
    assert setup.tick()["target-0", "bucket-0"].failure.reason is Reason.INTERNAL
    assert any(record.exc_info for record in caplog.records)


def test_a_worker_that_cannot_be_started_leaves_its_bucket_to_the_next(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    setup = LoopSetup(FakeScanner(), buckets=1, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        setup.loop.tick()
    (entry,) = setup.board.entries()
    assert (entry.success, entry.failure.reason) == (False, Reason.INTERNAL)
    setup.clock.now = 1000.0
    assert setup.tick()["target-0", "bucket-0"].success is True


class TestScarcity:
    def test_a_scan_that_lacks_memory_is_told_in_words_without_a_traceback(self, caplog):
        def behave(_):
            raise MemoryError

        failure = LoopSetup(FakeScanner(behave), buckets=1).tick()["target-0", "bucket-0"].failure
        assert failure == Failure(Reason.INTERNAL, TOO_LITTLE)
        assert [record.exc_info for record in caplog.records] == [None]

    @pytest.mark.parametrize(
        "lacking",
        [
            MemoryError(),
            RuntimeError("can't start new thread"),
            StoreError.unexpected(MemoryError(), logging.getLogger(), "of a call"),
        ],
    )
    def test_a_process_that_can_do_nothing_ends(self, lacking):
        def behave(_):
            raise lacking

        with pytest.raises(ScarcityError):
            LoopSetup(FakeScanner(behave), buckets=3).loop.run()

    def test_a_process_that_cannot_start_a_thread_ends(self, monkeypatch):
        def refuse(_):
            raise MemoryError

        setup = LoopSetup(FakeScanner(), buckets=3)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ScarcityError):
            setup.loop.run()

    def test_a_process_of_which_one_bucket_is_too_large_goes_on(self):
        def behave(bucket):
            if bucket.name == "bucket-0":
                raise MemoryError

        setup = LoopSetup(FakeScanner(behave), buckets=2)
        for now in range(5):
            setup.clock.now = now * 1000.0
            setup.tick()
        setup.stop.set()
        setup.loop.run()
        assert setup.failures == [("target-0", Reason.INTERNAL)] * 5


def test_a_scan_that_does_not_end_shows_as_timed_out():
    release = threading.Event()
    setup = LoopSetup(FakeScanner(lambda _: release.wait(30)), buckets=1)
    setup.loop.tick()
    setup.clock.now = 1e6
    setup.loop.tick()
    (entry,) = setup.board.entries()
    assert (entry.success, entry.failure.reason) == (False, Reason.TIMEOUT)
    assert setup.failures == [("target-0", Reason.TIMEOUT)]
    release.set()
    assert setup.loop.join(10) == []
    assert setup.board.entries()[0].success is True


def test_a_scan_may_take_its_time_and_that_of_a_last_request():
    release = threading.Event()
    setup = LoopSetup(FakeScanner(lambda _: release.wait(30)), buckets=1)
    setup.loop.tick()
    scan = setup.targets[0].settings.scan
    shown = []
    for now in (scan.timeout + scan.request_timeout - 1.0, scan.timeout + scan.request_timeout + 1.0):
        setup.clock.now = now
        setup.loop.tick()
        shown.append(setup.board.entries()[0].success)
    release.set()
    assert setup.loop.join(10) == []
    assert shown == [None, False]


def test_a_wall_clock_that_is_set_back_stops_no_scan(monkeypatch):
    scanner = FakeScanner()
    setup = LoopSetup(scanner, buckets=1)
    monkeypatch.setattr(schedule.Scheduler, "idle_seconds", property(lambda _: 7200.0))
    due_again = schedule.Scheduler.run_pending
    monkeypatch.setattr(schedule.Scheduler, "run_pending", lambda self: due_again(self) or setup.stop.set())
    rescheduled = []
    monkeypatch.setattr(schedule.Scheduler, "clear", lambda self: rescheduled.append(self))  # noqa: PLW0108
    setup.loop.run()
    assert len(rescheduled) == 1


def test_what_is_remembered_and_cannot_be_had_is_our_own_bug_and_takes_no_later_turn():
    def refuse(_):
        raise LookupError("a bug of the test")

    setup = LoopSetup(FakeScanner(), buckets=1)
    setup.targets[0].new_ledger = refuse
    assert setup.tick()["target-0", "bucket-0"].failure.reason is Reason.INTERNAL
    setup.targets[0].new_ledger = lambda _: Ledger()
    setup.clock.now = 1000.0
    assert setup.tick()["target-0", "bucket-0"].success is True


def test_nothing_is_begun_once_the_stop_is_set():
    scanner = FakeScanner()
    setup = LoopSetup(scanner)
    setup.stop.set()
    setup.tick()
    assert scanner.scanned == []


def test_a_bucket_with_other_settings_has_a_ledger_of_its_own():
    watched = LoopSetup(FakeScanner(), buckets=1).targets[0]
    before, after = BucketSettings("bucket-0"), BucketSettings("bucket-0", prefix="db/")
    assert watched.ledger(before) is not watched.ledger(after)
    assert watched.ledger(after) is watched.ledger(BucketSettings("bucket-0", prefix="db/"))
