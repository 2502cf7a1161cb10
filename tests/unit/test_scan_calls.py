"""One bucket's scan: how many calls it has in flight, what waits, what it opens and closes."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import BUCKET, GONE, NOW, REFUSED, Clock, FakeStore, error, upload
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings, ScanSettings
from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.model.uploads import Part
from exporter.scan.refusal_breaker import MAX_REFUSALS
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.base import ListingStart, Page
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.pagination.part_sums import NumberedPartSum

if TYPE_CHECKING:
    from exporter.stores.base import CompletedCall, PageRequest

THROTTLED = error(Reason.THROTTLED, 503, retryable=True)
LATER = StoreError(Reason.THROTTLED, "busy", status=503, retryable=True, retry_after=7.0)


class CallsInTurn:
    """Makes a call when answers are waited for, one at a time, in the order of their beginning."""

    listing_start = ListingStart.NOTHING

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.waiting: deque[tuple[PageRequest, float, object]] = deque()
        self.most = 0
        self.closed = 0

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        self.waiting.append((request, deadline, label))
        self.most = max(self.most, len(self.waiting))

    def completed(self, timeout: float) -> list[CompletedCall]:
        request, deadline, label = self.waiting.popleft()
        try:
            if request.upload is None:
                return [(label, self.store.list_uploads(request.bucket, request.marker, deadline))]
            return [(label, self.store.list_parts(request.bucket, request.upload, request.marker, deadline))]
        except StoreError as failure:
            return [(label, failure)]

    def close(self) -> None:
        self.closed += 1


@dataclass
class StoreInTurn(FakeStore):
    """A store whose calls are made on the thread of the scan; `opened` are those of each pass."""

    opened: list[CallsInTurn] = field(default_factory=list)
    opened_by: list[float] = field(default_factory=list)

    def open(self, bucket: BucketSettings, deadline: float) -> CallsInTurn:
        self.opened.append(CallsInTurn(self))
        self.opened_by.append(deadline)
        return self.opened[-1]


def scanner(store: FakeStore, clock: Clock | None = None, **settings: Any) -> Scanner:
    clock = clock or Clock()
    return Scanner(StoreClient(store, ScanSettings(**settings), clock, clock.clocks()), ())


class TestPages:
    def test_the_next_comes_while_the_last_is_sized_and_no_more_than_two_are_held(self):
        asked_before = []
        store = StoreInTurn([upload(n) for n in range(50)], page_size=10)
        store.before_page = lambda _: asked_before.append(sum(store.asked.values()))
        scanner(store, concurrency=1).scan(BUCKET, Ledger())
        assert asked_before == [0, 1, 10, 20, 30]

    def test_one_without_uploads_has_the_next_asked_for(self):
        store = StoreInTurn()
        pages = [Page([upload(n)] * (n % 2), truncated=n < 5, next_marker=(f"{n}",)) for n in range(6)]
        store.list_uploads = lambda *_: pages.pop(0)
        assert scanner(store).scan(BUCKET, Ledger()).summary.uploads == 3

    def test_without_parts_they_are_asked_for_one_after_the_other(self):
        store = StoreInTurn([upload(n) for n in range(50)], page_size=10)
        assert scanner(store, parts="never").scan(BUCKET, Ledger()).summary.uploads == 50
        assert (store.opened[0].most, store.pages) == (1, 5)


class TestInFlight:
    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_are_as_many_calls_as_configured_the_listing_s_among_them(self, concurrency):
        store = StoreInTurn([upload(n) for n in range(50)], page_size=10)
        scanner(store, concurrency=concurrency).scan(BUCKET, Ledger())
        assert store.opened[0].most == concurrency

    def test_are_no_more_than_refusals_are_waited_for(self):
        store = StoreInTurn([upload(n) for n in range(200)], default_parts=REFUSED)
        assert scanner(store, concurrency=150).scan(BUCKET, Ledger()).summary.unsized == 200
        assert (store.opened[0].most, sum(store.asked.values())) == (MAX_REFUSALS, MAX_REFUSALS)

    def test_are_as_many_as_configured_after_a_success(self):
        store = StoreInTurn([upload(n) for n in range(200)])
        scanner(store, concurrency=150).scan(BUCKET, Ledger())
        assert store.opened[0].most == 150

    def test_begin_with_what_the_last_scan_of_the_bucket_left_allowed(self):
        store = StoreInTurn([upload(n) for n in range(8)])
        scans = scanner(store, concurrency=8, retries=0)
        store.parts = {f"id-{n}": THROTTLED for n in range(8)}
        scans.scan(BUCKET, Ledger())
        store.parts = {}
        store.uploads = store.uploads[:1]
        scans.concurrency_limit(BUCKET).limit = 3
        store.uploads = [upload(n) for n in range(3)]
        scans.scan(BUCKET, Ledger())
        scans.scan(BucketSettings("another", stale_after=1.0), Ledger())
        assert [calls.most for calls in store.opened] == [8, 3, 3]

    def test_are_halved_once_by_a_round_of_throttling(self):
        store = StoreInTurn([upload(n) for n in range(8)])
        store.parts = {f"id-{n}": THROTTLED for n in range(8)}
        scans = scanner(store, concurrency=8, retries=0)
        scans.scan(BUCKET, Ledger())
        assert scans.concurrency_limit(BUCKET).limit == 4

    def test_are_each_bucket_s_own(self):
        scans = scanner(StoreInTurn(), concurrency=8)
        one = scans.concurrency_limit(BUCKET)
        assert scans.concurrency_limit(BucketSettings("another", stale_after=1.0)) is not one
        assert scans.concurrency_limit(BucketSettings("media", stale_after=5.0)) is one

    def test_are_adapted_by_what_was_given(self):
        made = []

        def new_limit(maximum: int) -> ConcurrencyLimit:
            made.append(maximum)
            return ConcurrencyLimit(maximum)

        client = StoreClient(StoreInTurn(), ScanSettings(concurrency=7), threading.Event())
        Scanner(client, (), new_concurrency_limit=new_limit).scan(BUCKET, Ledger())
        assert made == [7]


class TestOpening:
    @pytest.mark.parametrize(("timeout", "opened_by"), [(60.0, 35.0), (20.0, 25.0)])
    def test_takes_no_longer_than_a_request_nor_than_the_scan_has(self, timeout, opened_by):
        store = StoreInTurn([upload(1)])
        scanner(store, Clock(5.0), timeout=timeout, request_timeout=30.0).scan(BUCKET, Ledger())
        assert store.opened_by == [opened_by]

    def test_that_may_pass_is_tried_again_as_any_call(self):
        store, clock = StoreInTurn([upload(1)]), Clock()
        failures = [error(Reason.CONNECTION, retryable=True), LATER, error(Reason.TIMEOUT, retryable=True)]
        opened_by, really_open = [], store.open

        def open_at_last(bucket, deadline):
            opened_by.append(deadline)
            if failures:
                raise failures.pop(0)
            return really_open(bucket, deadline)

        store.open = open_at_last
        clocks = replace(clock.clocks(), jitter=lambda _low, high: high)
        client = StoreClient(store, ScanSettings(retries=3, request_timeout=30.0), clock, clocks)
        Scanner(client, ()).scan(BUCKET, Ledger())
        assert clock.waited == [0.5, 7.0, 2.0]
        assert opened_by == [30.0, 30.5, 37.5, 39.5]

    @pytest.mark.parametrize(
        ("failure", "settings", "tries"),
        [
            (error(Reason.CONNECTION, retryable=True), {"retries": 2}, 3),
            (LATER, {"timeout": 7.0}, 1),
            (LATER, {"timeout": 7.1, "retries": 5}, 2),
            (REFUSED, {}, 1),
        ],
    )
    def test_that_fails_for_good_fails_the_scan(self, failure, settings, tries):
        store, opened_by = StoreInTurn(), []

        def refuse(_bucket, deadline):
            opened_by.append(deadline)
            raise failure

        store.open = refuse
        with pytest.raises(StoreError) as caught:
            scanner(store, **settings).scan(BUCKET, Ledger())
        assert caught.value is failure
        assert len(opened_by) == tries

    def test_is_given_up_where_the_process_ends(self):
        store, stop = StoreInTurn(), threading.Event()
        stop.set()

        def refuse(_bucket, _deadline):
            raise LATER

        store.open = refuse
        with pytest.raises(StoppingError):
            Scanner(StoreClient(store, ScanSettings(), stop, Clock().clocks()), ()).scan(BUCKET, Ledger())

    def test_is_done_anew_where_the_listing_starts_over(self):
        store = StoreInTurn([upload(n) for n in range(20)], page_size=10)
        store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
        scanner(store).scan(BUCKET, Ledger())
        assert [calls.closed for calls in store.opened] == [1, 1]

    @pytest.mark.parametrize("failure", [error(Reason.ACCESS_DENIED, 403), StoppingError(), RuntimeError()])
    def test_what_was_opened_is_closed_though_the_scan_fails(self, failure):
        store = StoreInTurn([upload(n) for n in range(20)], page_size=10)
        store.listing_errors = {1: failure}
        with pytest.raises(type(failure)):
            scanner(store).scan(BUCKET, Ledger())
        assert [calls.closed for calls in store.opened] == [1]


class TestStartingOver:
    def test_asks_no_more_of_what_is_given_up(self):
        """When the second page is refused, one upload is being asked about a second time."""
        store = StoreInTurn([upload(n) for n in range(8)], page_size=4)
        store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
        store.parts = {"id-0": error(Reason.SERVER_ERROR, 500, retryable=True)}
        scanner(store, retries=2, parts="always").scan(BUCKET, Ledger())
        first, second = 2, 3
        assert store.asked["id-0"] == first + second
        assert {store.asked[f"id-{n}"] for n in range(1, 4)} == {2}

    def test_waits_for_no_pause_of_what_is_given_up(self):
        store, clock = StoreInTurn([upload(n) for n in range(4)], page_size=2), Clock()
        store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
        busy = StoreError(Reason.THROTTLED, "busy", status=503, retryable=True, retry_after=500.0)
        store.parts = {"id-0": busy}
        store.before_page = lambda number: store.parts.clear() if number else None
        assert scanner(store, clock, timeout=3600.0).scan(BUCKET, Ledger()).summary.unsized == 0
        assert clock.now == 0.0


def test_our_own_bug_in_adding_up_is_an_unsized_upload():
    class Broken(NumberedPartSum):
        def totals(self, storage_class):
            if self._bytes == 13:
                raise RuntimeError
            return super().totals(storage_class)

    store = StoreInTurn([upload(n) for n in range(3)], parts={"id-1": [Part(1, 13, NOW)]})
    store.new_part_sum = Broken
    summary = scanner(store).scan(BUCKET, Ledger()).summary
    assert (summary.uploads, summary.unsized, summary.bytes) == (3, 1, 20)


OUTCOMES = st.sampled_from([[Part(1, 10, NOW)], GONE, THROTTLED, error(Reason.BAD_RESPONSE, 200)])


@given(st.lists(OUTCOMES, max_size=30), st.integers(1, 7), st.integers(1, 9), st.integers(0, 2))
def test_whatever_becomes_of_its_uploads_each_is_asked_about_and_counted_once(
    outcomes, page_size, concurrency, retries
):
    store = StoreInTurn([upload(n) for n in range(len(outcomes))], page_size=page_size)
    store.parts = {f"id-{n}": outcome for n, outcome in enumerate(outcomes)}
    summary = scanner(store, concurrency=concurrency, retries=retries).scan(BUCKET, Ledger()).summary
    sized = sum(isinstance(outcome, list) for outcome in outcomes)
    gone = sum(outcome is GONE for outcome in outcomes)
    counted = len(outcomes) - gone if gone < 10 or gone <= len(outcomes) / 2 else len(outcomes)
    assert (summary.uploads, summary.unsized) == (counted, counted - sized)
    tries = {f"id-{n}": 1 + retries * (outcome is THROTTLED) for n, outcome in enumerate(outcomes)}
    assert store.asked == tries
