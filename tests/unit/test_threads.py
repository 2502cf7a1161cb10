"""Calls that block, each on a thread of its own while it is in flight."""

from __future__ import annotations

import logging
import queue
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from fakes import BUCKET, GONE, error, upload

from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.model.scarcity import TOO_LITTLE
from exporter.model.uploads import Part
from exporter.stores.base import Page, PageRequest
from exporter.stores.engine.threads import ThreadedSession
from exporter.stores.time_limit import check_time, time_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPLOADS_PAGE = Page([upload(1)], truncated=False)
PARTS_PAGE = Page([Part(1, 10)], truncated=False)
SOON = 10.0


def nothing(*_: object) -> None:
    """Answer at once."""


class FakeStore:
    """Answers once `behave` returns, given the number of the call; notes what it was asked, and where."""

    def __init__(self, behave: Callable[[int], object] = nothing) -> None:
        self.behave = behave
        self.asked: list[tuple[Any, ...]] = []
        self.threads: list[threading.Thread] = []
        self._number = count()

    def list_uploads(self, *asked: Any) -> Page[Any]:
        return self._answer("uploads", asked, UPLOADS_PAGE)

    def list_parts(self, *asked: Any) -> Page[Any]:
        return self._answer("parts", asked, PARTS_PAGE)

    def _answer(self, what: str, asked: tuple[Any, ...], page: Page[Any]) -> Page[Any]:
        number = next(self._number)
        self.asked.append((what, *asked))
        self.threads.append(threading.current_thread())
        self.behave(number)
        return page


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def calls(store: FakeStore) -> Iterator[ThreadedSession]:
    before = set(threading.enumerate())
    made = ThreadedSession(store)
    yield made
    made.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(SOON)
    assert set(threading.enumerate()) - before == set()


def start(calls: ThreadedSession, *labels: object) -> None:
    for label in labels:
        calls.start(PageRequest(BUCKET, None, None), 100.0, label)


def answers(calls: ThreadedSession, number: int) -> dict[object, Any]:
    """Return what so many calls came to, by label."""
    outcomes: dict[object, Any] = {}
    while len(outcomes) < number:
        answered = calls.completed(SOON)
        assert answered
        outcomes |= dict(answered)
    return outcomes


class TestCalls:
    def test_one_for_uploads(self, calls, store):
        calls.start(PageRequest(BUCKET, None, ("m",)), 7.0, "label")
        assert calls.completed(SOON) == [("label", UPLOADS_PAGE)]
        assert store.asked == [("uploads", BUCKET, ("m",), 7.0)]

    def test_one_for_parts(self, calls, store):
        calls.start(PageRequest(BUCKET, upload(1), ("5",)), 7.0, "label")
        assert calls.completed(SOON) == [("label", PARTS_PAGE)]
        assert store.asked == [("parts", BUCKET, upload(1), ("5",), 7.0)]

    def test_one_ends_with_the_time_of_the_scan_that_made_it(self, calls, store):
        store.behave = lambda _: check_time("ListParts")
        with time_limit(7.0, lambda: 8.0, threading.Event()):
            start(calls, "label")
        ((_, outcome),) = calls.completed(SOON)
        assert outcome.reason is Reason.TIMEOUT

    def test_each_answer_has_its_label(self, calls, store):
        turn = threading.Event()
        store.behave = lambda number: turn.wait(SOON) if number == 0 else None
        start(calls, "first", "second")
        assert calls.completed(SOON) == [("second", UPLOADS_PAGE)]
        turn.set()
        assert calls.completed(SOON) == [("first", UPLOADS_PAGE)]

    def test_all_that_have_ended_come_out_at_once(self, store, monkeypatch):
        ended = threading.Semaphore(0)

        class Counting(queue.SimpleQueue):
            def put(self, item):
                super().put(item)
                if item and len(item) == 2:  # a label and its outcome
                    ended.release()

        monkeypatch.setattr(queue, "SimpleQueue", Counting)
        calls = ThreadedSession(store)
        start(calls, "a", "b", "c")
        for _ in "abc":
            assert ended.acquire(timeout=SOON)
        assert sorted(calls.completed(SOON)) == [(label, UPLOADS_PAGE) for label in "abc"]
        calls.close()

    @pytest.mark.parametrize("failure", [MemoryError(), SystemExit()])
    def test_whatever_it_raises_it_is_answered_and_its_thread_goes_on(
        self, calls, store, failure, monkeypatch
    ):
        """Where memory lacks, what handles that may lack it as well."""
        monkeypatch.setattr(StoreError, "unexpected", lambda *_: throw(MemoryError()))
        for _ in "ab":
            store.behave = lambda _: throw(failure)
            start(calls, "label")
            ((_, outcome),) = calls.completed(SOON)
            assert (outcome.reason, str(outcome)) == (Reason.INTERNAL, TOO_LITTLE)
        assert len(set(store.threads)) == 1

    def test_its_answer_comes_once_there_is_memory_for_it(self, store, monkeypatch):
        lacking = [MemoryError()]

        class Lacking(queue.SimpleQueue):
            def put(self, item):
                if item and len(item) == 2 and lacking:  # a label and its outcome
                    raise lacking.pop()
                super().put(item)

        monkeypatch.setattr(queue, "SimpleQueue", Lacking)
        calls = ThreadedSession(store)
        start(calls, "label")
        assert calls.completed(SOON) == [("label", UPLOADS_PAGE)]
        calls.close()

    @pytest.mark.parametrize("timeout", [0.0, 0.01])
    def test_none_has_ended_in_time(self, calls, store, timeout):
        turn = threading.Event()
        store.behave = lambda _: turn.wait(SOON)
        start(calls, "label")
        assert calls.completed(timeout) == []
        turn.set()
        assert calls.completed(SOON) == [("label", UPLOADS_PAGE)]

    @pytest.mark.parametrize("failure", [error(Reason.SERVER_ERROR, 500), GONE])
    def test_an_error_of_the_store_is_an_answer(self, calls, store, failure):
        store.behave = lambda _: throw(failure)
        start(calls, "label")
        assert calls.completed(SOON) == [("label", failure)]

    def test_stopping_is_none(self, calls, store):
        store.behave = lambda _: throw(StoppingError())
        start(calls, "label")
        with pytest.raises(StoppingError):
            calls.completed(SOON)

    def test_our_own_bug_is_internal_and_in_the_log(self, calls, store, caplog):
        store.behave = lambda _: throw(RuntimeError("a bug of the test"))
        with caplog.at_level(logging.ERROR):
            start(calls, "label")
            ((label, failure),) = calls.completed(SOON)
        assert (label, failure.reason, failure.retryable) == ("label", Reason.INTERNAL, False)
        assert str(failure) == "unexpected RuntimeError"
        assert "a call failed unexpectedly" in caplog.text
        assert "a bug of the test" in caplog.text

    def test_a_thread_outlives_our_own_bug(self, calls, store):
        store.behave = lambda number: throw(RuntimeError("a bug of the test")) if number == 0 else None
        for label in "ab":
            start(calls, label)
            calls.completed(SOON)
        assert len(set(store.threads)) == 1


class TestThreads:
    def test_are_as_many_as_calls_in_flight(self, calls, store):
        barrier = threading.Barrier(5)
        store.behave = lambda _: barrier.wait(SOON)
        start(calls, *range(5))
        assert answers(calls, 5) == dict.fromkeys(range(5), UPLOADS_PAGE)
        assert len(set(store.threads)) == 5

    def test_are_used_again(self, calls, store):
        for label in range(5):
            start(calls, label)
            answers(calls, 1)
        assert len(set(store.threads)) == 1

    def test_are_as_many_as_were_ever_in_flight_at_once(self, calls, store, monkeypatch):
        started = note_threads(monkeypatch)
        for number in (3, 1, 2, 3, 4, 2):
            start(calls, *range(number))
            answers(calls, number)
        assert len(started) == 4

    def test_that_have_stopped_are_not_replaced(self, calls, store, monkeypatch):
        started = note_threads(monkeypatch)
        store.behave = lambda _: throw(StoppingError())
        for label in "ab":
            start(calls, label)
            with pytest.raises(StoppingError):
                calls.completed(SOON)
        assert len(started) == 1

    def test_none_is_there_before_a_call(self, calls, monkeypatch):
        started = note_threads(monkeypatch)
        assert calls.completed(0.0) == []
        assert started == []

    def test_do_not_keep_the_process(self, calls, store):
        start(calls, "label")
        answers(calls, 1)
        assert [thread.daemon for thread in store.threads] == [True]


class TestClosing:
    def test_ends_the_threads_once_their_calls_have(self, store):
        begun, turn = threading.Barrier(3), threading.Event()
        store.behave = lambda _: (begun.wait(SOON), turn.wait(SOON))
        calls = ThreadedSession(store)
        start(calls, *range(2))
        begun.wait(SOON)
        calls.close()
        assert [thread.is_alive() for thread in store.threads] == [True, True]
        turn.set()
        for thread in store.threads:
            thread.join(SOON)
        assert [thread.is_alive() for thread in store.threads] == [False, False]

    def test_ends_threads_that_wait_for_calls(self, store):
        calls = ThreadedSession(store)
        barrier = threading.Barrier(3)
        store.behave = lambda _: barrier.wait(SOON)
        start(calls, *range(3))
        answers(calls, 3)
        calls.close()
        for thread in store.threads:
            thread.join(SOON)
        assert [thread.is_alive() for thread in store.threads] == [False] * 3

    def test_drops_what_no_thread_has_taken_up(self, store, monkeypatch):
        late: list[Callable[[], None]] = []
        monkeypatch.setattr(threading.Thread, "start", lambda thread: late.append(thread.run))
        calls = ThreadedSession(store)
        start(calls, *range(3))
        calls.close()
        for run in late:
            run()
        assert (len(late), store.asked) == (3, [])

    def test_twice_is_once(self, calls):
        start(calls, "label")
        answers(calls, 1)
        calls.close()


def throw(failure: BaseException) -> None:
    raise failure


def note_threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    started: list[threading.Thread] = []
    begin = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread), begin(thread))[1])
    return started
