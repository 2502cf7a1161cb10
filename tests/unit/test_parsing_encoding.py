"""Keys of pages that were asked for in percent-encoding."""

from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.stores.base import Page, PageRequest
from exporter.stores.parsing.pages import read_uploads
from exporter.stores.transport.response import Response

NOW = 1.8e9
ENCODED = PageRequest(BucketSettings("b"), None, None, encoded=True)
PLAIN = ENCODED._replace(encoded=False)
any_bytes = st.binary(min_size=1, max_size=12)


def read(*written: str, request: PageRequest = ENCODED, marker: str = "", said: str = "url") -> Page:
    """Return the page of uploads whose keys are written so, and that says so how they are encoded."""
    named = f"<EncodingType>{said}</EncodingType>" if said else ""
    uploads = "".join(
        f"<Upload><Key>{escape(key)}</Key><UploadId>a%41+</UploadId></Upload>" for key in written
    )
    text = (
        f"{named}<NextKeyMarker>{escape(marker)}</NextKeyMarker><NextUploadIdMarker>%41</NextUploadIdMarker>"
    )
    root = "ListMultipartUploadsResult"
    return read_uploads(request, Response(200, {}, f"<{root}>{text}{uploads}</{root}>".encode()), "b", NOW)


def keys_of(page: Page) -> list[str]:
    return [upload.key for upload in page.items]


@given(st.lists(any_bytes, min_size=1, max_size=5), st.sampled_from([quote, quote_plus]))
@example([b"a+b c", b"%2B", b"\xff\x00\r"], quote_plus)
def test_any_key_survives_and_so_does_the_marker(keys: list[bytes], encode: object):
    page = read(*map(encode, keys), marker=encode(keys[0] + b"%"))
    assert [key.encode("utf-8", "surrogateescape") for key in keys_of(page)] == keys
    assert page.next_marker[0].encode("utf-8", "surrogateescape") == keys[0] + b"%"


def test_upload_ids_are_as_they_are():
    page = read("k", marker="k")
    assert (page.items[0].upload_id, page.next_marker[1]) == ("a%41+", "%41")


@pytest.mark.parametrize("name", ["EncodingType", "Encoding-Type"])
@pytest.mark.parametrize("said", ["url", " URL\n"])
@pytest.mark.parametrize("request_", [ENCODED, PLAIN])
def test_a_page_may_say_so_in_several_ways_asked_or_not(name: str, said: str, request_: PageRequest):
    body = f"<{name}>{said}</{name}><Upload><Key>a%20b</Key><UploadId>i</UploadId></Upload>"
    root = "ListMultipartUploadsResult"
    page = read_uploads(request_, Response(200, {}, f"<{root}>{body}</{root}>".encode()), "b", NOW)
    assert keys_of(page) == ["a b"]


@pytest.mark.parametrize("said", ["", "none"])
@pytest.mark.parametrize("key", ["pct%41x", "a+b", "100%", "%zz", "ü%20", "a b%20c"])
def test_nothing_is_decoded_where_the_page_does_not_say_so(key: str, said: str):
    page = read(key, marker=key, said=said)
    assert (keys_of(page), page.next_marker[0]) == ([key], key)


@pytest.mark.parametrize("keys", [["a b", "a%20b"], ["ü", "%20"], ["%41", "%20"], ["100%", "+"], ["\n", "+"]])
def test_nothing_is_decoded_where_a_key_shows_that_the_page_only_says_so(keys: list[str]):
    assert keys_of(read(*keys)) == keys


@pytest.mark.parametrize("key", ["a+b", "a%20b", "pct%41x", "a b"])
def test_a_marker_that_is_left_as_it_is_is_the_last_key(key: str):
    assert read("k", quote_plus(key), marker=key).next_marker[0] == key


def test_where_keys_may_be_encoded_or_not_the_page_is_refused():
    """As Ceph answers: its keys are encoded, and it does not say so."""
    with pytest.raises(StoreError, match="whether its keys are encoded") as caught:
        read("plain", "a%20b", said="")
    assert (caught.value.reason, caught.value.garbled) == (Reason.BAD_RESPONSE, False)
    assert keys_of(read("plain", "a%20b", said="", request=PLAIN)) == ["plain", "a%20b"]
