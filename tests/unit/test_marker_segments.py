"""A listing whose markers are the store's own, in segments: each begins at a marker of an earlier scan."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from fakes import Clock, error
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.marker_store import NAMINGS, UNKNOWN_MARKER, MarkerStore, begun
from unit.segment_store import Scans

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason
from exporter.scan.segments import ONE_STREAM_SECONDS
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows

KEYS = [f"key-{number:03}" for number in range(100)]
PAGES = 20
ONE_STREAM = "the bucket is listed in one stream for a"


def store_of(every: int = 1, keys=KEYS, **options) -> MarkerStore:
    """Return a store in which every so many-th key is an upload, and the others are blobs."""
    return MarkerStore(begun(keys[::every]), blobs=set(keys) - set(keys[::every]), **options)


def keys_of(store: MarkerStore) -> list[str]:
    return sorted(each.key for each in store.uploads)


def second_scan(store: MarkerStore, **options) -> Scans:
    """Return scans of which the first, which is given markers, is done."""
    scans = Scans(store, **options)
    scans.scan()
    return scans


def is_told(scanned) -> bool:
    return any(ONE_STREAM in notice for notice in scanned.result.notices)


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("every", [1, 3, 24, 101])
@pytest.mark.parametrize("parts", ["never", "remembered"])
def test_segments_begin_at_markers_of_the_scan_before(naming, every, parts):
    store = store_of(every, naming=naming)
    scans = Scans(store, parts=parts)
    assert scans.scan().ids == keys_of(store)
    assert (len(store.pages), store.starts) == (PAGES, [])
    for _ in range(4):
        scanned = scans.scan()
        assert (scanned.ids, scanned.result.notices) == (keys_of(store), ())
        assert (len(store.starts), store.most_in_flight >= 4) == (3, True)
        assert len(store.pages) <= PAGES + 4


@pytest.mark.parametrize("naming", NAMINGS)
def test_segments_are_of_about_equal_length(naming):
    store = store_of(24, naming=naming)
    second_scan(store).scan()
    assert sorted((KEYS.index(key) + 1) // 5 for key in store.starts) == [5, 10, 14]


@pytest.mark.parametrize(("blobs", "segments"), [(15, 1), (16, 2), (30, 3), (100, 4)])
def test_a_segment_has_two_pages_at_least_whatever_is_on_them(blobs, segments):
    store = store_of(50, KEYS[:blobs])
    scans = second_scan(store)
    for _ in range(2):
        scans.scan()
        assert len(store.starts) == segments - 1


@pytest.mark.parametrize("naming", NAMINGS)
def test_the_blob_that_a_marker_names_may_be_gone(naming):
    store = store_of(3, naming=naming)
    scans = second_scan(store)
    named = [key for key in KEYS if KEYS.index(key) % 5 in {0, 4}]
    store.blobs -= set(named)
    store.uploads = [each for each in store.uploads if each.key not in named]
    store.uploads += begun([f"{key}!" for key in named])
    scanned = scans.scan()
    assert (scanned.ids, scanned.result.notices, len(store.starts)) == (keys_of(store), (), 3)


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("every", [1, 3, 100])
def test_what_begins_between_two_pages_of_the_scan_before_is_counted(naming, every):
    store = store_of(every, naming=naming)
    scans = second_scan(store)
    store.uploads += begun([f"{key}!{number}" for key in KEYS for number in range(7)])
    for _ in range(2):
        scanned = scans.scan()
        assert (scanned.ids, scanned.result.notices, len(store.starts)) == (keys_of(store), (), 3)


def churn(store: MarkerStore, scans: Scans, chance: random.Random, ended: set[str]):
    """Return what begins, commits and ends before a request, at boundaries more often than elsewhere."""

    def before(_request) -> None:
        while chance.random() < 0.4:
            boundaries = scans.ledger.boundaries.keys or ("key-050",)
            key = chance.choice(boundaries if chance.random() < 0.5 else KEYS)
            if chance.random() < 0.03:
                gone = {each for each in keys_of(store) if each > key} | {
                    each for each in store.blobs if each > key
                }
            elif chance.random() < 0.5:
                at = sorted({*keys_of(store), *store.blobs, key}).index(key)
                gone = set(sorted({*keys_of(store), *store.blobs})[at : at + chance.randrange(1, 9)])
            else:
                gone = set()
                made = [
                    f"{key}{chance.choice('!-/x')}{chance.randrange(10**6)}"
                    for _ in range(chance.randrange(2))
                ]
                made += {key} - ended
                if chance.random() < 0.5:
                    store.blobs.update(set(made) - set(keys_of(store)))
                else:
                    store.uploads += begun(sorted(set(made) - {*keys_of(store), *store.blobs}))
            ended.update(gone)
            store.uploads = [each for each in store.uploads if each.key not in gone]
            store.blobs -= gone

    return before


@pytest.mark.slow
@pytest.mark.no_cover
@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(NAMINGS),
    st.integers(5, 9),
    st.sampled_from(["never", "remembered"]),
    st.sampled_from([1, 2, 10, 40]),
    st.integers(0),
)
def test_uploads_that_are_there_throughout_are_counted_once_whatever_begins_and_ends(
    naming, page_size, parts, every, seed
):
    chance = random.Random(seed)
    store = store_of(every, naming=naming, page_size=page_size, pick=chance.randrange)
    scans = second_scan(store, parts=parts)
    ended: set[str] = set()
    store.before = churn(store, scans, chance, ended)
    for _ in range(3):
        ended.clear()
        there = set(keys_of(store))
        scanned = scans.scan()
        assert [each for each, times in Counter(scanned.ids).items() if times > 1] == []
        assert there - ended - set(scanned.ids) == set()
        assert not is_told(scanned)


def at_start(tell):
    """Return a lie that is told only of pages that begin at a marker of an earlier scan."""

    def lie(store: MarkerStore):
        def told(request, listed):
            return tell(store, listed) if store.is_old(request) else listed

        return told

    return lie


LIES = {
    "ignores it": at_start(lambda store, _listed: sorted({*store.blobs, *keys_of(store)})),
    "skips one": at_start(lambda _store, listed: listed[1:]),
    "skips a page": at_start(lambda _store, listed: listed[5:]),
    "skips three pages": at_start(lambda _store, listed: listed[15:]),
    "lists nothing": at_start(lambda _store, _listed: []),
    "unordered": at_start(lambda _store, listed: listed[::-1]),
    "unknown": at_start(lambda _store, _listed: UNKNOWN_MARKER),
    "400": at_start(lambda _store, _listed: error(Reason.BAD_RESPONSE, 400, "InvalidQueryParameterValue")),
    "500": at_start(lambda _store, _listed: error(Reason.SERVER_ERROR, 500, "InternalError")),
}


@pytest.mark.parametrize("every", [1, 3, 10, 24])
@pytest.mark.parametrize("parts", ["never", "remembered"])
@pytest.mark.parametrize("lie", LIES)
def test_a_store_that_treats_old_markers_otherwise_is_exact_all_the_same(lie, parts, every):
    store = store_of(every)
    store.tell = LIES[lie](store)
    scans = second_scan(store, parts=parts, retries=0)
    for _ in range(2):
        assert scans.scan().ids == keys_of(store)


@pytest.mark.parametrize("lie", ["ignores it", "lists nothing", "unordered", "unknown", "400", "500"])
def test_a_store_that_does_not_take_old_markers_is_listed_in_one_stream_and_told_of(lie):
    store = store_of(3)
    store.tell = LIES[lie](store)
    scans = second_scan(store, retries=0)
    assert is_told(scans.scan())
    assert len(store.pages) <= PAGES + 3 * 4
    scanned = scans.scan()
    assert (scanned.ids, scanned.result.notices, len(store.pages)) == (keys_of(store), (), PAGES)


def test_segments_are_tried_again_after_a_day_with_markers_of_the_last_scan():
    clock = Clock()
    store = store_of(3)
    store.tell = LIES["unknown"](store)
    scans = second_scan(store, clock=clock)
    scans.scan()
    store.tell = lambda _request, listed: listed
    clock.now = ONE_STREAM_SECONDS - 1
    scans.scan()
    assert store.starts == []
    clock.now = ONE_STREAM_SECONDS
    assert scans.scan().ids == keys_of(store)
    assert len(store.starts) == 3


def test_a_listing_that_ends_before_what_is_listed_at_a_marker_is_repeated_in_one_stream():
    store = store_of(10)
    scans = second_scan(store)

    def cut(request, listed):
        began_after = request.marker is not None and min(listed) > KEYS[55]
        return listed if began_after else [key for key in listed if key <= KEYS[55]]

    store.tell = cut
    scanned = scans.scan()
    assert is_told(scanned)
    assert {key for key in keys_of(store) if key <= KEYS[55]} <= set(scanned.ids)


def test_blobs_that_are_no_uploads_show_that_a_listing_ends_too_early():
    store = store_of(101)
    store.uploads = begun([KEYS[3], KEYS[58]])
    store.blobs -= {KEYS[3], KEYS[58]}
    scans = second_scan(store)

    def cut(request, listed):
        began_after = request.marker is not None and min(listed) > KEYS[55]
        return listed if began_after else [key for key in listed if key <= KEYS[55]]

    store.tell = cut
    assert is_told(scans.scan())


def test_what_begins_before_the_blob_that_a_last_pages_marker_named_is_no_sign_of_a_listing_that_ends_early():
    store = store_of(pick=lambda waiting: waiting - 1)  # the last segment first
    scans = second_scan(store)
    store.uploads.remove(begun([KEYS[3]])[0])  # so that pages end one key later
    before = {key for key in KEYS if key < KEYS[26]} - {KEYS[3]}

    def end_all(request) -> None:
        if not request.by_name and not store.is_old(request) and store.named(request) == KEYS[26]:
            store.uploads = begun([*before, f"{KEYS[25]}5"])

    store.before = end_all
    scanned = scans.scan()
    assert before <= set(scanned.ids)
    assert scanned.result.notices == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-be"])
def test_keys_may_be_ordered_as_utf_8_or_as_utf_16(encoding):
    def place(key: str) -> bytes:
        return key.encode(encoding)

    letters = "a\u00fc\ud7fb\uff21\U0001f600"
    keys = [f"{one}/{two}{number}" for one in letters for two in letters for number in range(4)]
    store = store_of(3, sorted(keys, key=place), place=place)
    scans = second_scan(store)
    for _ in range(2):
        scanned = scans.scan()
        assert (scanned.ids, scanned.result.notices, len(store.starts)) == (keys_of(store), (), 3)
        assert (len(store.pages), scans.ledger.boundaries.pages) == (PAGES + 3, PAGES)


def test_an_order_by_path_leaves_no_markers():
    keys = [f"{folder}{number:02}" for folder in ("a/", "a-", "b") for number in range(30)]
    store = store_of(3, keys, place=lambda key: key.replace("/", "\0").encode())
    scans = second_scan(store)
    assert (scans.scan().ids, store.starts) == (keys_of(store), [])
    assert scans.ledger.boundaries.keys == ()


def test_markers_of_another_prefix_are_not_used():
    store = store_of(3, [*KEYS, *(f"z/{key}" for key in KEYS)])
    scans = second_scan(store)
    for prefix in ("z/", "z/key"):
        scans.bucket = BucketSettings("media", prefix=prefix)
        scans.scan()
        assert store.starts == []
    assert scans.scan().ids == [key for key in keys_of(store) if key.startswith("z/")]
    assert len(store.starts) == 3


def ledger_of(database: StateDatabase) -> Ledger:
    return Ledger(LedgerRows(database, BucketName("t", "azure", "", "", "media")))


@pytest.mark.parametrize(("max_names", "segments"), [(1000, 4), (0, 1)])
def test_markers_are_stored_where_names_are(max_names, segments):
    database = StateDatabase(max_names=max_names)
    store = store_of(3)
    second_scan(store, ledger=ledger_of(database))
    Scans(store, ledger=ledger_of(database)).scan()
    assert len(store.starts) == segments - 1


def test_keys_without_their_markers_begin_no_segment():
    store = store_of(3)
    scans = second_scan(store)
    scans.ledger.boundaries = scans.ledger.boundaries._replace(starts=())
    scanned = scans.scan()
    assert (scanned.ids, scanned.result.notices, store.starts) == (keys_of(store), (), [])
