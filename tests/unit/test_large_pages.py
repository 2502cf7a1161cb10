"""Pages that are read in pieces come to what they are as a whole, or are refused."""

from __future__ import annotations

import threading

import pytest
from fakes import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings
from exporter.model.boundaries import SegmentStart
from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.model.uploads import Upload
from exporter.stores import timestamps
from exporter.stores.base import Page, PageRequest, pieces_of
from exporter.stores.pagination.boundaries import BoundaryCollector, MarkerCollector
from exporter.stores.pagination.listing import list_next_page
from exporter.stores.pagination.segmented_listing import SegmentedListing
from exporter.stores.pagination.uploads_paginator import UploadsPaginator
from exporter.stores.parsing import large_pages
from exporter.stores.parsing import pages as pages_of_uploads
from exporter.stores.parsing.pages import read_uploads
from exporter.stores.time_limit import time_limit
from exporter.stores.transport import listing_body
from exporter.stores.transport.response import Response

REQUEST = PageRequest(BucketSettings("media"), None, None)
ROOT = "ListMultipartUploadsResult"
DECLARATIONS = (
    *(b"", b'<?xml version="1.0"?>', b"<?xml version='1.0' encoding='utf-8'?>\n", b"\xef\xbb\xbf", b"\n"),
    b'<?xml version="1.0" encoding="iso-8859-1"?>',
)
SEPARATORS = (b"", b"\n", b"\n  ", b"\r\n\t", b" ")
FIELDS = (
    *(b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>true</IsTruncated>"),
    *(b"<NextKeyMarker>k</NextKeyMarker>", b"<NextUploadIdMarker>i</NextUploadIdMarker>"),
    *(b"<Bucket>media</Bucket>", b"<Bucket>other</Bucket>", b"<EncodingType>url</EncodingType>"),
)
ODD = (
    *(b"<!-- </Upload> -->", b"<!-- <Upload> -->", b"<![CDATA[</Upload><Upload>]]>", b"<?pi </Upload>?>"),
    *(b"<Upload/>", b"<Upload", b"<Upload>", b"</Upload>", b"</Upload >", b"<Upload a='1'>"),
    *(b"<x:Upload xmlns:x='urn:x'><x:Key>k</x:Key><x:UploadId>x</x:UploadId></x:Upload>", b"</X><X>", b"<X>"),
    *(b"</X>", f"</{ROOT}>".encode(), f"<{ROOT}>".encode(), b"<!DOCTYPE a>", b"&bogus;", b"&#1;", b"\x01"),
    *(
        b"\xff",
        b"\xc3\xa9",
        b"a'>b",
        b"<",
        b">",
        b"&",
        b"\r",
        b"<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>",
    ),
)
KEYS = ("k", "a/b", "\u00e9", "pct%41x", "a b", "x&amp;y", "a+b", "a%20b", "&#10;", "&#13;", "&lt;Upload&gt;")


def an_upload(key: str, number: int, more: bytes) -> bytes:
    initiator = b"<Initiator><ID>me</ID></Initiator>" if number % 2 else b""
    fields = f"<Key>{key}</Key><UploadId>id-{number}</UploadId><Initiated>2024-02-29T12:00:00Z</Initiated>"
    return b"<Upload>" + fields.encode() + initiator + more + b"</Upload>"


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a page, which most of the time is one."""
    separator = draw(st.sampled_from(SEPARATORS))
    odd = st.sampled_from((*ODD, *FIELDS)) if draw(st.booleans()) else st.just(b"")
    name = draw(st.sampled_from(["", " xmlns='urn:s'", " xmlns='urn:s' a='>'"]))
    parts = [draw(st.sampled_from(DECLARATIONS)), f"<{ROOT}{name}>".encode()]
    parts += draw(st.lists(st.sampled_from(FIELDS), max_size=2))
    for number, key in enumerate(draw(st.lists(st.sampled_from(KEYS), max_size=12))):
        odd_here = draw(odd) if draw(st.integers(0, 9)) == 0 else b""
        inside = draw(st.booleans())
        parts += [an_upload(key, number, odd_here if inside else b""), b"" if inside else odd_here, separator]
    parts += draw(st.lists(st.sampled_from(FIELDS), max_size=2))
    body = b"".join([*parts, f"</{ROOT}>".encode()])
    if draw(st.integers(0, 9)) == 0:
        start, length = draw(st.integers(0, len(body))), draw(st.integers(0, 12))
        body = body[:start] + draw(st.sampled_from((b"", *ODD))) + body[start + length :]
    return body


def outcome(body: bytes, *, encoded: bool = False) -> Page[Upload] | Reason:
    try:
        page = read_uploads(REQUEST._replace(encoded=encoded), Response(200, {}, body), "media", 1e9)
    except StoreError as error:
        return error.reason
    *_, last = pieces = list(pieces_of(page))
    return last._replace(items=[upload for piece in pieces for upload in piece.items])


def in_pieces(body: bytes, whole: int = 0, piece: int = 1, *, encoded: bool = False) -> Page[Upload] | Reason:
    """Read a page in pieces of an upload or a few; up to `whole` bytes it may be read whole after that."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(large_pages, "MIN_LARGE_BYTES", 0)
        patched.setattr(large_pages, "MAX_WHOLE_UPLOADS", 0)
        patched.setattr(large_pages, "MAX_WHOLE_BYTES", whole)
        patched.setattr(listing_body, "PIECE_BYTES", piece)
        return outcome(body, encoded=encoded)


@pytest.fixture
def page() -> bytes:
    uploads = [an_upload(f"k{number}", number, b"") for number in range(20)]
    return b"<ListMultipartUploadsResult>" + b"".join(uploads) + FIELDS[0] + b"</ListMultipartUploadsResult>"


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(body=pages(), piece=st.integers(1, 600), encoded=st.booleans())
def test_in_pieces_a_page_is_what_it_is_as_a_whole_or_refused(body: bytes, piece: int, *, encoded: bool):
    whole = outcome(body, encoded=encoded)
    assert in_pieces(body, piece=piece, encoded=encoded) in (whole, Reason.BAD_RESPONSE)
    assert in_pieces(body, whole=len(body), piece=piece, encoded=encoded) == whole


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("declaration", DECLARATIONS[:5])
def test_plain_pages_need_no_other_way(separator: bytes, declaration: bytes):
    body = separator.join(
        [
            declaration + f"<{ROOT} xmlns='urn:s'>".encode() + FIELDS[0] + FIELDS[2],
            *(an_upload(key, number, b"") for number, key in enumerate(KEYS)),
            f"</{ROOT}>".encode(),
        ]
    )
    found = in_pieces(body)
    assert isinstance(found, Page)
    assert [upload.upload_id for upload in found.items] == [f"id-{number}" for number in range(len(KEYS))]
    assert found == outcome(body)


def test_blanks_may_differ_from_upload_to_upload(page: bytes):
    body = page.replace(b"</Upload><Upload><Key>k7", b"</Upload>\n <Upload><Key>k7")
    assert in_pieces(body) == outcome(page)


@pytest.mark.parametrize(
    ("instead", "name"),
    [
        (b"</Upload></X><X><Upload>", "another parent"),
        (b"</Upload><EncodingType>url</EncodingType><Upload>", "a field that one piece would have alone"),
        (b"</Upload><!-- <Upload> --><Upload>", "a comment"),
    ],
)
def test_what_only_looks_like_a_list_of_uploads_is_not_read_in_pieces(page, instead, name):
    body = page.replace(b"</Upload><Upload>", instead)
    assert (in_pieces(body), name) == (Reason.BAD_RESPONSE, name)
    assert in_pieces(body, whole=len(body)) == outcome(body)


def test_uploads_that_one_end_tag_behind_them_would_close_in_each_piece_are_no_page(page: bytes):
    body = page.replace(b"</Upload>", b"<Upload a='1'></Upload>").replace(b"<IsT", b"</Upload ><IsT")
    assert in_pieces(body) == in_pieces(body, whole=len(body)) == outcome(body) == Reason.BAD_RESPONSE


def test_encodings_in_which_a_tag_s_bytes_may_be_text_are_not_read_in_pieces(page: bytes):
    body = b'<?xml version="1.0" encoding="iso-2022-jp"?>' + page
    assert in_pieces(body) == Reason.BAD_RESPONSE
    assert in_pieces(body, whole=len(body)) == outcome(body)


def test_a_page_with_a_character_that_xml_forbids_is_repaired_in_pieces_too(page: bytes):
    body = page.replace(b"<Key>k7<", b"<Key>k\x01<")
    found = in_pieces(body)
    assert isinstance(found, Page)
    assert [upload.key for upload in found.items if "\x01" in upload.key] == ["k\x01"]


def test_a_page_too_large_to_be_read_whole_says_how_many_uploads_it_has(page: bytes, monkeypatch):
    monkeypatch.setattr(large_pages, "MIN_LARGE_BYTES", 0)
    monkeypatch.setattr(large_pages, "MAX_WHOLE_UPLOADS", 0)
    monkeypatch.setattr(large_pages, "MAX_WHOLE_BYTES", 0)
    body = page.replace(b"<Upload>", b"<!-- --><Upload>", 1)
    with pytest.raises(StoreError, match="20 uploads"):
        read_uploads(REQUEST, Response(200, {}, body), "media", 1e9)


@pytest.mark.parametrize("uploads", [19, 20])
def test_pages_of_few_uploads_are_read_whole(page: bytes, monkeypatch, uploads: int):
    monkeypatch.setattr(large_pages, "MIN_LARGE_BYTES", 0)
    monkeypatch.setattr(large_pages, "MAX_WHOLE_UPLOADS", uploads)
    monkeypatch.setattr(listing_body, "PIECE_BYTES", 500)
    pieces = list(pieces_of(read_uploads(REQUEST, Response(200, {}, page), "media", 1e9)))
    assert (len(pieces) > 1) == (uploads < 20)
    assert [upload.key for piece in pieces for upload in piece.items] == [f"k{n}" for n in range(20)]
    assert [piece.truncated for piece in pieces] == [*[True] * (len(pieces) - 1), False]


def test_an_upload_that_comes_again_in_a_later_piece_counts_once(page: bytes):
    again = page.replace(b"k17<", b"k1<").replace(b"id-17<", b"id-1<")
    found = in_pieces(again)
    assert isinstance(found, Page)
    assert [upload.key for upload in found.items] == [f"k{number}" for number in range(20) if number != 17]


class TestTime:
    """Reading a large page ends with the scan's time, and where the process does."""

    @pytest.fixture(autouse=True)
    def _small_pieces(self, monkeypatch):
        for name in ("MIN_LARGE_BYTES", "MAX_WHOLE_UPLOADS"):
            monkeypatch.setattr(large_pages, name, 0)
        monkeypatch.setattr(listing_body, "PIECE_BYTES", 500)

    @pytest.fixture
    def clock(self, monkeypatch) -> Clock:
        """Return a clock that goes on by a second with each piece that is read."""
        clock, learn = Clock(), pages_of_uploads.UPLOAD_SHAPES.read

        def read(body: bytes) -> object:
            clock.now += 1
            return learn(body)

        monkeypatch.setattr(pages_of_uploads.UPLOAD_SHAPES, "read", read)
        return clock

    def pieces(self, page: bytes) -> list[Page[Upload]]:
        return list(
            pieces_of(
                read_uploads(REQUEST, Response(200, {}, page), "media", 1e9, pages_of_uploads.UPLOAD_SHAPES)
            )
        )

    @pytest.mark.parametrize("share", [0.2, 0.9])
    def test_over_before_it_is_read_is_a_timeout(self, page: bytes, clock: Clock, share: float):
        """Before it is proven, and while its uploads are taken."""
        self.pieces(page)
        deadline = clock.now + clock.now * share
        over = pytest.raises(StoreError, match=r"scan\.timeout")
        with over as caught, time_limit(deadline, clock.monotonic, threading.Event()):
            self.pieces(page)
        assert (caught.value.reason, clock.now) == (Reason.TIMEOUT, pytest.approx(deadline, abs=1))

    def test_a_stop_ends_it(self, page: bytes, clock: Clock):
        stop = threading.Event()
        stop.set()
        with pytest.raises(StoppingError), time_limit(1e9, clock.monotonic, stop):
            self.pieces(page)
        assert clock.now <= 1

    def test_dates_are_read_once(self, page: bytes, monkeypatch):
        read: list[str] = []
        parse = timestamps.parse_past_column
        monkeypatch.setattr(
            timestamps, "parse_past_column", lambda texts, now: read.extend(texts) or parse(texts, now)
        )
        self.pieces(page)
        assert len(read) == 20


def test_a_page_in_pieces_is_one_page_of_the_listing(page: bytes, monkeypatch):
    """It has one end and one marker, and the store is asked for nothing in between."""
    monkeypatch.setattr(large_pages, "MIN_LARGE_BYTES", 0)
    monkeypatch.setattr(large_pages, "MAX_WHOLE_UPLOADS", 0)
    monkeypatch.setattr(listing_body, "PIECE_BYTES", 500)
    more = page.replace(FIELDS[0], FIELDS[1] + FIELDS[2] + FIELDS[3])
    bodies = [more, page.replace(b"<Key>k", b"<Key>l").replace(b">id-", b">jd-")]
    paginator, asked, found = UploadsPaginator(), [], []
    while not paginator.done:
        task = list_next_page(paginator, REQUEST.bucket)
        try:
            asked.append(next(task).marker)
            answer = read_uploads(REQUEST, Response(200, {}, bodies.pop(0)), "media", 1e9)
            task.send(answer)
        except StopIteration as end:
            found += end.value
    assert asked == [None, ("k", "i")]
    assert [upload.key for upload in found] == [f"{name}{number}" for name in "kl" for number in range(20)]


def test_a_listing_of_pages_in_pieces_is_not_cut_at_these():
    """Its store has longer pages: markers of ours mean nothing to it."""
    uploads = [Upload(f"k{number:02}", "id") for number in range(80)]
    shown = [uploads[start : start + 10] for start in range(0, 80, 10)]
    for in_pieces, is_cut in ((False, True), (True, False)):
        listing = SegmentedListing(collector=BoundaryCollector())
        for items in shown:
            last = items is shown[-1]
            marker = None if in_pieces else (items[-1].key, "id")
            page = Page(items, not last, marker, rest=(lambda: None) if in_pieces and not last else None)
            listing.segments[0].accept(page)
        assert bool(listing.boundaries().keys) == is_cut


def test_a_listing_of_pages_in_pieces_is_cut_where_pages_begin_that_have_markers_of_the_stores_own():
    listing = SegmentedListing(endings=("",), collector=MarkerCollector(""))
    for number in range(8):
        keys = [f"k{number}{place}" for place in range(10)]
        rest = Page([], number < 7, (f"m{number}",), progressed=True, keys=keys[4:])
        first = Page([], truncated=True, progressed=True, keys=keys[:4], rest=lambda rest=rest: rest)
        for piece in (first, rest):
            listing.segments[0].accept(piece)
    found = listing.boundaries()
    assert (found.pages, found.keys) == (8, tuple(f"k{number}0" for number in range(1, 8)))
    assert found.starts == tuple(SegmentStart((f"m{number}",), f"k{number}9") for number in range(7))
