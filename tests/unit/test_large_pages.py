"""Pages that are read in pieces come to what they are as a whole, or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.stores.base import Page, PageRequest
from exporter.stores.parsing import large_pages
from exporter.stores.parsing.pages import read_uploads
from exporter.stores.transport.response import Response

if TYPE_CHECKING:
    from exporter.model.uploads import Upload

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
    return page._replace(items=list(page.items))


def in_pieces(body: bytes, whole: int = 0, piece: int = 1, *, encoded: bool = False) -> Page[Upload] | Reason:
    """Read a page in pieces of an upload or a few; up to `whole` bytes it may be read whole after that."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(large_pages, "LARGE_BYTES", 0)
        patched.setattr(large_pages, "MAX_WHOLE_BYTES", whole)
        patched.setattr(large_pages, "PIECE_BYTES", piece)
        return outcome(body, encoded=encoded)


@pytest.fixture
def page() -> bytes:
    uploads = [an_upload(f"k{number}", number, b"") for number in range(20)]
    return b"<ListMultipartUploadsResult>" + b"".join(uploads) + FIELDS[0] + b"</ListMultipartUploadsResult>"


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
    monkeypatch.setattr(large_pages, "LARGE_BYTES", 0)
    monkeypatch.setattr(large_pages, "MAX_WHOLE_BYTES", 0)
    for body, limit in ((page.replace(b"<Upload>", b"<!-- --><Upload>", 1), 100), (page, 19)):
        monkeypatch.setattr(large_pages, "MAX_UPLOADS", limit)
        with pytest.raises(StoreError, match="20 uploads"):
            read_uploads(REQUEST, Response(200, {}, body), "media", 1e9)


def test_small_pages_are_read_whole(page: bytes, monkeypatch):
    sizes = []
    monkeypatch.setattr(large_pages, "LARGE_BYTES", len(page))
    for body in (page, page + b" "):
        read = large_pages.read_large_page(
            Response(200, {}, body), lambda part: sizes.append(len(part.body)) or Page([], truncated=False)
        )
        assert read is None
    assert len(sizes) == 2  # the frame, and then a piece, which does not have what it should
