"""One bucket's scan: design rules 2 to 5 and 7, as far as they are the scan's."""

from __future__ import annotations

import threading

import pytest
from fakes import DAY, GONE, NO_UPLOAD, NOW, REFUSED, Clock, FakeStore, error, upload
from unit.fake_scan import scan

from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Part
from exporter.scan.outcomes import OUT_OF_TIME
from exporter.scan.refusal_breaker import MAX_REFUSALS, PROBE_SECONDS
from exporter.state.ledger import Ledger


class TestCounting:
    def test_adds_up_every_upload_once_over_all_pages(self):
        store = FakeStore([upload(n, age=n * DAY) for n in range(25)], page_size=7)
        store.default_parts = [Part(1, 10, NOW), Part(2, 5, NOW)]
        summary = scan(store).summary
        assert (summary.uploads, summary.parts, summary.bytes) == (25, 50, 375)
        assert summary.oldest_initiated == NOW - 24 * DAY

    def test_stale_is_judged_by_the_last_part_not_by_the_initiation(self):
        store = FakeStore([upload(1, age=30 * DAY), upload(2, age=30 * DAY)])
        store.parts = {"id-1": [Part(1, 10, NOW - DAY)], "id-2": [Part(1, 20, NOW - 20 * DAY)]}
        summary = scan(store).summary
        assert (summary.stale, summary.stale_bytes) == (1, 20)
        assert summary.oldest_activity == NOW - 20 * DAY

    def test_an_empty_bucket_is_all_zeros(self):
        summary = scan(FakeStore()).summary
        assert (summary.uploads, summary.bytes, summary.parts, summary.stale_bytes) == (0, 0, 0, 0)
        assert summary.oldest_initiated is None

    def test_without_parts_no_upload_is_asked_about(self):
        store = FakeStore([upload(1)])
        summary = scan(store, parts="never").summary
        assert (summary.uploads, summary.bytes, summary.unsized) == (1, None, 0)
        assert not store.asked

    def test_result_says_when_it_ended_and_how_long_it_took(self):
        clock = Clock()
        store = FakeStore([upload(1)], before_parts=lambda _: setattr(clock, "now", 3.0))
        result = scan(store, clock=clock)
        assert (result.finished, result.duration) == (NOW + 3.0, 3.0)

    def test_sizes_as_many_at_once_as_configured_and_no_more(self):
        barrier = threading.Barrier(4)
        store = FakeStore([upload(n) for n in range(40)], before_parts=lambda _: barrier.wait(10))
        assert scan(store, concurrency=4).summary.unsized == 0
        assert store.most_at_once == 4


class TestOneUploadsTrouble:
    def test_an_upload_that_ended_meanwhile_is_dropped(self):
        store = FakeStore([upload(n) for n in range(20)], parts={"id-3": GONE})
        summary = scan(store).summary
        assert (summary.uploads, summary.unsized) == (19, 0)

    def test_one_that_ended_but_is_listed_again_is_counted_and_unsized(self):
        store, ledger = FakeStore([upload(n) for n in range(20)], parts={"id-3": GONE}), Ledger()
        scan(store, ledger)
        summary = scan(store, ledger).summary
        assert (summary.uploads, summary.unsized) == (20, 1)

    def test_ten_that_ended_of_nineteen_are_no_race(self):
        parts = {f"id-{n}": GONE for n in range(10)}
        summary = scan(FakeStore([upload(n) for n in range(19)], parts=parts)).summary
        assert (summary.uploads, summary.unsized) == (19, 10)

    def test_ten_of_twenty_are_still_a_race(self):
        parts = {f"id-{n}": GONE for n in range(10)}
        summary = scan(FakeStore([upload(n) for n in range(20)], parts=parts)).summary
        assert (summary.uploads, summary.unsized) == (10, 0)

    def test_nine_of_nine_are_still_a_race(self):
        summary = scan(FakeStore([upload(n) for n in range(9)], default_parts=GONE)).summary
        assert (summary.uploads, summary.unsized) == (0, 0)

    def test_what_is_listed_and_no_upload_is_left_out_without_a_word_however_often(self):
        store, ledger = FakeStore([upload(n) for n in range(19)], default_parts=NO_UPLOAD), Ledger()
        store.parts = {"id-3": [Part(1, 10, NOW)]}
        results = [scan(store, ledger) for _ in range(3)]
        assert [(each.summary.uploads, each.summary.unsized, each.summary.bytes) for each in results] == [
            (1, 0, 10)
        ] * 3
        assert {(each.warning, each.notices, each.unknown_key) for each in results} == {("", (), "")}

    def test_one_that_fails_after_its_retries_is_unsized(self):
        failing = error(Reason.SERVER_ERROR, 500, retryable=True)
        store = FakeStore([upload(n) for n in range(5)], parts={"id-2": failing})
        summary = scan(store, retries=2).summary
        assert (summary.uploads, summary.unsized, summary.bytes) == (5, 1, 40)
        assert store.asked["id-2"] == 3

    def test_our_own_bug_in_sizing_is_an_unsized_upload(self):
        store = FakeStore([upload(1), upload(2)], parts={"id-1": RuntimeError("a bug of the test")})
        summary = scan(store).summary
        assert (summary.uploads, summary.unsized) == (2, 1)

    def test_a_malformed_size_is_an_unsized_upload(self):
        store = FakeStore([upload(1), upload(2)], parts={"id-1": [Part(1, None, NOW)]})
        assert scan(store).summary.unsized == 1

    def test_where_none_could_be_sized_bytes_are_unknown_not_zero(self):
        summary = scan(FakeStore([upload(1)], default_parts=REFUSED)).summary
        assert (summary.bytes, summary.parts, summary.unsized) == (None, None, 1)


class TestRefusals:
    def test_stops_asking_after_fifty_refusals_without_a_success(self):
        store = FakeStore([upload(n) for n in range(200)], default_parts=REFUSED)
        assert scan(store).summary.unsized == 200
        assert sum(store.asked.values()) == MAX_REFUSALS

    @pytest.mark.parametrize("status", [403, 405, 501])
    def test_each_kind_of_refusal_counts(self, status):
        refused = error(Reason.UNSUPPORTED, status)
        store = FakeStore([upload(n) for n in range(60)], default_parts=refused)
        scan(store)
        assert sum(store.asked.values()) == MAX_REFUSALS

    def test_other_failures_do_not_stop_it(self):
        failing = error(Reason.SERVER_ERROR, 500)
        store = FakeStore([upload(n) for n in range(60)], default_parts=failing)
        scan(store)
        assert sum(store.asked.values()) == 60

    def test_one_success_and_refusals_do_not_stop_it(self):
        store = FakeStore([upload(n) for n in range(200)], default_parts=REFUSED)
        store.parts = {"id-0": [Part(1, 10, NOW)]}
        scan(store, concurrency=1)
        assert sum(store.asked.values()) == 200

    def test_asks_nothing_within_the_hour_then_probes_once(self):
        store, ledger, clock = (
            FakeStore([upload(n) for n in range(80)], default_parts=REFUSED),
            Ledger(),
            Clock(),
        )
        scan(store, ledger, clock)
        store.asked.clear()
        clock.now += PROBE_SECONDS - 1
        scan(store, ledger, clock)
        assert sum(store.asked.values()) == 0
        clock.now += 1
        scan(store, ledger, clock)
        assert sum(store.asked.values()) == 1

    def test_a_probe_that_succeeds_sizes_everything_again(self):
        store, ledger, clock = (
            FakeStore([upload(n) for n in range(80)], default_parts=REFUSED),
            Ledger(),
            Clock(),
        )
        scan(store, ledger, clock)
        store.default_parts = [Part(1, 10, NOW)]
        clock.now += PROBE_SECONDS
        assert scan(store, ledger, clock).summary.unsized == 0

    def test_the_result_says_why_uploads_are_unsized_also_while_nothing_is_asked(self):
        store, ledger, clock = (
            FakeStore([upload(n) for n in range(80)], default_parts=REFUSED),
            Ledger(),
            Clock(),
        )
        assert scan(store, ledger, clock).warning == str(REFUSED)
        assert scan(store, ledger, clock).warning == str(REFUSED)

    def test_uploads_that_ended_are_the_reason_only_where_they_are_counted(self):
        ended = FakeStore([upload(n) for n in range(20)], parts={"id-3": GONE, "id-9": [Part(1, None, NOW)]})
        assert scan(ended).warning == OUT_OF_TIME
        ledger = Ledger()
        again = FakeStore([upload(n) for n in range(20)], parts={"id-3": GONE})
        scan(again, ledger)
        assert scan(again, ledger).warning == "the store lists 1 keys that it then does not know"
        again = FakeStore([upload(n) for n in range(10)], default_parts=GONE)
        assert scan(again).warning == "the store lists 10 keys that it then does not know"

    def test_and_nothing_where_none_is(self):
        store = FakeStore([upload(n) for n in range(20)], parts={"id-3": GONE})
        assert scan(store).warning == ""


class TestListingFails:
    def test_fails_the_scan_at_once(self):
        store = FakeStore([upload(n) for n in range(20)], page_size=10)
        store.listing_errors = {1: error(Reason.ACCESS_DENIED, 403)}
        with pytest.raises(StoreError) as caught:
            scan(store)
        assert caught.value.reason is Reason.ACCESS_DENIED

    def test_a_page_is_tried_again(self):
        store = FakeStore([upload(n) for n in range(20)], page_size=10)
        store.listing_errors = {1: error(Reason.THROTTLED, 503, retryable=True)}
        assert scan(store).summary.uploads == 20

    @pytest.mark.parametrize(
        ("status", "code"),
        [(404, "NoSuchUpload"), (400, "InvalidArgument"), (400, "InvalidParameterValueException")],
    )
    def test_a_marker_the_store_forgot_starts_the_listing_over(self, status, code):
        store = FakeStore([upload(n) for n in range(20)], page_size=10)
        store.listing_errors = {1: error(Reason.BAD_RESPONSE, status, code)}
        summary = scan(store).summary
        assert (summary.uploads, summary.bytes) == (20, 200)

    def test_but_at_most_twice(self):
        store = FakeStore([upload(n) for n in range(20)], page_size=10)
        forgot = [error(Reason.BAD_RESPONSE, 404, "NoSuchUpload") for _ in range(3)]
        store.listing_errors = {1: forgot[0], 3: forgot[1], 5: forgot[2]}
        with pytest.raises(StoreError) as caught:
            scan(store)
        assert (caught.value.reason, store.pages) == (Reason.BAD_RESPONSE, 6)

    def test_no_such_upload_to_the_first_page_is_an_empty_bucket(self):
        store = FakeStore([upload(1)])
        store.listing_errors = {0: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
        assert scan(store).summary.uploads == 0

    def test_invalid_argument_to_the_first_page_is_a_failure(self):
        store = FakeStore([upload(1)])
        store.listing_errors = {0: error(Reason.BAD_RESPONSE, 400, "InvalidArgument")}
        with pytest.raises(StoreError):
            scan(store)


class TestStoresWithoutPartTimes:
    def test_activity_is_the_initiation_at_first_then_when_the_parts_changed(self):
        store, ledger, clock = FakeStore([upload(1, age=DAY)], has_part_times=False), Ledger(), Clock()
        store.default_parts = [Part(1, 10)]
        assert scan(store, ledger, clock, parts="always").summary.oldest_activity == NOW - DAY
        clock.now = 300.0
        assert scan(store, ledger, clock, parts="always").summary.oldest_activity == NOW - DAY
        store.default_parts = [Part(1, 10), Part(2, 10)]
        clock.now = 600.0
        assert scan(store, ledger, clock, parts="always").summary.oldest_activity == NOW + 600.0
        clock.now = 900.0
        assert scan(store, ledger, clock, parts="always").summary.oldest_activity == NOW + 600.0

    def test_what_a_failed_scan_learnt_is_remembered(self):
        store, ledger, clock = FakeStore([upload(1, age=DAY)], has_part_times=False), Ledger(), Clock()
        store.default_parts = [Part(1, 10)]
        scan(store, ledger, clock)
        store.listing_errors = {1: error(Reason.SERVER_ERROR, 500)}
        with pytest.raises(StoreError):
            scan(store, ledger, clock)
        clock.now = 300.0
        assert scan(store, ledger, clock).summary.oldest_activity == NOW - DAY
