"""Executor whose calls are rationed: so many a second, so many in all."""

import pytest
from fakes import BUCKET, upload
from unit.scripted_calls import PAGE, Stream, failing

from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.stores.base import PageRequest
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.rate_limit import RateLimit
from exporter.stores.engine.retry import Deadline, RetryPolicy


def ask_for_parts(name):
    """Ask for a page of parts, which the listing's go before."""
    yield PageRequest(BUCKET, upload(1), (name,))
    return name


class TestRate:
    def test_calls_are_evenly_spaced(self):
        asked = Stream(rate=RateLimit(2))
        for name in "abcd":
            asked.executor.start(ask_for_parts(name), name, RetryPolicy(30.0, 0, Deadline(1000.0)))
        asked.all()
        assert [asked.when(name) for name in "abcd"] == [[100.0], [100.5], [101.0], [101.5]]

    def test_each_page_and_each_further_try_is_a_call(self):
        asked = Stream(rate=RateLimit(1), scripts={"b": [failing()]})
        asked.start("a", "b")
        asked.all()
        assert (asked.when("a"), asked.when("b")) == ([100.0], [101.0, 102.0])

    def test_two_scans_of_a_target_share_it(self):
        rate = RateLimit(1)
        one, other = Stream(rate=rate), Stream(rate=rate)
        one.start("a")
        other.start("b")
        one.all()
        other.all()
        assert (one.when("a"), other.when("b")) == ([100.0], [101.0])

    def test_the_listing_comes_first(self):
        asked = Stream(rate=RateLimit(1))
        for name in "abc":
            asked.executor.start(ask_for_parts(name), name, RetryPolicy(30.0, 0, Deadline(1000.0)))
        asked.start("page")
        asked.all()
        assert (asked.when("page"), asked.when("b"), asked.when("c")) == ([101.0], [102.0], [103.0])

    def test_what_has_no_time_left_is_not_sent_and_takes_no_turn(self):
        asked = Stream(rate=RateLimit(0.1))
        asked.start("a")
        for name in "bcd":
            asked.start(name, deadline=105.0)
        asked.start("e")
        outcomes = asked.all()
        assert [outcomes[name].reason for name in "bcd"] == [Reason.TIMEOUT] * 3
        assert (asked.when("b"), asked.when("e")) == ([], [110.0])

    def test_the_concurrency_limit_holds_as_well(self):
        asked = Stream(ConcurrencyLimit(1), rate=RateLimit(100), seconds=lambda _: 5.0)
        for name in "ab":
            asked.start(name)
        asked.all()
        assert asked.when("b") == [105.0]

    def test_a_stop_is_noticed_while_waiting(self):
        class Stopped:
            def is_set(self):
                return False

            def wait(self, _):
                return True

        asked = Stream(rate=RateLimit(0.01), stop=Stopped())
        asked.start("a")
        asked.start("b")
        asked.executor.completed()
        with pytest.raises(StoppingError):
            asked.executor.completed()


class TestCommitted:
    def test_counts_what_was_sent_and_what_will_be(self):
        asked = Stream(ConcurrencyLimit(2), scripts={"a": [failing()]}, seconds=lambda _: 1.0)
        for name in "abc":
            asked.start(name)
        assert asked.executor.committed == 3
        asked.all()
        assert (asked.executor.committed, len(asked.calls.begun)) == (4, 4)

    @pytest.mark.parametrize(("most", "tries"), [(1, 1), (2, 2), (3, 3), (9, 4)])
    def test_nothing_is_tried_again_once_so_many_are(self, most, tries):
        asked = Stream(scripts={"a": [failing() for _ in range(4)]})
        asked.start("a", max_calls=most)
        assert isinstance(asked.all()["a"], StoreError)
        assert len(asked.when("a")) == tries

    def test_further_pages_are_asked_for_all_the_same(self):
        asked = Stream(scripts={"b": [PAGE]})
        asked.start("a", "b", "c", max_calls=1)
        assert asked.all() == {"c": "c"}
