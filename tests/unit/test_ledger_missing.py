"""Remembered uploads that a scan did not see: which they are, what they are called, and what is forgotten."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from fakes import NOW, upload

from exporter.model.results import ScanResult
from exporter.model.uploads import PartTotals, Upload
from exporter.scan.tally import Tally
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.names import MAX_PENDING_NAMES
from exporter.state.rows import LedgerRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

NAME = BucketName("prod", "s3", "", "-", "media")


def result() -> ScanResult:
    tally = Tally(now=NOW, stale_after=1.0, ages=(), with_parts=True)
    return ScanResult(tally.summary(), NOW + 9, 8.5)


def size(ledger: Ledger, uploads: Iterable[Upload]) -> None:
    """Look uploads up and size them."""
    each_upload = list(uploads)
    for each, (row_id, record) in zip(each_upload, ledger.look_up(each_upload), strict=True):
        ledger.record_parts(row_id, each, PartTotals(1, 10, NOW), NOW, record)


def ledger_of(state: StateDatabase | None = None, *, sized: Iterable[Upload] = ()) -> Ledger:
    """Return a ledger after a scan that sized these, in the pass after it."""
    ledger = Ledger(LedgerRows(state or StateDatabase(), NAME))
    if uploads := list(sized):
        size(ledger, uploads)
        ledger.commit(result())
    return ledger


def opened(path: Path, max_names: int = 100_000) -> StateDatabase:
    state = StateDatabase(path, max_names=max_names)
    assert state.open(threading.Event())
    return state


def numbers(count: int) -> list[Upload]:
    return [upload(number) for number in range(count)]


def missing(ledger: Ledger) -> list[Upload | None]:
    return [each.upload for batch in ledger.missing() for each in batch]


def named(ledger: Ledger, uploads: Iterable[Upload]) -> list[Upload]:
    """Return which of these a pass that lists none of them knows by name."""
    ledger.begin()
    ledger.look_up([])
    known = {each for each in missing(ledger) if each}
    ledger.begin()
    return [each for each in uploads if each in known]


class TestMissing:
    def test_are_those_that_were_not_looked_up(self):
        ledger = ledger_of(sized=numbers(1200))
        ledger.look_up(numbers(1200)[::2])
        assert ledger.missing_count() == 600
        assert set(missing(ledger)) == set(numbers(1200)[1::2])
        assert [len(batch) for batch in ledger.missing(250)] == [250, 250, 100]

    def test_come_with_what_is_known_of_them(self):
        ledger = ledger_of(sized=numbers(2))
        [(row_id, _)] = ledger.look_up([upload(0)])
        [[other]] = ledger.missing()
        assert (other.row_id, other.record.bytes) == (ledger.row_id(upload(1)), 10)
        assert other.row_id != row_id

    def test_are_none_where_nothing_was_looked_up(self):
        ledger = ledger_of(sized=numbers(3))
        assert (ledger.missing_count(), ledger.witnesses(9), missing(ledger)) == (0, [], [])

    def test_do_not_include_what_was_sized_in_this_pass(self):
        ledger = ledger_of(sized=numbers(3))
        size(ledger, [upload(number) for number in range(1, 6)])
        assert (ledger.missing_count(), missing(ledger)) == (1, [upload(0)])

    def test_include_what_was_never_sized(self):
        ledger = ledger_of()
        [(row_id, _)] = ledger.look_up([upload(1)])
        ledger.record_failure(row_id, upload(1), NOW, None)
        ledger.commit(result())
        ledger.look_up([])
        assert (ledger.missing_count(), missing(ledger)) == (1, [upload(1)])
        assert [each.upload for each in ledger.witnesses(9)] == [upload(1)]

    def test_are_found_though_another_was_listed_twice(self):
        ledger = ledger_of(sized=numbers(3))
        ledger.look_up(numbers(2))
        ledger.look_up(numbers(1))
        assert missing(ledger) == [upload(2)]

    def test_of_an_unfinished_pass_are_looked_up_anew(self):
        ledger = ledger_of(sized=numbers(3))
        ledger.look_up(numbers(3))
        ledger.begin()
        ledger.look_up(numbers(1))
        assert ledger.missing_count() == 2

    def test_are_not_missing_once_they_are_looked_up(self):
        ledger = ledger_of(sized=numbers(3))
        ledger.look_up(numbers(1))
        assert ledger.missing_count() == 2
        ledger.look_up([upload(1)])
        assert ledger.missing_count() == 1

    def test_include_what_could_not_be_written(self, monkeypatch):
        state = StateDatabase()
        ledger = ledger_of(state, sized=numbers(2))
        monkeypatch.setattr(state, "write", lambda _: False)
        size(ledger, [upload(7)])
        ledger.begin()
        ledger.look_up([upload(0)])
        assert (ledger.missing_count(), set(missing(ledger))) == (2, {upload(1), upload(7)})

    def test_are_not_searched_for_where_all_were_seen_or_kept(self, monkeypatch):
        state = StateDatabase()
        ledger, queries = ledger_of(state, sized=numbers(300)), []
        ledger.look_up(numbers(200))
        for batch in ledger.missing():
            for each in batch:
                ledger.keep(each.row_id)
        read = state.read
        monkeypatch.setattr(state, "read", lambda *query: queries.append(query) or read(*query))
        assert (ledger.missing_count(), ledger.witnesses(9), missing(ledger), len(queries)) == (0, [], [], 1)


class TestForgetting:
    def test_what_was_neither_looked_up_nor_kept_is_forgotten(self):
        ledger = ledger_of(sized=numbers(6))
        ledger.look_up(numbers(2))
        ledger.keep(ledger.row_id(upload(4)))
        ledger.commit(result())
        assert named(ledger, numbers(6)) == [upload(0), upload(1), upload(4)]

    def test_what_is_kept_is_no_longer_missing(self):
        ledger = ledger_of(sized=numbers(3))
        ledger.look_up(numbers(1))
        for batch in ledger.missing(1):
            ledger.keep(batch[0].row_id)
        assert ledger.missing_count() == 0
        ledger.commit(result())
        assert ledger.rows.count() == 3

    def test_what_is_kept_for_one_scan_is_missing_in_the_next(self):
        ledger = ledger_of(sized=numbers(2))
        for _ in range(2):
            ledger.look_up(numbers(1))
            assert missing(ledger) == [upload(1)]
            ledger.keep(ledger.row_id(upload(1)))
            ledger.commit(result())


class TestWitnesses:
    def test_are_as_many_as_asked_for_and_chosen_by_chance(self):
        ledger = ledger_of(sized=numbers(40))
        ledger.look_up(numbers(8))
        chosen = Counter(each.upload for _ in range(60) for each in ledger.witnesses(10))
        assert set(chosen.values()) != {60}
        assert (set(chosen), sum(chosen.values())) == (set(numbers(40)[8:]), 600)

    def test_are_all_where_there_are_fewer(self):
        ledger = ledger_of(sized=numbers(5))
        ledger.look_up(numbers(2))
        assert {each.upload for each in ledger.witnesses(10)} == set(numbers(5)[2:])

    def test_are_none_that_the_last_scan_found_denied(self):
        ledger = ledger_of(sized=numbers(3))
        ledger.look_up(numbers(3))
        ledger.record_denied(upload(1))
        ledger.commit(result())
        ledger.look_up([upload(0)])
        assert [each.upload for each in ledger.witnesses(10)] == [upload(2)]

    def test_are_none_without_a_name(self):
        ledger = ledger_of(StateDatabase(max_names=0), sized=numbers(3))
        ledger.look_up(numbers(1))
        assert (ledger.witnesses(10), ledger.missing_count(), missing(ledger)) == ([], 2, [None, None])


class TestDenied:
    def test_twice_in_a_row_says_so(self):
        ledger = Ledger()
        assert ledger.record_denied(upload(1)) is False
        ledger.commit(result())
        assert ledger.record_denied(upload(1)) is True

    def test_is_remembered_for_one_scan(self):
        ledger = Ledger()
        ledger.record_denied(upload(1))
        ledger.commit(result())
        ledger.commit(result())
        assert ledger.record_denied(upload(1)) is False


class TestNames:
    @pytest.mark.parametrize(
        "each",
        [
            upload(1),
            Upload("", "", None),
            Upload("a\0b\r\n", "\ud800\udc00", 0.1 + 0.2, "\udfff", "é😀"),
            Upload("k" * 1024, "i" * 3000, -1.5, "GLACIER", "arn:aws:iam::1:user/a"),
        ],
    )
    def test_come_back_as_they_were(self, each, tmp_path):
        state = opened(tmp_path / "state.db")
        others = [upload(5), Upload("\ud83d", "\ude00"), upload(6)]
        ledger_of(state, sized=[*others, each])
        state.close()
        state = opened(tmp_path / "state.db")
        assert named(ledger_of(state), [*others, each]) == [*others, each]
        state.close()

    def test_are_stored_with_the_next_answer_where_they_were_not(self):
        state = StateDatabase(max_names=0)
        ledger = ledger_of(state, sized=numbers(3))
        state.max_names = 10
        ledger.look_up(numbers(3))
        ledger.commit(result())
        size(ledger, [upload(1)])
        ledger.look_up([upload(0), upload(2)])
        ledger.commit(result())
        assert named(ledger, numbers(3)) == [upload(1)]

    def test_are_kept_of_no_more_than_the_maximum_old_and_new_alike(self):
        ledger = ledger_of(StateDatabase(max_names=400), sized=numbers(2000))
        first = named(ledger, numbers(2000))
        assert len(first) == 400
        size(ledger, numbers(4000))
        ledger.commit(result())
        then = named(ledger, numbers(4000))
        assert len(then) == 400
        assert 100 < len([each for each in then if each in set(first)]) < 300

    def test_fill_up_again_when_uploads_end(self):
        ledger = ledger_of(StateDatabase(max_names=400), sized=numbers(2000))
        ledger.look_up(numbers(500))
        ledger.commit(result())
        assert 50 < len(named(ledger, numbers(500))) < 150
        size(ledger, numbers(500))
        ledger.commit(result())
        assert len(named(ledger, numbers(500))) == 400

    def test_go_with_their_uploads_and_stay_with_the_others(self, tmp_path):
        state = opened(tmp_path / "state.db")
        ledger = ledger_of(state, sized=numbers(3000))
        for rest in (numbers(3000)[::2], numbers(3000)[::6], numbers(3000)[:1], []):
            ledger.look_up(rest)
            ledger.commit(result())
            assert named(ledger, numbers(3000)) == rest
        assert state.read("SELECT number FROM names UNION SELECT number FROM name_blocks") == []
        state.close()

    def test_of_one_that_comes_back_are_known_again(self):
        ledger = ledger_of(sized=numbers(10))
        ledger.look_up(numbers(9))
        ledger.commit(result())
        size(ledger, numbers(10))
        ledger.commit(result())
        ledger.look_up(numbers(9)[4:])
        ledger.keep(ledger.row_id(upload(9)))
        ledger.commit(result())
        assert named(ledger, numbers(10)) == numbers(10)[4:]

    def test_of_one_that_came_back_are_in_one_block_only(self):
        state = StateDatabase()
        ledger = ledger_of(state, sized=numbers(300))
        ledger.look_up(numbers(300)[1:])
        ledger.commit(result())
        size(ledger, numbers(300))
        ledger.commit(result())
        ledger.look_up(numbers(10))
        ledger.commit(result())
        assert state.read("SELECT sum(names), sum(size) FROM name_blocks") == [(10, 10)]
        ledger.look_up(numbers(1))
        ledger.commit(result())
        assert state.read("SELECT sum(names), sum(size) FROM name_blocks") == [(1, 1)]
        assert named(ledger, numbers(300)) == numbers(1)

    def test_of_a_lower_maximum_are_fewer_from_the_next_scan_on(self):
        state = StateDatabase()
        ledger = ledger_of(state, sized=numbers(1000))
        for maximum, expected in ((300, 300), (600, 300), (0, 0)):
            state.max_names = maximum
            ledger.look_up(numbers(1000))
            ledger.commit(result())
            assert len(named(ledger, numbers(1000))) == expected

    def test_beyond_the_maximum_are_not_written_for_a_whole_scan(self):
        state = StateDatabase(max_names=400)
        ledger = ledger_of(state)
        size(ledger, numbers(5000))
        [[written]] = state.read("SELECT sum(names) FROM name_blocks")
        assert 400 <= written <= 1000

    def test_beyond_the_maximum_are_not_written_by_the_next_process_either(self):
        state = StateDatabase(max_names=50)
        ledger_of(state, sized=numbers(1000))
        after = ledger_of(state)
        size(after, numbers(200))
        assert after.rows.flush()
        assert state.read("SELECT sum(names) FROM name_blocks") == [(50,)]

    def test_and_the_end_of_a_scan_that_could_not_be_written_are_trimmed_later(self, monkeypatch):
        state = StateDatabase(max_names=1000)
        ledger = ledger_of(state, sized=numbers(1000))
        with monkeypatch.context() as failing:
            state.max_names = 300
            failing.setattr(state, "write", failing_at_the_end(state.write))
            ledger.look_up(numbers(1000))
            assert ledger.commit(result()) is False
        size(ledger, [upload(1)])
        ledger.rows.flush()
        ledger.begin()
        ledger.look_up(numbers(1000))
        ledger.commit(result())
        assert len(named(ledger, numbers(1000))) == 300

    def test_that_are_damaged_are_not_known(self):
        state = StateDatabase()
        ledger = ledger_of(state, sized=numbers(300))
        assert state.write(lambda file: file.execute("UPDATE names SET texts = x'00' WHERE number = 1"))
        ledger.look_up([])
        assert (ledger.missing_count(), len([each for each in missing(ledger) if each])) == (300, 50)
        assert {each.upload for each in ledger.witnesses(300)} == set(numbers(300)[250:])
        ledger.commit(result())
        assert state.read("SELECT number FROM names") == []

    def test_do_not_fill_the_memory_while_they_cannot_be_written(self, monkeypatch):
        state = StateDatabase()
        ledger = ledger_of(state)
        monkeypatch.setattr(state, "write", lambda _: False)
        size(ledger, numbers(MAX_PENDING_NAMES + 600))
        known = named(ledger, numbers(MAX_PENDING_NAMES + 600))
        assert 0 < len(known) <= MAX_PENDING_NAMES


def failing_at_the_end(write: Callable) -> Callable:
    """Return what does the work of a transaction and then fails, so that all of it is rolled back."""

    def fail(work: Callable[[sqlite3.Connection], object]) -> bool:
        def work_and_fail(connection: sqlite3.Connection) -> None:
            work(connection)
            raise sqlite3.OperationalError("disk I/O error")

        return write(work_and_fail)

    return fail
