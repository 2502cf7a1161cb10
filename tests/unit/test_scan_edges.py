"""One bucket's scan, at its edges: what a careless change would lose."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from fakes import BUCKET, DAY, GONE, NOW, REFUSED, Clock, FakeStore, error, upload
from unit.fake_scan import scan

from exporter.config.settings import ScanSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Part
from exporter.scan.examination.gone import MIN_ENDED
from exporter.scan.refusal_breaker import MAX_REFUSALS, PROBE_SECONDS
from exporter.scan.scanner import MAX_RESTARTS, Scanner
from exporter.scheduler.circuit_breaker import FAILURES_TO_OPEN, TARGET_REASONS
from exporter.state.ledger import Ledger
from exporter.stores.base import Page
from exporter.stores.engine.store_client import StoreClient


def test_the_numbers_are_the_designs():
    assert (MAX_REFUSALS, MAX_RESTARTS, MIN_ENDED) == (50, 2, 10)
    assert PROBE_SECONDS == 3600.0
    assert FAILURES_TO_OPEN == 3
    assert {"connection", "tls", "timeout", "credentials"} == TARGET_REASONS


@pytest.mark.parametrize("status", [0, 400, 404, 429, 503])
def test_only_refusals_stop_it(status):
    store = FakeStore([upload(n) for n in range(60)], default_parts=error(Reason.SERVER_ERROR, status))
    scan(store)
    assert sum(store.asked.values()) == 60


def test_what_an_unfinished_scan_saw_end_does_not_count_at_the_next():
    ledger = Ledger()
    uploads = [upload(n) for n in range(20)]
    store = FakeStore(uploads, page_size=10, parts={"id-3": GONE})
    store.listing_errors = {1: error(Reason.ACCESS_DENIED, 403)}
    with pytest.raises(StoreError):
        scan(store, ledger, concurrency=1)
    scan(FakeStore(uploads), ledger, parts="always")
    assert scan(FakeStore(uploads, parts={"id-3": GONE}), ledger, parts="always").summary.uploads == 19


def test_a_listing_that_starts_over_gets_no_new_time():
    clock = Clock()
    store = FakeStore([upload(n) for n in range(20)], page_size=10)
    store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
    store.before_page = lambda number: setattr(clock, "now", 31.0 * number)
    with pytest.raises(StoreError) as caught:
        scan(store, clock=clock, timeout=60.0)
    assert caught.value.reason is Reason.TIMEOUT


def test_ages_are_as_of_the_scans_start_though_the_listing_started_over():
    clock = Clock()
    store = FakeStore([upload(n, age=3500.0) for n in range(20)], page_size=10)
    store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
    store.before_page = lambda number: setattr(clock, "now", 200.0 if number else 0.0)
    assert scan(store, clock=clock).summary.age_counts[0] == 20


def test_stale_after_is_the_buckets_own():
    store = FakeStore([upload(1, age=DAY)])
    store.default_parts = []
    scanner = Scanner(StoreClient(store, ScanSettings(), threading.Event(), Clock().clocks()), ())
    for stale_after, stale in ((2 * DAY, 0), (DAY / 2, 1)):
        bucket = replace(BUCKET, stale_after=stale_after)
        assert scanner.scan(bucket, Ledger()).summary.stale == stale


def test_without_parts_an_empty_bucket_has_no_bytes_either():
    summary = scan(FakeStore(), parts="never").summary
    assert (summary.uploads, summary.bytes, summary.parts_known) == (0, None, False)


def test_a_listing_that_starts_over_keeps_to_the_concurrency():
    release = threading.Event()
    store = FakeStore([upload(n) for n in range(4)], page_size=2)
    store.listing_errors = {1: error(Reason.BAD_RESPONSE, 404, "NoSuchUpload")}
    store.before_page = lambda number: release.set() if number > 1 else None
    store.before_parts = lambda _: release.wait(0.3)
    scan(store, concurrency=2)
    assert store.most_at_once == 2


def test_what_is_in_flight_when_the_scan_fails_is_not_tried_again():
    before, listed_wrongly = set(threading.enumerate()), threading.Event()
    store = FakeStore([upload(n) for n in range(4)], page_size=2)
    store.listing_errors = {1: error(Reason.ACCESS_DENIED, 403)}
    store.default_parts = error(Reason.SERVER_ERROR, 500, retryable=True)
    store.before_parts = lambda _: listed_wrongly.wait(10)
    with pytest.raises(StoreError):
        scan(store, retries=3)
    listed_wrongly.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert max(store.asked.values()) == 1


def test_a_probe_that_succeeded_is_not_needed_again():
    store, ledger, clock = FakeStore([upload(n) for n in range(80)], default_parts=REFUSED), Ledger(), Clock()
    scan(store, ledger, clock)
    store.default_parts = [Part(1, 10, NOW)]
    clock.now += PROBE_SECONDS
    scan(store, ledger, clock)
    clock.now += 300
    store.parts = {"id-0": REFUSED}
    assert scan(store, ledger, clock, concurrency=1, parts="always").summary.unsized == 1


def test_a_probe_that_fails_for_another_reason_is_still_one_probe():
    store, ledger, clock = FakeStore([upload(n) for n in range(80)], default_parts=REFUSED), Ledger(), Clock()
    scan(store, ledger, clock)
    store.asked.clear()
    store.default_parts = error(Reason.SERVER_ERROR, 500)
    clock.now += PROBE_SECONDS
    scan(store, ledger, clock)
    assert sum(store.asked.values()) == 1
    clock.now += PROBE_SECONDS - 1
    scan(store, ledger, clock)
    assert sum(store.asked.values()) == 1


def test_an_upload_unsized_once_keeps_its_activity():
    store, ledger, clock = FakeStore([upload(1, age=DAY)], has_part_times=False), Ledger(), Clock()
    store.default_parts = [Part(1, 10)]
    scan(store, ledger, clock, parts="always")
    store.default_parts, clock.now = [Part(1, 10), Part(2, 10)], 300.0
    scan(store, ledger, clock, parts="always")
    store.default_parts, clock.now = error(Reason.SERVER_ERROR, 500), 600.0
    scan(store, ledger, clock, parts="always")
    store.default_parts, clock.now = [Part(1, 10), Part(2, 10)], 900.0
    assert scan(store, ledger, clock, parts="always").summary.oldest_activity == NOW + 300.0


def test_a_store_with_part_times_is_not_judged_by_when_we_saw_parts_change():
    store, ledger, clock = FakeStore([upload(1, age=DAY)]), Ledger(), Clock()
    store.default_parts = [Part(1, 10)]
    scan(store, ledger, clock)
    store.default_parts, clock.now = [Part(1, 10), Part(2, 10)], 300.0
    assert scan(store, ledger, clock).summary.oldest_activity == NOW - DAY


def test_one_success_gives_the_full_concurrency_back():
    barrier = threading.Barrier(4, timeout=5)
    store = FakeStore([upload(n) for n in range(60)], default_parts=REFUSED)
    store.parts = {"id-0": [Part(1, 10, NOW)]}
    scan(store, concurrency=1)
    store = FakeStore([upload(n) for n in range(58)], default_parts=REFUSED)
    store.parts = {"id-0": [Part(1, 10, NOW)]} | {f"id-{n}": [Part(1, 10, NOW)] for n in range(54, 58)}
    store.before_parts = lambda asked: barrier.wait() if int(asked.upload_id[3:]) >= 54 else None
    assert scan(store, concurrency=4).summary.unsized == 53


def test_sizing_takes_no_more_threads_than_it_may_ask_at_once(monkeypatch):
    names = set()
    store = FakeStore([upload(n) for n in range(60)], before_parts=lambda _: names.add(threading.get_ident()))
    started = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread), start(thread))[1])
    scan(store, concurrency=3)
    assert len(started) <= 3
    assert all(thread.daemon for thread in started)


def test_our_own_bug_in_sizing_is_in_the_log(caplog):
    scan(FakeStore([upload(1)], default_parts=RuntimeError("a bug of the test")))
    assert "a call failed unexpectedly" in caplog.text


def test_the_last_quarter_is_for_the_listing_though_one_upload_takes_it_all():
    clock, store = Clock(), FakeStore([upload(n) for n in range(30)], page_size=10)

    def list_parts(bucket, asked, marker, deadline):
        clock.now += 10
        number = int(marker[0]) + 1 if marker else 1
        return Page([Part(number, 10, NOW)], truncated=True, next_marker=(str(number),))

    store.list_parts = list_parts
    summary = scan(store, clock=clock, timeout=300.0, concurrency=1).summary
    assert (summary.uploads, summary.unsized) == (30, 30)


@pytest.mark.parametrize("parts", ["remembered", "always"])
def test_a_probe_asks_about_another_upload_than_the_one_before(parts: str):
    """One upload that is refused for ever, such as one under a KMS key, must not stand for the bucket."""
    store, memory, clock = FakeStore([upload(n) for n in range(80)], default_parts=REFUSED), Ledger(), Clock()
    scan(store, memory, clock, parts=parts)
    store.default_parts, store.parts = [Part(1, 10, NOW)], {"id-0": REFUSED}
    for _ in range(3):
        clock.now += PROBE_SECONDS
        summary = scan(store, memory, clock, parts=parts).summary
    assert summary.unsized == 1
