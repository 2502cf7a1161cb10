"""What a page repeats of its request: honest servers in all their ways are believed, other answers not."""

from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import PageRequest
from exporter.stores.parsing.pages import read_page
from exporter.stores.transport.response import Response

NOW = 1.8e9
PREFIX, KEY, ID = "db/a b+c%41é", "db/a b+c%41é/k", "2~x/+="
BUCKET = BucketSettings("b", prefix=PREFIX)
FIRST = PageRequest(BucketSettings("b"), None, None)
LATER = PageRequest(BUCKET, None, (KEY, ID))
PARTS = PageRequest(BUCKET, Upload(KEY, ID), None)
LATER_PARTS = PageRequest(BUCKET, Upload(KEY, ID), ("1000",))
ASKED = {
    "Prefix": PREFIX,
    "ListMultipartUploadsResult.Prefix": PREFIX,
    "KeyMarker": KEY,
    "UploadIdMarker": ID,
}
ASKED_OF_PARTS = {"Key": KEY, "UploadId": ID, "PartNumberMarker": "1000"}
ALL = [
    *((LATER, *pair) for pair in ASKED.items()),
    *((LATER_PARTS, *pair) for pair in ASKED_OF_PARTS.items()),
]
keys = st.text(st.characters(categories=["L", "N"], include_characters="._-~=*"), min_size=1, max_size=12)


def refused_field(request: PageRequest, **said: str) -> str:
    """Return which field shows that a page with these answers another request, '' where none does."""
    return refused_text(request, {name: escape(text, {"\r": "&#13;"}) for name, text in said.items()})


def refused_text(request: PageRequest, said: dict[str, str]) -> str:
    root = "ListPartsResult" if request.upload else "ListMultipartUploadsResult"
    fields = "".join(f"<{name}>{text}</{name}>" for name, text in said.items())
    try:
        read_page(request, Response(200, {}, f"<{root}>{fields}</{root}>".encode()), "b", NOW)
    except StoreError as error:
        return str(error).partition("its ")[2].partition(" ")[0]
    return ""


@pytest.mark.parametrize(("request_", "name", "asked"), ALL)
class TestEachField:
    def test_what_was_asked_for_is_right_as_given_and_encoded_either_way(
        self, request_: PageRequest, name: str, asked: str
    ):
        for said in (
            asked,
            quote(asked),
            quote(asked, safe=""),
            quote(asked, safe="+/"),
            quote_plus(asked),
            f"\n {asked} ",
        ):
            assert refused_field(request_, **{name: said}) == ""

    @pytest.mark.parametrize("said", ["", " ", "\r\n\t"])
    def test_an_empty_one_says_nothing(self, request_: PageRequest, name: str, asked: str, said: str):
        assert refused_field(request_, **{name: said}) == ""

    @pytest.mark.parametrize("other", ["7", "77"])
    def test_another_one_is_refused(self, request_: PageRequest, name: str, asked: str, other: str):
        assert refused_field(request_, **{name: other}) == name
        assert refused_field(request_, **{name: asked + other}) == name
        assert refused_field(request_, **{name: other + asked}) == name


def test_the_message_names_no_key():
    body = b"<ListMultipartUploadsResult><KeyMarker>their/secret</KeyMarker></ListMultipartUploadsResult>"
    with pytest.raises(StoreError) as caught:
        read_page(LATER, Response(200, {}, body), "b", NOW)
    assert caught.value.reason is Reason.BAD_RESPONSE
    assert [word for word in ("their", "db/") if word in str(caught.value)] == []


@pytest.mark.parametrize("name", ASKED)
def test_what_was_not_asked_for_may_be_named_as_nothing(name: str):
    assert [refused_field(FIRST, **{name: said}) for said in ("null", "None", "0")] == ["", "", ""]
    assert refused_field(FIRST, **{name: "other"}) == name


@pytest.mark.parametrize("said", ["0", "00", "-1", "None", "x", " 0 "])
@pytest.mark.parametrize("request_", [PARTS, LATER_PARTS])
def test_a_part_number_that_is_none_says_nothing(request_: PageRequest, said: str):
    assert refused_field(request_, PartNumberMarker=said) == ""


def test_a_part_number_is_compared_as_a_number():
    assert refused_field(LATER_PARTS, PartNumberMarker=" 01000\n") == ""
    assert refused_field(PARTS, PartNumberMarker="1000") == "PartNumberMarker"


def test_of_an_id_alone_a_server_may_name_the_key():
    alone = PageRequest(BUCKET, None, ("", ID))
    assert refused_field(alone, KeyMarker=KEY, UploadIdMarker=ID) == ""
    assert refused_field(alone, KeyMarker=KEY, UploadIdMarker="other") == "UploadIdMarker"


def test_of_a_key_alone_a_server_may_not_name_an_id():
    assert refused_field(PageRequest(BUCKET, None, (KEY, "")), UploadIdMarker=ID) == "UploadIdMarker"


def test_a_question_by_name_may_be_answered_without_its_prefix():
    assert refused_field(PageRequest(BUCKET, None, None, by_name=True), Bucket="b") == ""


@pytest.mark.parametrize(
    ("key", "said"),
    [
        *(("a\x01b", "a\ufffdb"), ("a\x01b", "ab"), ("a\rb", "a\nb"), ("a\r\nb", "a\nb"), ("k ", "k")),
        *(("a//b", "a/b"), ("/a", "a"), ("a/", "a"), ("a\\b", "a/b"), ("a&b", "a&amp;b"), ("\x01", "\ufffd")),
    ],
)
def test_what_servers_change_in_odd_keys_is_no_difference(key: str, said: str):
    request = PageRequest(BucketSettings("b", prefix=key), Upload(key, "i"), None)
    assert refused_field(request, Key=said) == ""
    assert refused_field(request._replace(upload=None, marker=(key, "i")), Prefix=said, KeyMarker=said) == ""


@pytest.mark.parametrize("written", ["a\x01b", "a&#1;b", "a\rb\x01", "a<![CDATA[\x01]]>b"])
def test_a_key_that_xml_cannot_hold_is_compared_as_repaired(written: str):
    request = PageRequest(BucketSettings("b"), Upload("a\x01b", "i"), None)
    assert refused_text(request, {"Key": written}) == ""


@given(keys, keys)
def test_keys_that_differ_are_told_apart(key: str, other: str):
    assume(key != other)
    request = PageRequest(BucketSettings("b"), Upload(key, "i"), None)
    assert (refused_field(request, Key=key), refused_field(request, Key=other)) == ("", "Key")
