"""The worst uploads of many: by each order the right ones, and no more than asked for, denied ones apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.top_uploads import ORDERS, TopUploads
from exporter.model.uploads import CountedUpload, Upload

moments = st.none() | st.floats(0, 1e9)
found = st.builds(
    CountedUpload,
    st.builds(Upload, st.text(max_size=3), st.just("id"), moments),
    moments,
    st.just(1),
    st.none() | st.integers(0, 2**60),
    st.just("STANDARD"),
    denied=st.booleans(),
    unlisted=st.booleans(),
)
STALE_BEFORE = 5e8
BADNESS = {
    "age": lambda each: each.upload.initiated,
    "idle": lambda each: each.activity,
    "bytes": lambda each: None if each.bytes is None else -each.bytes,
}


def group(each: CountedUpload) -> str:
    return "d" if each.denied else "u" if each.unlisted else "l"


@given(st.lists(found, max_size=30), st.integers(1, 8))
def test_each_order_holds_the_worst_and_begins_with_the_very_worst(uploads: list[CountedUpload], limit: int):
    worst = TopUploads(limit)
    for each in uploads:
        worst.add(each)
    for order in ORDERS:
        known = sorted((each for each in uploads if BADNESS[order](each) is not None), key=BADNESS[order])
        unlisted, there, denied = ([each for each in known if group(each) == name][:limit] for name in "uld")
        assert [*unlisted, *there, *denied] == [found for _, found in worst.ranked(order)]


@given(st.lists(found, max_size=30), st.integers(1, 8))
def test_of_the_stale_ones_alone_it_holds_as_many_whatever_else_is_worse(
    uploads: list[CountedUpload], limit: int
):
    judged = [
        each._replace(stale=each.activity is not None and each.activity <= STALE_BEFORE) for each in uploads
    ]
    worst, of_stale = TopUploads(limit), TopUploads(limit)
    for each in judged:
        worst.add(each)
        if each.stale:
            of_stale.add(each)
    for order in ORDERS:
        assert of_stale.ranked(order) == worst.ranked(order, stale=True)


def test_an_upload_that_is_known_by_its_hash_only_is_in_no_list():
    worst = TopUploads(5)
    worst.add(CountedUpload(Upload("", "", 1.0), 1.0, 1, 1, "STANDARD", unlisted=True))
    assert [worst.ranked(order) for order in ORDERS] == [[], [], []]
