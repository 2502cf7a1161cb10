"""One bucket's scan: what its time is, and that it ends where the process does."""

from __future__ import annotations

import threading

import pytest
from fakes import Clock, FakeStore, error, upload
from unit.fake_scan import scan

from exporter.model.errors import Reason, StoppingError, StoreError


class TestTime:
    def test_over_before_the_listing_ended_fails_the_scan(self):
        clock = Clock()
        store = FakeStore([upload(n) for n in range(30)], page_size=10)
        store.before_page = lambda number: setattr(clock, "now", 61.0 * number)
        with pytest.raises(StoreError) as caught:
            scan(store, clock=clock, timeout=60.0)
        assert caught.value.reason is Reason.TIMEOUT

    def test_over_while_the_last_page_was_read_fails_it_too(self):
        clock = Clock()
        store = FakeStore([upload(1)])
        store.before_page = lambda _: setattr(clock, "now", 61.0)
        with pytest.raises(StoreError) as caught:
            scan(store, clock=clock, timeout=60.0)
        assert caught.value.reason is Reason.TIMEOUT

    def test_over_after_it_leaves_the_rest_unsized(self):
        clock = Clock()
        store = FakeStore([upload(n) for n in range(20)], page_size=20)
        store.before_parts = lambda _: setattr(clock, "now", clock.now + 10)
        summary = scan(store, clock=clock, timeout=100.0, concurrency=1).summary
        assert (summary.uploads, summary.unsized) == (20, 10)

    def test_the_last_quarter_is_for_the_listing(self):
        """A bucket whose sizing alone would take longer than the timeout still gets its counts."""
        clock = Clock()
        store = FakeStore([upload(n) for n in range(100)], page_size=10)
        store.before_parts = lambda _: setattr(clock, "now", clock.now + 10)
        assert scan(store, clock=clock, timeout=100.0, concurrency=1).summary.uploads == 100

    def test_a_call_gets_no_more_than_request_timeout_nor_than_the_scan_has_left(self):
        deadlines = []
        clock = Clock()
        store = FakeStore([upload(n) for n in range(20)], page_size=10)
        listing = store.list_uploads

        def listed(bucket, marker, deadline):
            deadlines.append(deadline)
            clock.now = 55.0
            return listing(bucket, marker, deadline)

        store.list_uploads = listed
        scan(store, clock=clock, timeout=60.0, request_timeout=30.0)
        assert deadlines == [30.0, 60.0]

    def test_ages_are_those_at_the_start_and_never_negative(self):
        clock = Clock()
        store = FakeStore([upload(1, age=-60.0), upload(2, age=100.0)])
        store.before_page = lambda _: setattr(clock, "now", 50.0)
        assert scan(store, clock=clock).summary.age_sum == 100.0

    def test_undated_uploads_are_counted_and_left_out_of_every_age(self):
        summary = scan(FakeStore([upload(1, age=None), upload(2, age=100.0)])).summary
        assert (summary.uploads, summary.undated, summary.age_counts[-1]) == (2, 1, 1)


class TestStopping:
    def test_a_scan_under_way_is_given_up_without_a_failure(self):
        stop = threading.Event()
        store = FakeStore([upload(n) for n in range(20)], default_parts=StoppingError())
        with pytest.raises(StoppingError):
            scan(store, stop=stop)

    def test_a_pause_between_two_tries_ends_with_it(self):
        stop = threading.Event()
        stop.set()
        store = FakeStore([upload(1)])
        store.listing_errors = {0: error(Reason.THROTTLED, 503, retryable=True)}
        with pytest.raises(StoppingError):
            scan(store, stop=stop)

    def test_no_thread_is_left_behind(self):
        before = set(threading.enumerate())
        scan(FakeStore([upload(n) for n in range(50)]))
        for thread in set(threading.enumerate()) - before:
            thread.join(5)
        assert set(threading.enumerate()) <= before
