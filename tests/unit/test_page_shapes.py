"""A page is what the parser makes of it, whether its shape is known or not."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.store_pages import (
    BEFORE,
    BEFORE_TAG,
    LISTINGS,
    ODD_ELEMENTS,
    ODD_TEXTS,
    PARTS,
    PLAIN_TEXTS,
    STORES,
    TAG,
    TEXT,
    UPLOADS,
    Listing,
    Store,
    each_with,
    mutated,
    odd_tags,
)

from exporter.stores.base import Page, pieces_of
from exporter.stores.parsing import document, large_pages
from exporter.stores.parsing.shape_learning import FREE_LESSONS, PAGES_PARSED_PER_LESSON
from exporter.stores.transport import listing_body

if TYPE_CHECKING:
    from exporter.stores.parsing.shape_learning import Shapes


def taught(listing: Listing, *stores: Store, pages: int = 8) -> Shapes:
    """Return shapes that have been learned from some pages of each store."""
    shapes = listing.shapes()
    for store in stores:
        for number in range(pages):
            listing.outcome(listing.body(store, Random(number), items=number), shapes)
    return shapes


PARSER = {listing: listing.shapes(0) for listing in LISTINGS}
TAUGHT = {(listing, store): taught(listing, store) for listing in LISTINGS for store in STORES}


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_the_second_page_of_a_store_needs_no_parser(listing: Listing, store: Store):
    shapes = listing.shapes()
    body = listing.body(store, Random(1), items=3)
    assert shapes.read(body) is None
    first = listing.outcome(body, shapes)
    assert isinstance(first, Page)
    assert shapes.read(body) is not None
    assert listing.outcome(body, shapes) == first


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
@pytest.mark.parametrize("listing", [UPLOADS, PARTS], ids=lambda listing: listing.name)
@pytest.mark.slow
@pytest.mark.no_cover
def test_every_odd_text_element_and_tag_is_read_as_the_parser_does(listing: Listing, store: Store):
    body = listing.body(store, Random(3), items=1)
    tags = {match[0] for match in TAG.finditer(body.decode())}
    bodies = [
        *each_with(body, TEXT, (*PLAIN_TEXTS, *ODD_TEXTS)),
        *each_with(body, BEFORE_TAG, ODD_ELEMENTS),
        *(body.replace(tag.encode(), odd.encode(), 1) for tag in tags for odd in odd_tags(tag)),
        *(before.encode() + body for before in BEFORE),
        *(body[:end] for end in range(0, len(body), 19)),
    ]
    shapes, parser = TAUGHT[listing, store], PARSER[listing]
    differ = [each for each in bodies if listing.outcome(each, shapes) != listing.outcome(each, parser)]
    assert differ == []


@pytest.mark.slow
@pytest.mark.no_cover
@settings(max_examples=500)
@given(st.sampled_from(LISTINGS), st.sampled_from(STORES), st.integers(0, 2**32))
def test_a_page_is_what_the_parser_makes_of_it_whatever_happened_to_it(
    listing: Listing, store: Store, number: int
):
    chance = Random(number)
    body = mutated(listing.body(store, chance), chance)
    assert listing.outcome(body, TAUGHT[listing, store]) == listing.outcome(body, PARSER[listing])


def test_no_more_shapes_are_kept_than_the_limit_and_the_one_not_used_for_longest_goes():
    shapes = PARTS.shapes(2)
    bodies = [PARTS.body(store, Random(1), items=3) for store in (STORES[0], STORES[1], STORES[3])]
    for body in (*bodies[:2], bodies[0], bodies[2]):
        PARTS.outcome(body, shapes)
    assert [shapes.read(body) is not None for body in bodies] == [True, False, True]


def test_of_pages_that_are_never_alike_few_are_learned_from():
    shapes = PARTS.shapes()
    body = PARTS.body(STORES[0], Random(1), items=3)
    odd = [body.replace(b"Owner", f"Owner{number}".encode()) for number in range(FREE_LESSONS)]
    for each in (*odd, body):
        PARTS.outcome(each, shapes)
    assert shapes.read(body) is None
    for _ in range(PAGES_PARSED_PER_LESSON):
        PARTS.outcome(body, shapes)
    assert shapes.read(body) is not None


def test_pages_that_no_pattern_could_read_are_no_lesson():
    shapes = PARTS.shapes()
    body = PARTS.body(STORES[0], Random(1), items=3)
    for _ in range(FREE_LESSONS):
        PARTS.outcome(body.replace(b"<IsTruncated>", b"<Icon>&#13;</Icon><IsTruncated>"), shapes)
    PARTS.outcome(body, shapes)
    assert shapes.read(body) is not None


def test_pages_whose_items_have_different_fields_are_of_one_shape():
    shapes = PARTS.shapes(1)
    body = PARTS.body(STORES[0], Random(1), items=3)
    plain = re.sub(rb"<ChecksumCRC32>[^<]*</ChecksumCRC32>", b"", body)
    with_sum = plain.replace(b"</Part>", b"<ChecksumCRC32>x</ChecksumCRC32></Part>")
    mixed = plain.replace(b"</Part>", b"<ChecksumCRC32>x</ChecksumCRC32></Part>", 1)
    for each in (plain, with_sum):
        PARTS.outcome(each, shapes)
    assert [shapes.read(each) is not None for each in (plain, with_sum, mixed)] == [True, True, True]


def test_uploads_grouped_by_a_delimiter_are_refused_after_a_page_with_an_empty_group():
    shapes, parser = UPLOADS.shapes(), UPLOADS.shapes(0)
    group = b"<CommonPrefixes><Prefix></Prefix></CommonPrefixes></ListMultipartUploadsResult>"
    empty = UPLOADS.body(STORES[0], Random(1), items=2).replace(b"</ListMultipartUploadsResult>", group)
    full = empty.replace(b"<Prefix></Prefix></Common", b"<Prefix>a/</Prefix></Common")
    found = [UPLOADS.outcome(body, shapes) for body in (empty, empty, full)]
    assert found == [UPLOADS.outcome(body, parser) for body in (empty, empty, full)]
    assert [isinstance(each, Page) for each in found] == [True, True, False]


def test_no_shape_has_the_fields_of_an_item_elsewhere_though_each_came_alone():
    shapes = UPLOADS.shapes()
    body = UPLOADS.body(STORES[0], Random(1), items=3)
    page = {
        name: re.sub(rb"(</\w+>)\s*$", rb"<More>" + fields + rb"</More>\1", body)
        for name, fields in {
            "": b"",
            "Key": b"<Key>k</Key>",
            "UploadId": b"<UploadId>i</UploadId>",
            "both": b"<UploadId>i</UploadId><Key>k</Key>",
        }.items()
    }
    outcomes = {name: UPLOADS.outcome(each, shapes) for name, each in page.items()}
    are_pages = {name: isinstance(outcome, Page) for name, outcome in outcomes.items()}
    assert are_pages == {"": True, "Key": True, "UploadId": True, "both": False}


def test_pages_in_pieces_are_of_the_shape_of_the_whole(monkeypatch):
    shapes, body = UPLOADS.shapes(), UPLOADS.body(STORES[0], Random(3), items=50)
    whole = UPLOADS.outcome(body, shapes)
    monkeypatch.setattr(large_pages, "MIN_LARGE_BYTES", 0)
    monkeypatch.setattr(large_pages, "MAX_WHOLE_UPLOADS", 0)
    monkeypatch.setattr(listing_body, "PIECE_BYTES", 500)
    monkeypatch.setattr(document, "parse", None)  # no parser is asked
    pieces = list(pieces_of(UPLOADS.outcome(body, shapes)))
    assert len(pieces) > 1
    found = {upload[:2]: upload for piece in reversed(pieces) for upload in reversed(piece.items)}
    assert found == {upload[:2]: upload for upload in reversed(whole.items)}
    assert pieces[-1]._replace(items=whole.items) == whole


def test_threads_share_shapes():
    shapes, parser = UPLOADS.shapes(2), UPLOADS.shapes(0)
    bodies = [UPLOADS.body(store, Random(number)) for number in range(30) for store in STORES]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda body: UPLOADS.outcome(body, shapes), bodies * 5))
    assert found == [UPLOADS.outcome(body, parser) for body in bodies] * 5
