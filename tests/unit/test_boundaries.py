"""What is kept of a listing for the next one to be cut at: how much, whatever a server sends."""

from __future__ import annotations

import pytest

from exporter.model.boundaries import Boundary, SegmentStart
from exporter.stores.pagination.boundaries import (
    MAX_BOUNDARIES,
    MAX_CHARACTERS,
    BoundaryCollector,
    ListedPage,
    MarkerCollector,
)

PAGES = 400


def kept(length: int, *, by_marker: bool) -> list[str]:
    """Return the texts that are kept of a listing whose keys, or else its markers, have this length."""
    collector = MarkerCollector("") if by_marker else BoundaryCollector()
    for page in range(PAGES):
        keys = [f"{page:03}-{number}".ljust(0 if by_marker else length, "k") for number in range(5)]
        start = SegmentStart((f"{page}".rjust(length, "m"),), keys[0])
        boundary = Boundary(keys[0], start) if by_marker and page else None
        collector.add_page(ListedPage(0, keys, len(keys), boundary, is_last=page == PAGES - 1))
    found = collector.boundaries(("",))
    markers = [text for start in found.starts for text in (*(start.marker or ()), start.before)]
    return [*found.keys, *markers]


@pytest.mark.parametrize("by_marker", [False, True])
def test_of_keys_and_markers_of_usual_length_the_number_is_bounded(*, by_marker: bool):
    texts = kept(100, by_marker=by_marker)
    assert MAX_BOUNDARIES / 2 <= len(texts) / (3 if by_marker else 1) <= MAX_BOUNDARIES


@pytest.mark.parametrize("by_marker", [False, True])
@pytest.mark.parametrize("length", [10_000, 30_000])
def test_of_long_ones_fewer_are_kept(length: int, *, by_marker: bool):
    texts = kept(length, by_marker=by_marker)
    assert MAX_CHARACTERS / 4 <= sum(map(len, texts)) <= MAX_CHARACTERS


@pytest.mark.parametrize("by_marker", [False, True])
def test_one_that_is_longer_than_all_may_be_is_not_kept(*, by_marker: bool):
    assert kept(MAX_CHARACTERS + 1, by_marker=by_marker) == []
