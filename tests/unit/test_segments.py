"""A bucket listed in segments side by side: exact at each join, or in one stream and told so."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest
from fakes import NOW, Clock, error
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.segment_store import SERVERS, Scans, SegmentStore, made

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.model.uploads import Upload
from exporter.scan.segments import ONE_STREAM_AFTER_FAILURE_SECONDS, ONE_STREAM_SECONDS
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.base import ListingStart

KEYS = [f"key-{number:03}" for number in range(100)]
PAGES = 20
ONE_STREAM = "the bucket is listed in one stream for a"


def ids_of(store: SegmentStore) -> list[str]:
    return sorted(each.upload_id for each in store.uploads)


def second_scan(store: SegmentStore, **settings) -> Scans:
    """Return scans of which the first, which finds boundaries, is done."""
    scans = Scans(store, **settings)
    scans.scan()
    return scans


@pytest.mark.parametrize(("order", "reading"), SERVERS)
@pytest.mark.parametrize("parts", ["never", "remembered"])
def test_segments_are_listed_side_by_side_from_the_second_scan_on(order, reading, parts):
    store = SegmentStore(made(KEYS), order=order, reading=reading)
    scans = Scans(store, parts=parts)
    assert scans.scan().ids == ids_of(store)
    assert (len(store.pages), store.starts) == (PAGES, [])
    for _ in range(4):
        scanned = scans.scan()
        assert (scanned.ids, scanned.result.notices) == (ids_of(store), ())
        assert (len(store.starts), store.most_in_flight) == (3, 4)
        assert len(store.pages) <= PAGES + 4


def test_segments_are_of_about_equal_length():
    store = SegmentStore(made(KEYS))
    second_scan(store).scan()
    assert [KEYS.index(key) // 5 for key in sorted(store.starts)] == [4, 9, 14]


@pytest.mark.parametrize(("uploads", "segments"), [(15, 1), (16, 2), (30, 3), (100, 4)])
def test_a_segment_has_two_pages_at_least(uploads, segments):
    store = SegmentStore(made(KEYS[:uploads]))
    scans = second_scan(store)
    scans.scan()
    assert len(store.starts) == segments - 1
    scans.scan()
    assert len(store.starts) == segments - 1


@pytest.mark.parametrize(
    "how",
    [
        {"listing_concurrency": 1},
        {"concurrency": 1},
        {"parts": "always"},
        {"one_shot": True},
    ],
)
def test_where_it_is_of_no_use_each_page_follows_the_one_before(how):
    store = SegmentStore(made(KEYS))
    scans = second_scan(store, **how)
    assert scans.scan().ids == ids_of(store)
    assert (len(store.pages), store.starts) == (PAGES, [])


def test_a_store_that_takes_its_own_markers_only_gets_no_others():
    store = SegmentStore(made(KEYS), listing_start=ListingStart.NOTHING)
    second_scan(store).scan()
    assert (len(store.pages), store.starts) == (PAGES, [])


def test_an_order_by_other_than_keys_leaves_no_boundaries():
    uploads = made(random.Random(3).sample(KEYS, len(KEYS)))
    store = SegmentStore(uploads, order="id")
    scans = second_scan(store)
    assert (scans.scan().ids, store.starts) == (ids_of(store), [])


def test_uploads_begun_anywhere_are_in_the_segment_of_their_key():
    store = SegmentStore(made(KEYS))
    scans = second_scan(store)
    store.uploads += [Upload(key, f"new-{key}", NOW) for key in ("a", "key-050", "key-0500", "z", "zz")]
    assert scans.scan().ids == ids_of(store)
    assert len(store.starts) == 3


def test_under_a_prefix_boundaries_are_within_it():
    store = SegmentStore(made([*KEYS, *(f"z/{key}" for key in KEYS)]))
    scans = second_scan(store)
    scans.bucket = BucketSettings("media", prefix="z/")
    scans.scan()
    assert all(key.startswith("z/") for key in store.starts)
    assert len(store.starts) == 3


@pytest.mark.parametrize(("order", "reading"), SERVERS)
def test_a_boundary_key_may_have_several_uploads_or_none(order, reading):
    store = SegmentStore(made(KEYS), order=order, reading=reading)
    scans = second_scan(store)
    several, gone, _ = scans.ledger.boundaries.keys[4::5][:3]
    store.uploads = [each for each in store.uploads if each.key != gone]
    store.uploads += [Upload(several, f"2~again{number}", NOW) for number in range(12)]
    scanned = scans.scan()
    assert (scanned.ids, scanned.result.notices) == (ids_of(store), ())


def churn(store: SegmentStore, scans: Scans, chance: random.Random, ended: set[str]):
    """Return what begins and ends uploads before a request, at boundaries more often than elsewhere."""

    def before(_request) -> None:
        while chance.random() < 0.4:
            boundaries = scans.ledger.boundaries.keys or ("key-050",)
            key = chance.choice(boundaries if chance.random() < 0.5 else KEYS)
            if chance.random() < 0.03:
                gone = [each for each in store.uploads if each.key > key]
            elif chance.random() < 0.5:
                gone = [each for each in store.uploads if each.key == key][:1]
            else:
                gone = []
                name = f"2~{chance.choice('aqz')}{chance.randrange(10**9)}"
                store.uploads.append(Upload(key + chance.choice(["", "", "/x", "-"]), name, NOW))
            ended.update(each.upload_id for each in gone)
            store.uploads = [each for each in store.uploads if each not in gone]

    return before


@pytest.mark.slow
@pytest.mark.no_cover
@settings(deadline=None, max_examples=50)
@example(("key.id", "as text"), 3, "remembered", 29747706)  # found at a join, and by a segment's last pages
@given(st.sampled_from(SERVERS), st.integers(3, 9), st.sampled_from(["never", "remembered"]), st.integers(0))
def test_uploads_that_are_there_throughout_are_counted_once_whatever_begins_and_ends(
    server, page_size, parts, seed
):
    chance = random.Random(seed)
    keys = [*KEYS, *chance.choices(KEYS, k=20)]
    store = SegmentStore(made(keys), page_size, *server, pick=chance.randrange)
    scans = second_scan(store, parts=parts)
    ended: set[str] = set()
    store.before = churn(store, scans, chance, ended)
    for _ in range(3):
        ended.clear()
        there = set(ids_of(store))
        scanned = scans.scan()
        assert [each for each, times in Counter(scanned.ids).items() if times > 1] == []
        assert there - ended - set(scanned.ids) == set()
        assert [notice for notice in scanned.result.notices if ONE_STREAM in notice] == []


def test_an_upload_begun_between_the_pages_of_a_join_is_counted():
    store = SegmentStore(made(KEYS), pick=lambda waiting: waiting - 1)  # the last segment first
    scans = second_scan(store)

    def begin(request) -> None:
        if request.marker is None:
            store.uploads.append(Upload(f"{min(store.starts)}/new", "new", NOW))

    store.before = begin
    scanned = scans.scan()
    assert (scanned.ids, scanned.result.notices) == (ids_of(store), ())


def test_when_all_past_a_boundary_ends_meanwhile_the_rest_is_exact():
    store = SegmentStore(made(KEYS), pick=lambda waiting: waiting - 1)
    scans = second_scan(store)

    def end(request) -> None:
        if request.marker is None:
            store.uploads = [each for each in store.uploads if each.key <= min(store.starts)]

    store.before = end
    scanned = scans.scan()
    assert set(ids_of(store)) <= set(scanned.ids)
    assert scanned.result.notices == ()


def skipping(request, listed):
    """List the uploads after a key alone but for the first."""
    return listed[1:] if request.marker and not request.marker[1] else listed


def skipping_a_page(request, listed):
    return listed[5:] if request.marker and not request.marker[1] else listed


def nothing(request, listed):
    return [] if request.marker and not request.marker[1] else listed


def backwards(request, listed):
    return listed[::-1] if request.marker and not request.marker[1] else listed


def refusing(status: int, code: str = ""):
    reason = Reason.SERVER_ERROR if status >= 500 else Reason.BAD_RESPONSE
    failure = error(reason, status, code)
    return lambda request, listed: failure if request.marker and not request.marker[1] else listed


def cut_before(key: str):
    """End each listing that began before a key at this key."""

    def lie(request, listed):
        began_after = request.marker and request.marker[0] >= key
        return listed if began_after else [each for each in listed if each.key < key]

    return lie


LIES = {
    "skips one": skipping,
    "skips a page": skipping_a_page,
    "lists nothing": nothing,
    "unordered": backwards,
    "400": refusing(400, "InvalidArgument"),
    "404": refusing(404, "NoSuchUpload"),
    "500": refusing(500),
    "another 400": refusing(400, "InvalidRequest"),
}


def is_told(scanned) -> bool:
    return any(ONE_STREAM in notice for notice in scanned.result.notices)


@pytest.mark.parametrize("parts", ["never", "remembered"])
@pytest.mark.parametrize("lie", LIES)
def test_a_store_that_treats_keys_otherwise_is_listed_in_one_stream_and_told_of(lie, parts):
    store = SegmentStore(made(KEYS), lie=LIES[lie])
    scans = second_scan(store, parts=parts, retries=0)
    scanned = scans.scan()
    assert (scanned.ids, is_told(scanned)) == (ids_of(store), True)
    scanned = scans.scan()
    assert (scanned.ids, scanned.result.notices, len(store.pages)) == (ids_of(store), (), PAGES)


@pytest.mark.parametrize("reading", ["ignored", "equals"])
def test_a_store_that_takes_a_key_for_something_else_is_listed_in_one_stream(reading):
    store = SegmentStore(made(KEYS), reading=reading)
    scans = second_scan(store)
    scanned = scans.scan()
    assert (scanned.ids, is_told(scanned)) == (ids_of(store), True)
    assert len(store.pages) <= PAGES + 2 * 4


def test_one_stream_goes_on_from_what_is_proven():
    store = SegmentStore(made(KEYS), pick=lambda _: 0)
    scans = second_scan(store)
    last = sorted(KEYS)[-6]
    store.lie = lambda request, listed: backwards(request, listed) if request.marker == (last, "") else listed
    scans.ledger.boundaries = scans.ledger.boundaries._replace(keys=("key-030", "key-060", last))
    scanned = scans.scan()
    assert (scanned.ids, is_told(scanned)) == (ids_of(store), True)
    assert len([page for page in store.pages if page.marker is None]) == 1


def test_segments_are_tried_again_after_a_day():
    clock = Clock()
    store = SegmentStore(made(KEYS), lie=skipping)
    scans = second_scan(store, clock=clock)
    scans.scan()
    store.lie = lambda _request, listed: listed
    clock.now = ONE_STREAM_SECONDS - 1
    scans.scan()
    assert store.starts == []
    clock.now = ONE_STREAM_SECONDS
    assert scans.scan().ids == ids_of(store)
    assert len(store.starts) == 3


def test_a_listing_that_ends_before_what_is_listed_after_a_key_is_repeated_in_one_stream():
    store = SegmentStore(made(KEYS))
    scans = second_scan(store)
    store.lie = cut_before(scans.ledger.boundaries.keys[7])
    scanned = scans.scan()
    assert is_told(scanned)
    assert scanned.ids == sorted(each.upload_id for each in store.lie(store.pages[0], store.uploads))


def test_a_failing_page_fails_the_scan_as_in_one_stream():
    store = SegmentStore(made(KEYS))
    scans = second_scan(store, retries=0)
    store.lie = lambda request, listed: error(Reason.TIMEOUT) if request.marker else listed
    with pytest.raises(StoreError) as caught:
        scans.scan()
    assert caught.value.reason is Reason.TIMEOUT


FAILURES = {
    "server error": error(Reason.SERVER_ERROR, 500),
    "garbled": StoreError(Reason.BAD_RESPONSE, "no XML", status=200, garbled=True),
    "wrong": StoreError(Reason.BAD_RESPONSE, "another document", status=200),
    "refused marker": error(Reason.BAD_RESPONSE, 400, "InvalidArgument"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("answers", range(3, 18, 2))
@pytest.mark.parametrize("parts", ["never", "remembered"])
def test_an_outage_after_segments_were_given_up_fails_the_scan(failure, answers, parts):
    store = SegmentStore(made(KEYS))
    scans = second_scan(store, retries=0, parts=parts)
    store.lie = lambda request, listed: failure if request.marker and len(store.asked) > answers else listed
    with pytest.raises(StoreError):
        scans.scan()


def test_a_page_that_failed_after_a_key_is_no_answer_to_it_for_longer_than_an_hour():
    clock = Clock()
    store = SegmentStore(made(KEYS), pick=lambda _: 0)
    scans = second_scan(store, clock=clock, retries=0)
    fails = {scans.ledger.boundaries.keys[place] for place in (4, 9, 14)}
    store.lie = lambda request, listed: (
        error(Reason.SERVER_ERROR, 500)
        if request.marker and request.marker[0] in fails and not request.marker[1] and clock.now == 0
        else listed
    )
    scanned = scans.scan()
    told = "a page after a key failed: the bucket is listed in one stream for an hour"
    assert (scanned.ids, scanned.result.notices) == (ids_of(store), (told,))
    clock.now = ONE_STREAM_AFTER_FAILURE_SECONDS - 1
    assert scans.scan().result.notices == ()
    assert store.starts == []
    clock.now = ONE_STREAM_AFTER_FAILURE_SECONDS
    scans.scan()
    assert len(store.starts) == 3


@pytest.mark.parametrize(("order", "reading"), SERVERS)
def test_many_uploads_that_are_aborted_meanwhile_are_no_reason_to_give_segments_up(order, reading):
    for seed in range(20):
        store = SegmentStore(
            made([f"key-{number:03}" for number in range(400)]),
            order=order,
            reading=reading,
            page_size=20,
            pick=random.Random(seed).randrange,
        )
        scans = second_scan(store)
        store.before = lambda _request, store=store: store.uploads.__delitem__(slice(100, 120))
        assert scans.scan().result.notices == ()


def ledger_of(database: StateDatabase) -> Ledger:
    return Ledger(LedgerRows(database, BucketName("t", "s3", "", "", "media")))


@pytest.mark.parametrize(("max_names", "segments"), [(1000, 4), (0, 1)])
def test_boundaries_are_stored_where_names_are(max_names, segments):
    database = StateDatabase(max_names=max_names)
    store = SegmentStore(made(KEYS))
    second_scan(store, ledger=ledger_of(database))
    Scans(store, ledger=ledger_of(database)).scan()
    assert len(store.starts) == segments - 1


def test_without_stored_names_the_process_knows_boundaries():
    store = SegmentStore(made(KEYS))
    second_scan(store, ledger=ledger_of(StateDatabase(max_names=0))).scan()
    assert len(store.starts) == 3


def test_requests_per_second_hold_over_all_segments():
    clock = Clock()
    store = SegmentStore(made(KEYS))
    scans = second_scan(store, clock=clock, stop=clock, requests_per_second=2.0)
    times: list[float] = []
    store.before = lambda _request: times.append(clock.now)
    scans.scan()
    assert max(Counter(int(each) for each in times).values()) <= 2
    assert len(store.starts) == 3


def test_a_store_that_throttles_gets_half_as_many_pages_at_a_time():
    store = SegmentStore(made(KEYS), pick=lambda _: 0)
    scans = second_scan(store, clock=Clock(), concurrency=4)
    throttled = [error(Reason.THROTTLED, 503, retryable=True)]
    store.lie = lambda request, listed: throttled.pop() if throttled and request.marker else listed
    at_a_time: list[int] = []
    store.before = lambda _request: at_a_time.append(store.in_flight)
    assert scans.scan().ids == ids_of(store)
    assert at_a_time[:4] == [3, 3, 2, 1]  # others in flight: the second answer is a 503


def test_a_stop_ends_all_segments():
    stop = threading.Event()
    store = SegmentStore(made(KEYS))
    scans = second_scan(store, stop=stop)
    store.before = lambda _request: stop.set()
    with pytest.raises(StoppingError):
        scans.scan()
    assert len(store.asked) == 1
