"""How many calls may be in flight: half where the store throttles, one more for each round that succeeds."""

from __future__ import annotations

from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st

from exporter.stores.engine.concurrency import ConcurrencyLimit


def succeed(pace: ConcurrencyLimit, times: int) -> None:
    for _ in range(times):
        pace.succeeded()


class TestThrottled:
    def test_it_begins_with_all(self):
        pace = ConcurrencyLimit(32)
        assert (pace.limit, pace.epoch) == (32, 0)

    def test_each_halves_what_is_allowed_down_to_one(self):
        pace = ConcurrencyLimit(32)
        limits = []
        for _ in range(7):
            pace.throttled(pace.epoch)
            limits.append(pace.limit)
        assert limits == [16, 8, 4, 2, 1, 1, 1]

    def test_an_odd_limit_is_rounded_down(self):
        pace = ConcurrencyLimit(7)
        pace.throttled(0)
        assert pace.limit == 3

    def test_calls_that_began_before_the_halving_do_not_halve_again(self):
        pace = ConcurrencyLimit(32)
        for _ in range(32):  # all in flight at once, all throttled
            pace.throttled(0)
        assert (pace.limit, pace.epoch) == (16, 1)

    def test_a_call_that_began_after_it_does(self):
        pace = ConcurrencyLimit(32)
        pace.throttled(0)
        pace.throttled(1)
        pace.throttled(0)  # one that took long
        assert (pace.limit, pace.epoch) == (8, 2)

    def test_calls_at_the_limit_of_one_are_of_one_epoch_too(self):
        pace = ConcurrencyLimit(1)
        pace.throttled(0)
        pace.throttled(0)
        assert (pace.limit, pace.epoch) == (1, 1)


class TestSucceeded:
    def test_as_many_as_are_allowed_allow_one_more(self):
        pace = ConcurrencyLimit(8)
        pace.throttled(0)
        limits = []
        for _ in range(4 + 5):
            pace.succeeded()
            limits.append(pace.limit)
        assert limits == [4, 4, 4, 5, 5, 5, 5, 5, 6]

    def test_never_more_than_at_first(self):
        pace = ConcurrencyLimit(4)
        pace.throttled(0)
        succeed(pace, 100)
        assert pace.limit == 4

    def test_nothing_changes_before_any_throttling(self):
        pace = ConcurrencyLimit(4)
        succeed(pace, 100)
        assert (pace.limit, pace.epoch) == (4, 0)

    def test_a_round_begins_anew_after_throttling(self):
        pace = ConcurrencyLimit(16)
        pace.throttled(0)
        succeed(pace, 7)
        pace.throttled(1)
        succeed(pace, 3)
        assert pace.limit == 4
        pace.succeeded()
        assert pace.limit == 5

    def test_at_one_a_throttling_begins_the_round_anew_too(self):
        pace = ConcurrencyLimit(2)
        pace.throttled(0)
        pace.throttled(1)
        assert (pace.limit, pace.epoch) == (1, 2)
        pace.succeeded()
        assert pace.limit == 2


class TestTold:
    def test_each_halving_once(self):
        halved, restored = Mock(), Mock()
        pace = ConcurrencyLimit(4, halved=halved, restored=restored)
        for _ in range(4):
            pace.throttled(0)
        assert (halved.call_count, restored.call_count) == (1, 0)
        pace.throttled(1)
        assert halved.call_count == 2

    def test_no_halving_of_one(self):
        halved, restored = Mock(), Mock()
        pace = ConcurrencyLimit(1, halved=halved, restored=restored)
        pace.throttled(0)
        succeed(pace, 10)
        assert (halved.call_count, restored.call_count) == (0, 0)

    def test_restored_when_all_are_allowed_again_and_not_before(self):
        restored = Mock()
        pace = ConcurrencyLimit(4, restored=restored)
        pace.throttled(0)
        succeed(pace, 2 + 2)
        assert (pace.limit, restored.call_count) == (3, 0)
        pace.succeeded()
        assert (pace.limit, restored.call_count) == (4, 1)
        succeed(pace, 100)
        assert restored.call_count == 1

    def test_restored_again_after_another_throttling(self):
        restored = Mock()
        pace = ConcurrencyLimit(2, restored=restored)
        for _ in range(3):
            pace.throttled(pace.epoch)
            pace.succeeded()
        assert restored.call_count == 3


@given(st.integers(1, 40), st.lists(st.sampled_from(["throttled", "late", "succeeded"]), max_size=300))
def test_whatever_happens_the_limit_stays_within_and_what_is_told_is_what_was(most: int, events: list[str]):
    halved, restored = Mock(), Mock()
    pace = ConcurrencyLimit(most, halved=halved, restored=restored)
    halvings = restorings = 0
    for event in events:
        before = pace.limit
        if event == "succeeded":
            pace.succeeded()
            restorings += before < pace.limit == most
            assert before <= pace.limit <= min(most, before + 1)
        else:
            pace.throttled(pace.epoch - (event == "late"))
            halvings += pace.limit < before
            assert pace.limit == (before if event == "late" else max(1, before // 2))
    assert (halved.call_count, restored.call_count) == (halvings, restorings)
