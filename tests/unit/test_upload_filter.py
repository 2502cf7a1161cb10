"""Which uploads a person gets to see: against a plain list that is filtered and sorted as a whole."""

from __future__ import annotations

import pytest
from fakes import NOW
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.upload_filter import FoundUpload, UploadFilter, UploadSelection, merge_selections
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.uploads import CountedUpload, Upload

TARGET = TargetSettings("prod", StoreKind.S3, ())


def found(
    number: int, age: float | None = None, idle: float | None = None, size: int | None = None
) -> CountedUpload:
    upload = Upload(f"key-{number}", f"id-{number}", None if age is None else NOW - age)
    return CountedUpload(upload, None if idle is None else NOW - idle, None, size, "STANDARD")


def select(wanted: UploadFilter, *buckets: list[CountedUpload]) -> tuple[list[str], tuple[int, int, int]]:
    """Return the keys that are shown, and how many were wanted, undated and unsized."""
    selections = []
    for number, uploads in enumerate(buckets):
        selection = UploadSelection(wanted, TARGET, BucketSettings(f"bucket-{number}"))
        for each in uploads:
            selection.add(each)
        assert not wanted.limit or len(selection.ranked()) <= wanted.limit
        selections.append(selection)
    rows, counts = merge_selections(selections, wanted.limit)
    return [row.upload.key for row in rows], (counts.matched, counts.undated, counts.unsized)


@pytest.mark.parametrize(("order", "expected"), [("age", "210"), ("idle", "021"), ("bytes", "120")])
def test_the_worst_come_first(order, expected):
    uploads = [found(0, 1.0, 9.0, 5), found(1, 2.0, 1.0, 50), found(2, 3.0, 2.0, 7)]
    keys, _ = select(UploadFilter(NOW, order), uploads)
    assert keys == [f"key-{number}" for number in expected]


def test_of_two_that_are_equally_bad_the_first_of_the_first_bucket_comes_first():
    keys, _ = select(
        UploadFilter(NOW, limit=3), [found(0, 1.0), found(1, 1.0)], [found(2, 1.0), found(3, 1.0)]
    )
    assert keys == ["key-0", "key-1", "key-2"]


@pytest.mark.parametrize("order", ["age", "idle", "bytes"])
def test_what_is_not_known_comes_last(order):
    keys, counts = select(UploadFilter(NOW, order), [found(0), found(1, 0.0, 0.0, 0)])
    assert (keys, counts) == (["key-1", "key-0"], (2, 0, 0))


def test_what_cannot_be_judged_is_left_out_and_counted():
    uploads = [
        found(0, None, 5.0, 5),
        found(1, 5.0, None, 5),
        found(2, 5.0, 5.0, None),
        found(3, 5.0, 5.0, 5),
    ]
    wanted = UploadFilter(NOW, older_than=1.0, idle_for=1.0, min_bytes=1)
    assert select(wanted, uploads) == (["key-3"], (1, 2, 1))


def test_stale_ones_are_those_that_the_scan_judged_so_and_denied_ones_are_not():
    old = found(0, 9.0, 9.0)
    uploads = [old, found(1, 1.0, 1.0)._replace(stale=True), found(2), old._replace(denied=True)]
    assert select(UploadFilter(NOW, stale=True), uploads) == (["key-1"], (1, 1, 0))
    assert select(UploadFilter(NOW, idle_for=2.0, stale=True), uploads) == ([], (0, 1, 0))


def test_denied_ones_come_last_and_are_in_no_other_count():
    denied = [found(0, 9.0)._replace(denied=True), found(1)._replace(denied=True)]
    uploads = [*denied, found(2), found(3, 1.0)._replace(unlisted=True)]
    assert select(UploadFilter(NOW), uploads) == (["key-3", "key-2", "key-0", "key-1"], (2, 0, 0))
    assert select(UploadFilter(NOW, limit=2), uploads) == (["key-3", "key-2"], (2, 0, 0))
    assert select(UploadFilter(NOW, older_than=5.0), uploads) == (["key-0"], (0, 1, 0))
    assert select(UploadFilter(NOW, min_bytes=1), denied) == ([], (0, 0, 0))


def test_an_upload_that_is_known_by_its_hash_only_is_in_no_list():
    nameless = CountedUpload(Upload("", "", NOW), NOW, 1, 5, "STANDARD", unlisted=True)
    assert select(UploadFilter(NOW), [nameless]) == ([], (0, 0, 0))


known = st.none() | st.integers(0, 5).map(float)
uploads_of = st.lists(st.tuples(known, known, st.none() | st.integers(0, 5)), max_size=12)


@given(
    st.lists(uploads_of, max_size=3),
    st.sampled_from(["age", "idle", "bytes"]),
    st.integers(0, 6),
    st.tuples(known, known, st.none() | st.integers(0, 5)),
)
def test_as_if_all_were_filtered_and_sorted(buckets, order, limit, filters):
    older_than, idle_for, min_bytes = filters
    numbered, number = [], 0
    for bucket in buckets:
        numbered.append([found(number + n, *values) for n, values in enumerate(bucket)])
        number += len(bucket)
    wanted = UploadFilter(NOW, order, limit, older_than, idle_for, min_bytes)
    passing = [
        FoundUpload(TARGET, BucketSettings("-"), each)
        for uploads in numbered
        for each in uploads
        if (older_than is None or (each.upload.initiated or NOW + 1) <= NOW - older_than)
        and (idle_for is None or (each.activity or NOW + 1) <= NOW - idle_for)
        and (min_bytes is None or (each.bytes if each.bytes is not None else -1) >= min_bytes)
    ]
    value = {
        "age": lambda row: row.upload.initiated,
        "idle": lambda row: row.found.activity,
        "bytes": lambda row: None if row.found.bytes is None else -row.found.bytes,
    }[order]
    passing.sort(key=lambda row: (value(row) is None, value(row) or 0.0))
    keys, counts = select(wanted, *numbered)
    assert keys == [row.upload.key for row in passing[: limit or None]]
    assert counts[0] == len(passing)
