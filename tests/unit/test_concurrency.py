"""How many calls may be in flight: half where the store throttles, one more for each round that succeeds."""

from __future__ import annotations

from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st

from exporter.stores.engine.concurrency import ConcurrencyLimit


def succeed(limit: ConcurrencyLimit, times: int) -> None:
    for _ in range(times):
        limit.succeeded()


class TestThrottled:
    def test_it_begins_with_all(self):
        limit = ConcurrencyLimit(32)
        assert (limit.limit, limit.epoch) == (32, 0)

    def test_each_halves_what_is_allowed_down_to_one(self):
        limit = ConcurrencyLimit(32)
        limits = []
        for _ in range(7):
            limit.throttled(limit.epoch)
            limits.append(limit.limit)
        assert limits == [16, 8, 4, 2, 1, 1, 1]

    def test_an_odd_limit_is_rounded_down(self):
        limit = ConcurrencyLimit(7)
        limit.throttled(0)
        assert limit.limit == 3

    def test_calls_that_began_before_the_halving_do_not_halve_again(self):
        limit = ConcurrencyLimit(32)
        for _ in range(32):  # all in flight at once, all throttled
            limit.throttled(0)
        assert (limit.limit, limit.epoch) == (16, 1)

    def test_a_call_that_began_after_it_does(self):
        limit = ConcurrencyLimit(32)
        limit.throttled(0)
        limit.throttled(1)
        limit.throttled(0)  # one that took long
        assert (limit.limit, limit.epoch) == (8, 2)

    def test_calls_at_the_limit_of_one_are_of_one_epoch_too(self):
        limit = ConcurrencyLimit(1)
        limit.throttled(0)
        limit.throttled(0)
        assert (limit.limit, limit.epoch) == (1, 1)


class TestSucceeded:
    def test_as_many_as_are_allowed_allow_one_more(self):
        limit = ConcurrencyLimit(8)
        limit.throttled(0)
        limits = []
        for _ in range(4 + 5):
            limit.succeeded()
            limits.append(limit.limit)
        assert limits == [4, 4, 4, 5, 5, 5, 5, 5, 6]

    def test_never_more_than_at_first(self):
        limit = ConcurrencyLimit(4)
        limit.throttled(0)
        succeed(limit, 100)
        assert limit.limit == 4

    def test_nothing_changes_before_any_throttling(self):
        limit = ConcurrencyLimit(4)
        succeed(limit, 100)
        assert (limit.limit, limit.epoch) == (4, 0)

    def test_a_round_begins_anew_after_throttling(self):
        limit = ConcurrencyLimit(16)
        limit.throttled(0)
        succeed(limit, 7)
        limit.throttled(1)
        succeed(limit, 3)
        assert limit.limit == 4
        limit.succeeded()
        assert limit.limit == 5

    def test_at_one_a_throttling_begins_the_round_anew_too(self):
        limit = ConcurrencyLimit(2)
        limit.throttled(0)
        limit.throttled(1)
        assert (limit.limit, limit.epoch) == (1, 2)
        limit.succeeded()
        assert limit.limit == 2


class TestTold:
    def test_each_halving_once(self):
        halved, restored = Mock(), Mock()
        limit = ConcurrencyLimit(4, halved=halved, restored=restored)
        for _ in range(4):
            limit.throttled(0)
        assert (halved.call_count, restored.call_count) == (1, 0)
        limit.throttled(1)
        assert halved.call_count == 2

    def test_no_halving_of_one(self):
        halved, restored = Mock(), Mock()
        limit = ConcurrencyLimit(1, halved=halved, restored=restored)
        limit.throttled(0)
        succeed(limit, 10)
        assert (halved.call_count, restored.call_count) == (0, 0)

    def test_restored_when_all_are_allowed_again_and_not_before(self):
        restored = Mock()
        limit = ConcurrencyLimit(4, restored=restored)
        limit.throttled(0)
        succeed(limit, 2 + 2)
        assert (limit.limit, restored.call_count) == (3, 0)
        limit.succeeded()
        assert (limit.limit, restored.call_count) == (4, 1)
        succeed(limit, 100)
        assert restored.call_count == 1

    def test_restored_again_after_another_throttling(self):
        restored = Mock()
        limit = ConcurrencyLimit(2, restored=restored)
        for _ in range(3):
            limit.throttled(limit.epoch)
            limit.succeeded()
        assert restored.call_count == 3


@given(st.integers(1, 40), st.lists(st.sampled_from(["throttled", "late", "succeeded"]), max_size=300))
def test_whatever_happens_the_limit_stays_within_and_what_is_told_is_what_was(most: int, events: list[str]):
    halved, restored = Mock(), Mock()
    limit = ConcurrencyLimit(most, halved=halved, restored=restored)
    halvings = restorings = 0
    for event in events:
        before = limit.limit
        if event == "succeeded":
            limit.succeeded()
            restorings += before < limit.limit == most
            assert before <= limit.limit <= min(most, before + 1)
        else:
            limit.throttled(limit.epoch - (event == "late"))
            halvings += limit.limit < before
            assert limit.limit == (before if event == "late" else max(1, before // 2))
    assert (halved.call_count, restored.call_count) == (halvings, restorings)
