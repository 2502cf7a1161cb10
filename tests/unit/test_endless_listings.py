"""Listings that never end: they fail in words, and take no more memory than the largest that do end."""

from array import array

import pytest
from fakes import NOW, upload
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.answers import Answers

from exporter.config.settings import BucketSettings
from exporter.model.boundaries import Boundary
from exporter.model.errors import Reason, StoreError
from exporter.model.results import ScanResult
from exporter.model.uploads import Parts, PartTotals, Upload
from exporter.scan.tally import Tally
from exporter.state import ledger as ledgers
from exporter.state import new_rows
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.base import Page
from exporter.stores.pagination import (
    paginator,
    part_listing,
    part_sums,
    segmented_listing,
    uploads_paginator,
)
from exporter.stores.pagination.hash_set import HashSet
from exporter.stores.pagination.listing import list_next_page
from exporter.stores.pagination.part_listing import sum_parts
from exporter.stores.pagination.part_sums import NumberedPartSum, RangedPartSum
from exporter.stores.pagination.segmented_listing import SegmentedListing

BUCKET = BucketSettings("b")
NAME = BucketName("prod", "s3", "", "-", "media")
multiples = st.integers(0, 99).map(lambda number: 64 * number)
hashes = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-9, 9), multiples)


@settings(deadline=None)
@given(st.lists(st.lists(hashes, max_size=20), max_size=20), st.integers(0, 30))
@example([list(range(2000)), [64 * n for n in range(2000)], [1, 5000]], 1000)
def test_a_compact_set_is_a_set(groups: list[list[int]], max_plain: int):
    ours, theirs = HashSet(max_plain), set()
    for group in groups:
        assert ours.add_new(set(group)) == theirs & set(group)
        theirs |= set(group)
        assert (len(ours), sorted(ours)) == (len(theirs), sorted(theirs))
    asked = {each + near for each in theirs for near in (-1, 0, 1)}
    assert {each for each in asked if each in ours} == asked & theirs


def test_what_an_array_held_is_moved_to_a_set():
    numbers = array("q", [3, -1, 3, *range(60_000)])
    made = HashSet.taken_from(numbers)
    assert (len(numbers), len(made), -1 in made, 60_000 in made) == (0, 60_001, True, False)


def failure_of_uploads(size: int, boundaries: tuple[str, ...] = (), again: int = 0) -> StoreError:
    """List uploads of which there is no end, `size` a page, and the first again from page `again` on."""
    listing = SegmentedListing(boundaries)
    for number in range(100):
        first = 0 if again and number >= again else number * size
        items = [upload(first), *map(upload, range(number * size + 1, (number + 1) * size))]
        segment = listing.segments[number % len(listing.segments)]
        page = Page(items, truncated=True, next_marker=(items[-1].key, f"{number}"))
        try:
            listing.take(segment, Answers(page).to(list_next_page(segment, BUCKET)))
        except StoreError as error:
            return error
    raise AssertionError


@pytest.mark.parametrize("again", [0, 2])
def test_more_uploads_than_any_bucket_has_fail_the_scan(monkeypatch: pytest.MonkeyPatch, again: int):
    for module in (uploads_paginator, segmented_listing):
        monkeypatch.setattr(module, "MAX_UPLOADS", 50)
    error = failure_of_uploads(10, again=again)
    assert error.reason is Reason.UNSUPPORTED
    assert "more than 50 uploads, or does not end; watch the bucket in parts" in str(error)


def test_more_pages_than_any_listing_has_fail_the_scan(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paginator, "MAX_PAGES", 7)
    assert "more than 7 pages, or does not end" in str(failure_of_uploads(1))


def test_segments_have_the_bound_together(monkeypatch: pytest.MonkeyPatch):
    for module in (uploads_paginator, segmented_listing):
        monkeypatch.setattr(module, "MAX_UPLOADS", 50)
    listing = SegmentedListing((Boundary("k"),))
    for segment, letter in zip(listing.segments, "az", strict=True):
        uploads = [Upload(f"{letter}{number:02}", "i") for number in range(30)]
        segment.accept(Page(uploads, truncated=True, next_marker=(uploads[-1].key, "i")))
    with pytest.raises(StoreError, match="50 uploads"):
        listing.take(listing.segments[0], [])


def failure_of_parts(size: int, *, first: int = 1, part_sum: object = None) -> StoreError:
    task = sum_parts(BUCKET, upload(1), part_sum or NumberedPartSum())
    page: Page | None = None
    for number in range(100):
        starts = range(first + number * size, first + (number + 1) * size)
        parts = Parts(list(starts), [1] * size, [NOW] * size)
        items = list(parts) if isinstance(part_sum, RangedPartSum) else parts
        try:
            task.send(page)
        except StoreError as error:
            return error
        page = Page(items, truncated=True, next_marker=(f"{starts[-1]}",))
    raise AssertionError


def test_more_parts_than_any_upload_has_leave_it_unsized(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(part_listing, "MAX_PARTS_PER_UPLOAD", 50)
    error = failure_of_parts(10)
    assert error.reason is Reason.BAD_RESPONSE
    assert "more than 50 parts, or their list does not end" in str(error)


@pytest.mark.parametrize("part_sum", [NumberedPartSum(), RangedPartSum()])
def test_of_parts_that_are_known_one_by_one_there_may_be_fewer(
    monkeypatch: pytest.MonkeyPatch, part_sum: object
):
    monkeypatch.setattr(part_sums, "MAX_SINGLE_PARTS", 30)
    assert "more than 30 parts" in str(failure_of_parts(10, first=0, part_sum=part_sum))


def test_parts_of_many_pages_are_summed_up_though_one_repeats():
    part_sum = NumberedPartSum()
    for page in ([1, 2], [3, 4], [5, 6], [4]):
        part_sum.add(Parts(page, [10] * len(page), [NOW + each for each in page]))
    assert part_sum.totals("C") == PartTotals(6, 60, NOW + 6, "C")


def unfinished(database: StateDatabase, first: int, uploads: int) -> Ledger:
    """Return a ledger whose scan sized uploads, and has not ended."""
    ledger = Ledger(LedgerRows(database, NAME))
    for number in range(first, first + uploads):
        [(row_id, record)] = ledger.look_up([upload(number)])
        ledger.record_parts(row_id, upload(number), PartTotals(1, 10, NOW), NOW, record)
    return ledger


def test_scans_that_never_finish_fill_no_state(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(new_rows, "MAX_IN_MEMORY", 10)
    database = StateDatabase()
    for scan in range(3):  # each by a process of its own
        ledger = unfinished(database, 8 * scan, 8)
        ledger.rows.flush()
    assert (ledger.rows.count(), caplog.text.count("more uploads are new")) == (10, 2)
    tally = Tally(now=NOW, stale_after=1.0, ages=(), with_parts=True)
    tally.add_unsized(upload(1))
    ledger.commit(ScanResult(tally.summary(), NOW, 1.0))
    assert ledger.rows.count() == 0
    for number in range(8):
        [(row_id, record)] = ledger.look_up([upload(number)])
        ledger.record_parts(row_id, upload(number), PartTotals(1, 10, NOW), NOW, record)
    ledger.rows.flush()
    assert ledger.rows.count() == 8


def test_of_uploads_that_had_ended_a_number_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledgers, "MAX_KEPT_ENDED", 2)
    ledger = Ledger()
    tally = Tally(now=NOW, stale_after=1.0, ages=(), with_parts=True)
    for record in (ledger.record_ended, ledger.record_denied):
        assert [record(upload(number)) for number in range(3)] == [False] * 3
    ledger.commit(ScanResult(tally.summary(), NOW, 1.0))
    for record in (ledger.record_ended, ledger.record_denied):
        assert [record(upload(number)) for number in range(3)] == [True, True, False]
