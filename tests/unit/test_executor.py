"""One task at a time: when it is tried again, how long it pauses, and when its time is over."""

from __future__ import annotations

import contextlib
import gc
import weakref

import pytest
from fakes import BUCKET, GONE
from unit.scripted_calls import PAGE, Stream, failing, task_for

from exporter.model.errors import Reason, StoreError
from exporter.model.scarcity import TOO_LITTLE
from exporter.stores.base import PageRequest
from exporter.stores.engine.retry import BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS, Deadline, RetryPolicy
from exporter.stores.pagination.listing import RestartError


def stream(*errors: StoreError, **calls: object) -> Stream:
    """Return a stream whose page "a" fails like this before it comes."""
    return Stream(scripts={"a": list(errors)}, **calls)


class TestTries:
    def test_the_numbers_are_the_designs(self):
        assert (BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS) == (0.5, 20.0)

    def test_what_may_pass_is_tried_again(self):
        asked = stream(*[failing() for _ in range(3)])
        asked.start("a")
        assert asked.all() == {"a": "a"}
        assert asked.when("a") == [100.0, 100.5, 101.5, 103.5]
        assert asked.clock.waited == [0.5, 1.0, 2.0]

    def test_each_try_has_a_time_of_its_own(self):
        asked = stream(*[failing() for _ in range(3)])
        asked.start("a")
        asked.all()
        assert [begun.deadline for begun in asked.calls.begun] == [130.0, 130.5, 131.5, 133.5]

    @pytest.mark.parametrize("retries", [0, 1, 3])
    def test_the_last_error_is_the_outcome(self, retries):
        errors = [failing() for _ in range(retries + 1)]
        asked = stream(*errors)
        asked.start("a", retries=retries)
        assert asked.all() == {"a": errors[-1]}
        assert len(asked.calls.begun) == retries + 1

    def test_an_error_leaves_nothing_for_the_garbage_collector(self):
        gc.disable()
        try:
            asked = stream(failing(retryable=False))
            asked.start("a")
            left = weakref.ref(asked.all().pop("a"))
            assert left() is None
        finally:
            gc.enable()

    def test_what_will_not_pass_is_not_tried_again(self):
        error = failing(retryable=False)
        asked = stream(error)
        asked.start("a")
        assert asked.all() == {"a": error}
        assert (len(asked.calls.begun), asked.clock.waited) == (1, [])

    def test_each_page_has_all_its_tries(self):
        asked = Stream(scripts={name: [failing(), failing()] for name in "ab"})
        asked.start("a", "b", retries=2)
        assert asked.all() == {"b": "b"}
        assert (len(asked.when("a")), len(asked.when("b"))) == (3, 3)
        assert asked.clock.waited == [0.5, 1.0, 0.5, 1.0]

    def test_a_page_asked_for_in_another_encoding_has_no_tries_of_its_own(self):
        error = failing()

        def task():
            request = PageRequest(BUCKET, None, ("a",))
            with contextlib.suppress(StoreError):
                yield request
            yield request._replace(encoded=True)

        asked = stream(failing(), failing(), error)
        asked.executor.start(task(), "a", RetryPolicy(30.0, 1, Deadline(1000.0)))
        assert asked.all() == {"a": error}


class TestPauses:
    def test_they_have_a_cap(self):
        asked = stream(*[failing() for _ in range(9)])
        asked.start("a", retries=9)
        asked.all()
        assert asked.clock.waited == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]

    def test_jitter_is_full(self):
        asked, drawn = stream(failing(), failing()), []
        asked.jitter = lambda low, high: (drawn.append((low, high)), low)[1]
        asked.start("a")
        asked.all()
        assert drawn == [(0.0, 0.5), (0.0, 1.0)]
        assert asked.when("a") == [100.0, 100.0, 100.0]

    @pytest.mark.parametrize(("retry_after", "pause"), [(7.0, 7.0), (0.1, 0.5), (None, 0.5), (60.0, 60.0)])
    def test_retry_after_is_a_floor(self, retry_after, pause):
        asked = stream(failing(retry_after=retry_after))
        asked.start("a")
        asked.all()
        assert asked.when("a") == [100.0, 100.0 + pause]

    def test_they_begin_when_the_answer_comes(self):
        asked = stream(failing(), seconds=lambda _: 4.0)
        asked.start("a")
        asked.all()
        assert asked.when("a") == [100.0, 104.5]


class TestDeadline:
    def test_a_call_never_outlasts_it(self):
        asked = Stream()
        asked.start("a", deadline=110.0)
        asked.all()
        assert [begun.deadline for begun in asked.calls.begun] == [110.0]

    @pytest.mark.parametrize("deadline", [100.0, 99.0])
    def test_no_call_begins_after_it(self, deadline):
        asked = Stream()
        asked.start("a", deadline=deadline)
        outcome = asked.all()["a"]
        assert (outcome.reason, outcome.retryable, str(outcome)) == (
            Reason.TIMEOUT,
            False,
            "scan.timeout is over",
        )
        assert asked.calls.begun == []

    def test_no_further_page_is_asked_for_after_it(self):
        asked = Stream(seconds=lambda _: 10.0)
        asked.start("a", "b", deadline=110.0)
        assert asked.all()["b"].reason is Reason.TIMEOUT
        assert [begun.name for begun in asked.calls.begun] == ["a"]

    @pytest.mark.parametrize("retry_after", [900.0, 1e9])
    def test_a_pause_beyond_it_is_not_begun(self, retry_after):
        error = failing(retry_after=retry_after)
        asked = stream(error)
        asked.start("a")
        assert asked.all() == {"a": error}
        assert (asked.clock.waited, asked.clock.now) == ([], 100.0)

    def test_a_pause_that_ends_before_it_is_begun(self):
        asked = stream(failing(retry_after=899.0))
        asked.start("a")
        assert asked.all() == {"a": "a"}

    def test_moved_later_it_gives_more_time(self):
        asked = stream(failing(retry_after=20.0), seconds=lambda _: 1.0)
        deadline = asked.start("a", deadline=110.0)
        deadline.at = 200.0
        assert asked.all() == {"a": "a"}

    def test_moved_earlier_it_leaves_what_is_in_flight_without_another_try(self):
        error = failing()
        asked = stream(error, seconds=lambda _: 1.0)
        deadline = asked.start("a")
        deadline.at = 100.0
        assert asked.all() == {"a": error}
        assert asked.when("a") == [100.0]

    def test_moved_earlier_it_ends_what_pauses_no_more(self):
        asked = stream(failing(retry_after=500.0), seconds=lambda name: 0.0 if name == "a" else 2.0)
        deadline = asked.start("a")
        asked.start("b")
        assert asked.executor.completed() == [("b", "b")]
        deadline.at = asked.clock.now
        asked.executor.skip_pauses()
        outcome = asked.all()["a"]
        assert outcome.reason in {Reason.TIMEOUT, Reason.THROTTLED}
        assert (asked.clock.now, len(asked.when("a"))) == (102.0, 1)

    def test_what_pauses_no_more_goes_on_at_once_and_only_once(self):
        asked = stream(failing(retry_after=5.0), seconds={"a": 0.0, "b": 1.0, "slow": 60.0}.get)
        for name in ("a", "b", "slow"):
            asked.start(name)
        assert asked.executor.completed() == [("b", "b")]
        asked.executor.skip_pauses()
        assert asked.all() == {"a": "a", "slow": "slow"}
        assert (asked.when("a"), asked.executor.active) == ([100.0, 101.0], 0)


class TestOutcomes:
    def run(self, task, **calls):
        asked = Stream(**calls)
        asked.executor.start(task, "task", RetryPolicy(30.0, 3, Deadline(1000.0)))
        return asked.all()["task"]

    def test_what_a_task_returns(self):
        assert self.run(task_for("a", "b")) == "b"

    def test_a_task_that_asks_nothing(self):
        def nothing():
            return "at once"
            yield

        assert self.run(nothing()) == "at once"

    @pytest.mark.parametrize("error", [failing(retryable=False), GONE])
    def test_an_error_of_the_store(self, error):
        assert self.run(task_for("a"), scripts={"a": [error]}) is error

    @pytest.mark.parametrize("error", [RestartError("again"), failing()])
    def test_an_error_of_the_task_itself(self, error):
        def judging():
            yield PageRequest(BUCKET, None, ("a",))
            raise error

        assert self.run(judging()) is error

    def test_our_own_bug_is_the_task_s_and_in_the_log(self, caplog):
        def broken():
            yield PageRequest(BUCKET, None, ("a",))
            raise RuntimeError("a bug of the test")

        outcome = self.run(broken())
        assert (outcome.reason, str(outcome)) == (Reason.INTERNAL, "unexpected RuntimeError")
        assert "a task failed unexpectedly" in caplog.text
        assert "a bug of the test" in caplog.text

    def test_a_lack_of_memory_is_no_bug(self, caplog):
        def large():
            yield PageRequest(BUCKET, None, ("a",))
            raise MemoryError

        outcome = self.run(large())
        assert (outcome.reason, str(outcome), caplog.text) == (Reason.INTERNAL, TOO_LITTLE, "")

    def test_each_page_reaches_the_task_that_asked(self):
        pages = []

        def collecting():
            pages.append((yield PageRequest(BUCKET, None, ("a",))))
            pages.append((yield PageRequest(BUCKET, None, ("b",))))

        self.run(collecting())
        assert pages == [PAGE, PAGE]

    def test_a_task_that_catches_an_error_may_ask_for_something_else(self):
        refused = failing(retryable=False)

        def stubborn():
            try:
                yield PageRequest(BUCKET, None, ("a",))
            except StoreError as error:
                yield PageRequest(BUCKET, None, ("b",))
                return error

        asked = Stream(scripts={"a": [failing(), refused], "b": [failing()] * 3})
        asked.executor.start(stubborn(), "task", RetryPolicy(30.0, 3, Deadline(1000.0)))
        assert asked.all() == {"task": refused}
        assert (len(asked.when("a")), len(asked.when("b"))) == (2, 4)

    def test_a_task_that_catches_that_its_time_is_over_returns_what_it_has(self):
        def content():
            try:
                yield PageRequest(BUCKET, None, ("a",))
                yield PageRequest(BUCKET, None, ("b",))
            except StoreError as error:
                return error.reason

        asked = Stream(seconds=lambda _: 10.0)
        asked.executor.start(content(), "task", RetryPolicy(30.0, 3, Deadline(105.0)))
        assert asked.all() == {"task": Reason.TIMEOUT}
