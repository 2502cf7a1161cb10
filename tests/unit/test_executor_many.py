"""Many tasks at once: none holds up another, and the concurrency limit is kept."""

from __future__ import annotations

from itertools import pairwise

import pytest
from fakes import GONE, REFUSED, error
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.scripted_calls import Stream, failing

from exporter.model.errors import Reason, StoreError
from exporter.stores.engine.concurrency import ConcurrencyLimit


class RecordingLimit:
    """Allows so many calls, and notes what it is told."""

    def __init__(self, limit: int = 32) -> None:
        self.limit = limit
        self.epoch = 0
        self.told: list[str] = []

    def throttled(self, epoch: int) -> None:
        self.told.append(f"throttled in {epoch}")

    def succeeded(self) -> None:
        self.told.append("succeeded")


class TestManyAtOnce:
    def test_all_are_in_flight_at_once_that_may(self):
        asked = Stream(seconds=lambda _: 1.0)
        for number in range(20):
            asked.start(f"{number}")
        assert asked.all() == {f"{number}": f"{number}" for number in range(20)}
        assert asked.clock.now == 101.0

    def test_the_others_wait_their_turn(self):
        asked = Stream(ConcurrencyLimit(3), seconds=lambda _: 1.0)
        for name in "abcdefgh":
            asked.start(name)
        assert [label for label, _ in asked.executor.completed()] == ["a", "b", "c"]
        asked.all()
        assert [asked.when(name) for name in "adg"] == [[100.0], [101.0], [102.0]]
        assert {begun.in_flight for begun in asked.calls.begun} == {1, 2, 3}

    def test_they_come_out_as_they_end(self):
        asked = Stream(seconds={"slow": 5.0, "quick": 1.0, "too": 1.0}.get)
        for name in ("slow", "quick", "too"):
            asked.start(name)
        assert asked.executor.completed() == [("quick", "quick"), ("too", "too")]
        assert asked.executor.completed() == [("slow", "slow")]
        assert asked.executor.completed() == []

    def test_active_are_those_that_have_not_ended(self):
        asked = Stream(seconds={"slow": 5.0, "quick": 1.0}.get)
        active = [asked.executor.active]
        for name in ("slow", "quick"):
            asked.start(name)
            active.append(asked.executor.active)
        while asked.executor.completed():
            active.append(asked.executor.active)
        assert active == [0, 1, 2, 1, 0]

    def test_labels_need_be_neither_hashable_nor_different(self):
        asked = Stream()
        label = ["the same"]
        for name in "ab":
            asked.start(name, label=label)
        assert sorted(outcome for given, outcome in asked.executor.completed() if given is label) == [
            "a",
            "b",
        ]

    def test_a_pause_delays_no_other_task(self):
        asked = Stream(scripts={"a": [failing(retry_after=50.0)]}, seconds=lambda _: 1.0)
        asked.start("a")
        asked.start("b", "c", "d")
        assert asked.executor.completed() == [("d", "d")]
        assert asked.clock.now == 103.0
        assert asked.executor.completed() == [("a", "a")]
        assert asked.when("a") == [100.0, 151.0]

    def test_calls_in_flight_delay_no_pause_that_ends(self):
        asked = Stream(scripts={"a": [failing()]}, seconds={"a": 0.0, "slow": 60.0}.get)
        asked.start("a")
        asked.start("slow")
        assert asked.executor.completed() == [("a", "a")]
        assert asked.clock.now == 100.5

    def test_pauses_end_in_their_order_not_in_that_of_their_beginning(self):
        asked = Stream(scripts={name: [failing(retry_after=float(name))] for name in ("9", "3", "6")})
        for name in ("9", "3", "6"):
            asked.start(name)
        assert [asked.executor.completed() for _ in range(3)] == [[("3", "3")], [("6", "6")], [("9", "9")]]
        assert asked.clock.now == 109.0

    @pytest.mark.parametrize("others", [["slow"], []])
    @pytest.mark.parametrize("step", [0.1, 0.2, 0.3, 0.4, 0.5])
    def test_a_pause_that_ends_between_two_looks_at_the_clock_is_over(self, step, others):
        asked = Stream(scripts={"a": [failing()]}, seconds={"a": 0.0, "slow": 60.0}.get)

        def later() -> float:
            asked.clock.now += step
            return asked.clock.now

        asked.monotonic = later
        for name in ["a", *others]:
            asked.start(name)
        assert asked.executor.completed() == [("a", "a")]
        assert min(asked.calls.timeouts + asked.clock.waited) >= 0.0

    def test_pauses_that_end_together_are_in_the_order_of_their_beginning(self):
        names = [f"{number}" for number in range(12)]
        asked = Stream(scripts={name: [failing()] for name in names})
        for name in names:
            asked.start(name)
        asked.all()
        assert [begun.name for begun in asked.calls.begun] == names * 2

    def test_one_task_s_error_is_not_another_s(self):
        refused = error(Reason.ACCESS_DENIED, 403)
        asked = Stream(scripts={"a": [refused]})
        for name in "ab":
            asked.start(name)
        assert asked.all() == {"a": refused, "b": "b"}

    def test_tasks_with_a_retry_policy_of_their_own(self):
        errors = [failing() for _ in range(3)]
        asked = Stream(scripts={"a": errors[:2], "b": errors[2:]})
        asked.start("a", retries=1)
        asked.start("b", retries=0)
        assert asked.all() == {"a": errors[1], "b": errors[2]}

    def test_tasks_may_be_started_between(self):
        asked = Stream()
        asked.start("a")
        assert asked.executor.completed() == [("a", "a")]
        asked.start("b")
        assert asked.executor.completed() == [("b", "b")]

    def test_closing_closes_the_calls(self):
        asked = Stream()
        asked.executor.close()
        assert asked.calls.closed


class TestConcurrencyLimit:
    @pytest.mark.parametrize("refusal", [GONE, REFUSED, failing(Reason.INTERNAL, retryable=False)])
    def test_a_refusal_that_is_not_for_asking_too_often_is_a_success(self, refusal):
        concurrency_limit = RecordingLimit()
        asked = Stream(concurrency_limit, scripts={"a": [refusal]})
        asked.start("a")
        asked.all()
        assert concurrency_limit.told == ["succeeded"]

    def test_a_page_is_a_success_and_an_error_that_may_pass_is_none(self):
        concurrency_limit = RecordingLimit()
        asked = Stream(concurrency_limit, scripts={"a": [error(Reason.SERVER_ERROR, 500, retryable=True)]})
        asked.start("a", "b")
        asked.all()
        assert concurrency_limit.told == ["succeeded", "succeeded"]

    def test_throttling_is_told_with_the_epoch_in_which_the_call_began(self):
        concurrency_limit = RecordingLimit()
        asked = Stream(
            concurrency_limit, scripts={"a": [failing(), failing(), failing()]}, seconds=lambda _: 1.0
        )
        asked.start("a", retries=2)
        concurrency_limit.epoch = 7
        asked.all()
        assert concurrency_limit.told == ["throttled in 0", "throttled in 7", "throttled in 7"]

    def test_a_window_of_throttled_calls_halves_once(self):
        asked = Stream(ConcurrencyLimit(32), scripts={f"{number}": [failing()] for number in range(32)})
        for number in range(32):
            asked.start(f"{number}", retries=0)
        asked.all()
        assert (asked.concurrency_limit.limit, asked.concurrency_limit.epoch) == (16, 1)

    def test_calls_that_are_throttled_again_halve_again(self):
        asked = Stream(
            ConcurrencyLimit(32), scripts={f"{number}": [failing(), failing()] for number in range(32)}
        )
        for number in range(32):
            asked.start(f"{number}")
        asked.executor.completed()
        assert asked.concurrency_limit.epoch > 1

    def test_throttled_tasks_end_all_though_fewer_are_in_flight_at_once(self):
        names = [f"{number}" for number in range(8)]
        asked = Stream(
            ConcurrencyLimit(8), scripts={name: [failing()] for name in names}, seconds=lambda _: 1.0
        )
        for name in names:
            asked.start(name)
        assert asked.all() == dict(zip(names, names, strict=True))
        assert len(asked.calls.begun) == 16

    @pytest.mark.parametrize(("most", "limit"), [(8, 4), (2, 1)])
    def test_after_throttling_no_more_are_in_flight_than_the_concurrency_limit_allows(self, most, limit):
        names = [f"{number}" for number in range(most)]
        asked = Stream(
            ConcurrencyLimit(most), scripts={name: [failing()] for name in names}, seconds=lambda _: 1.0
        )
        for name in names:
            asked.start(name)
        asked.executor.completed()
        assert max(begun.in_flight for begun in asked.calls.begun[most:]) == limit

    def test_a_turn_that_comes_too_late_is_none(self):
        asked = Stream(
            ConcurrencyLimit(4), scripts={name: [failing()] for name in "abcd"}, seconds=lambda _: 30.0
        )
        for name in "abcd":
            asked.start(name, deadline=150.0)
        asked.concurrency_limit.limit = 1
        outcomes = asked.all()
        assert (outcomes["a"], outcomes["d"].reason) == ("a", Reason.TIMEOUT)
        assert (asked.when("a"), asked.when("d")) == ([100.0, 130.5], [100.0])

    def test_a_listing_s_next_page_waits_its_turn_too(self):
        """Uploads with many pages of parts would go on as if nothing had been throttled."""
        concurrency_limit = RecordingLimit(8)
        asked = Stream(concurrency_limit, seconds=lambda _: 1.0)
        for number in range(8):
            asked.start(*(f"{number}-{page}" for page in range(5)))
        concurrency_limit.limit = 2
        asked.all()
        assert max(begun.in_flight for begun in asked.calls.begun[8:]) == 2


QUARTERS = st.integers(0, 400).map(lambda number: number / 4)  # floats that add up exactly
ERRORS = st.builds(
    failing,
    st.sampled_from([Reason.THROTTLED, Reason.SERVER_ERROR]),
    retryable=st.booleans(),
    retry_after=st.one_of(st.none(), QUARTERS),
)
PLANS = st.lists(
    st.tuples(
        st.lists(st.lists(ERRORS, max_size=5), min_size=1, max_size=4),  # per page: what fails before it
        st.integers(0, 3),  # retries
        QUARTERS.map(lambda seconds: 99.0 + seconds),  # deadline
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@settings(deadline=None)
@given(PLANS, st.sampled_from([0.0, 0.5, 1.0]), QUARTERS, st.integers(1, 8))
def test_whatever_happens_each_task_ends_once_and_in_its_time(plans, chance, seconds, most):
    asked = Stream(ConcurrencyLimit(most), seconds=lambda _: seconds)
    asked.jitter = lambda low, high: low + chance * (high - low)
    for number, (pages, retries, deadline) in enumerate(plans):
        names = [f"{number}-{page}" for page in range(len(pages))]
        asked.calls.scripts |= {name: list(errors) for name, errors in zip(names, pages, strict=True)}
        asked.start(*names, retries=retries, deadline=deadline, label=number)
    outcomes = asked.all()
    assert sorted(outcomes) == list(range(len(plans)))
    for number, (pages, retries, deadline) in enumerate(plans):
        begun = [call for call in asked.calls.begun if call.name.startswith(f"{number}-")]
        assert all(call.when < call.deadline == min(deadline, call.when + 30.0) for call in begun)
        times = [asked.when(f"{number}-{page}") for page in range(len(pages))]
        assert all(len(tries) <= 1 + retries for tries in times)
        assert all(call.in_flight <= call.allowed for call in begun)
        for tries, errors in zip(times, pages, strict=True):
            pauses = [after - before - seconds for before, after in pairwise(tries)]
            floors = [error.retry_after or 0.0 for error in errors]
            assert all(pause >= floor for pause, floor in zip(pauses, floors, strict=False))
        if isinstance(outcomes[number], StoreError):
            own = [error for errors in pages for error in errors]
            assert outcomes[number] in own or outcomes[number].reason is Reason.TIMEOUT
        else:
            assert [len(tries) for tries in times] == [len(errors) + 1 for errors in pages]
