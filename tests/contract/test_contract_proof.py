"""Rule 1: a page is accepted only if it proves itself; whatever else came is a failure, never zero."""

import re
from dataclasses import replace
from itertools import product

import pytest
from cases import in_turn
from contract.rigs import (
    PARTS,
    SCAN,
    UPLOADS,
    Opener,
    Part,
    Rig,
    Upload,
    body,
    fields,
    items,
    refused,
    some_uploads,
)
from servers.standin import Reply

from exporter.config.settings import BucketSettings, StoreKind
from exporter.model.errors import Reason

LOGIN_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form/></body></html>"
GARBAGE = {
    "nothing": b"",
    "blank": b" \n",
    "HTML": LOGIN_PAGE,
    "XHTML without DOCTYPE": b"<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
    "text": b"OK",
    "null": b"null",
    "a number": b"0",
    "a list": b"[]",
    "an empty object": b"{}",
    "another object": b'{"uploads": [], "parts": [], "Uploads": []}',
    "half a page": b"<?xml version='1.0'?><ListMultipartUploadsResult><Bucket>media</Bucket>",
    "a page with nothing in it": b"<ListMultipartUploadsResult/>",
    "a list of parts with nothing in it": b"<ListPartsResult/>",
    "a listing of objects": b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
    "lower case": b"<listpartsresult/>",
    "zero bytes": b"\0" * 100,
    "binary": bytes(range(256)),
}
GARBLED = {"nothing", "blank", "half a page"}
"""What may be a page that was damaged on the way: it is asked for once more."""
UPLOAD = Upload("k", "id-1", parts=[Part(1, 7)])


@pytest.fixture(params=[UPLOADS, PARTS])
def operation(request: pytest.FixtureRequest) -> str:
    return request.param


def asked(operation: str) -> Upload | None:
    """Return what to size, None to list."""
    return UPLOAD if operation == PARTS else None


def found(rig: Rig, operation: str) -> bool:
    """Whether all that is there was found."""
    return rig.size(UPLOAD).bytes == 7 if operation == PARTS else rig.ids() == ["id-1"]


def reason_of(rig: Rig, status: int, what: str) -> Reason:
    """Return why this is refused: a store that lists objects instead does not know the call."""
    lists_objects = (status, what) == (200, "a listing of objects")
    is_known = lists_objects and rig.target.store is not StoreKind.GLACIER
    return Reason.UNSUPPORTED if is_known else Reason.BAD_RESPONSE


def times_asked(rig: Rig, status: int, what: str) -> int:
    garbled = GARBLED - {"half a page"} if rig.target.store is StoreKind.GLACIER else GARBLED
    return 2 if status == 200 and what in garbled else 1


class TestEveryStore:
    @in_turn(("status", "what"), product((200, 204), GARBAGE))
    def test_what_is_no_page_is_refused(self, kind_rig: Rig, operation: str, status: int, what: str):
        kind_rig.fill([UPLOAD])
        kind_rig.answer(operation, Reply(status, {"Content-Type": "text/html"}, GARBAGE[what]))
        reason = reason_of(kind_rig, status, what)
        assert refused(kind_rig, asked(operation)).reason == reason
        assert kind_rig.traffic.failures == {(operation, reason): times_asked(kind_rig, status, what)}

    def test_an_error_in_a_200_is_refused(self, rig: Rig, operation: str):
        rig.fill([UPLOAD])
        rig.answer(operation, replace(rig.refusal(403, "AccessDenied"), status=200))
        assert refused(rig, asked(operation)).reason == Reason.BAD_RESPONSE

    @in_turn(("how", "share"), product(("by length", "chunked", "without length"), (0.0, 0.3, 0.99)))
    def test_a_cut_body_is_refused(self, kind_rig: Rig, operation: str, how: str, share: float):
        kind_rig.fill([UPLOAD, *some_uploads(5)])

        def cut(reply: Reply) -> Reply:
            end = int(len(reply.body) * share)
            return replace(reply, cut_after=end, chunked=how == "chunked", no_length=how == "without length")

        kind_rig.fault(operation, reply=cut)
        assert refused(kind_rig, asked(operation)).reason == Reason.BAD_RESPONSE

    @in_turn("status", [201, 203, 206, 299])
    def test_a_page_under_another_status_is_refused(self, kind_rig: Rig, operation: str, status: int):
        kind_rig.fill([UPLOAD])
        kind_rig.fault(operation, reply=lambda reply: replace(reply, status=status))
        assert refused(kind_rig, asked(operation)).reason == Reason.BAD_RESPONSE

    def test_the_true_page_is_accepted(self, rig: Rig, operation: str):
        rig.fill([UPLOAD])
        assert found(rig, operation)


class TestRoot:
    NAMESPACES = (
        "",
        "http://obs.myhwclouds.com/doc/2015-06-30/",
        "urn:x",
        "http://s3.amazonaws.com/doc/2006-03-01/",
    )

    @in_turn("namespace", NAMESPACES)
    def test_any_namespace_or_none(self, page_rig: Rig, operation: str, namespace: str):
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, page=lambda page: replace(page, namespace=namespace))
        assert found(page_rig, operation)

    def test_a_prefixed_namespace(self, page_rig: Rig, operation: str):
        page_rig.fill([UPLOAD])

        def prefixed(text: bytes) -> bytes:
            named = re.sub(rb"<(/?)([A-Z])", rb"<\1s3:\2", text)
            return re.sub(rb" xmlns=", b" xmlns:s3=", named)

        page_rig.fault(operation, reply=body(prefixed))
        assert found(page_rig, operation)

    def test_single_quotes(self, page_rig: Rig, operation: str):
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, reply=body(lambda text: text.replace(b'"', b"'")))
        assert found(page_rig, operation)

    def test_a_byte_order_mark(self, page_rig: Rig, operation: str):
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, reply=body(lambda text: b"\xef\xbb\xbf" + text))
        assert found(page_rig, operation)

    @in_turn("root", ["ListVersionsResult", "ListAllMyBucketsResult", "Error", "listpartsresult"])
    def test_another_root_is_refused_though_all_the_rest_is_there(
        self, page_rig: Rig, operation: str, root: str
    ):
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, page=lambda page: replace(page, root=root))
        assert refused(page_rig, asked(operation)).reason == Reason.BAD_RESPONSE

    def test_the_answer_to_the_other_question_is_refused(self, page_rig: Rig, operation: str):
        root = {UPLOADS: "ListPartsResult", PARTS: "ListMultipartUploadsResult"}[operation]
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, page=lambda page: replace(page, root=root))
        assert refused(page_rig, asked(operation)).reason == Reason.BAD_RESPONSE

    @in_turn("namespace", ["", "urn:x"])
    def test_a_passing_error_in_a_200_is_asked_again(self, page_rig: Rig, operation: str, namespace: str):
        page_rig.fill([UPLOAD])
        passing = replace(page_rig.refusal(503, "SlowDown", namespace=namespace), status=200)
        page_rig.answer(operation, passing, {1, 2})
        assert found(page_rig, operation)


class TestContent:
    def test_another_bucket_is_refused(self, page_rig: Rig, operation: str):
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, page=fields(Bucket="other"))
        assert "another bucket" in str(refused(page_rig, asked(operation)))

    @in_turn("name", [None, "", " media\n"])
    def test_a_bucket_may_go_unnamed(self, page_rig: Rig, operation: str, name: str | None):
        page_rig.fill([UPLOAD])
        page_rig.fault(operation, page=fields(Bucket=name))
        assert found(page_rig, operation)

    @in_turn(
        "doctype",
        [
            "<!DOCTYPE r>",
            '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
            '<!DOCTYPE r SYSTEM "file:///etc/passwd">',
            '<!-- x --><!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]>',
        ],
    )
    @pytest.mark.parametrize("key", ["k", "k\x01"])
    def test_a_doctype_is_refused(self, page_rig: Rig, doctype: str, key: str):
        page_rig.fill([Upload(key, "id-1")])
        page_rig.fault(UPLOADS, reply=body(lambda text: text.replace(b"?>\n", f"?>\n{doctype}".encode(), 1)))
        assert refused(page_rig).reason == Reason.BAD_RESPONSE

    def test_a_key_that_looks_like_a_doctype_is_a_key(self, page_rig: Rig):
        page_rig.fill([Upload("<!DOCTYPE x>]]>&amp;<!ENTITY", "id-1")])
        assert [upload.key for upload in page_rig.uploads()] == ["<!DOCTYPE x>]]>&amp;<!ENTITY"]

    def test_elements_nobody_knows_are_passed_over(self, page_rig: Rig, operation: str):
        page_rig.fill([UPLOAD])
        new = {
            "ListMultipartUploadsResult.Prefix": "",
            "Encoding-Type": "",
            "CommonPrefixes": "x",
            "New": "1",
        }
        page_rig.fault(operation, page=fields(**new))
        page_rig.fault(
            operation, page=lambda page: replace(page, items=[item | {"New": "1"} for item in page.items])
        )
        assert found(page_rig, operation)

    def test_elements_may_come_in_any_order(self, page_rig: Rig, operation: str):
        page_rig.fill([UPLOAD])

        def reversed_(page: object) -> object:
            items = [dict(reversed(item.items())) for item in page.items]
            return replace(page, fields=dict(reversed(page.fields.items())), items=items)

        page_rig.fault(operation, page=reversed_)
        assert found(page_rig, operation)

    @in_turn(("field", "value"), product(("Key", "UploadId"), (None, "")))
    def test_an_upload_without_a_name_is_refused(self, page_rig: Rig, field: str, value: str | None):
        page_rig.fill([UPLOAD])
        page_rig.fault(UPLOADS, page=items(0, **{field: value}))
        assert refused(page_rig).reason == Reason.BAD_RESPONSE

    def test_a_page_of_another_request_is_refused(self, page_rig: Rig, operation: str):
        echoes = ("Prefix", "KeyMarker", "UploadIdMarker")
        if operation == PARTS:
            echoes = ("Key", "UploadId", "PartNumberMarker")
        for name in echoes:
            page_rig.reset()
            page_rig.fill([UPLOAD])
            page_rig.fault(operation, page=fields(**{name: "77"}))
            error = refused(page_rig, asked(operation))
            assert (error.reason, f"its {name} is not" in str(error)) == (Reason.BAD_RESPONSE, True)

    def test_the_second_page_of_another_listing_is_refused(self, open_page_rig: Opener):
        rig = open_page_rig(scan=replace(SCAN, page_size=1))
        for name in ("KeyMarker", "UploadIdMarker"):
            rig.reset()
            rig.fill(some_uploads(3))
            rig.fault(UPLOADS, {2}, page=fields(**{name: "key/777"}))
            assert f"its {name} is not" in str(refused(rig))

    def test_an_answer_that_repeats_nothing_of_the_request_is_accepted(self, open_page_rig: Opener):
        rig = open_page_rig(scan=replace(SCAN, page_size=1), bucket=BucketSettings("media", prefix="key/"))
        nothing = dict.fromkeys(("Bucket", "Prefix", "KeyMarker", "UploadIdMarker"))
        for said in (nothing, dict.fromkeys(nothing, ""), dict.fromkeys(nothing, " \n")):
            rig.reset()
            rig.fill(some_uploads(3))
            rig.fault(UPLOADS, page=fields(**said))
            assert rig.ids() == ["u000", "u001", "u002"]

    @in_turn("inside", ["<Error><Code>SlowDown</Code></Error>", "<A><B><Error xmlns='urn:x'/></B></A>"])
    def test_an_error_within_a_page_is_refused(self, page_rig: Rig, operation: str, inside: str):
        page_rig.fill([UPLOAD])
        page_rig.fault(
            operation, reply=body(lambda text: text.replace(b"<Bucket>", inside.encode() + b"<Bucket>"))
        )
        error = refused(page_rig, asked(operation))
        assert (error.reason, error.retryable) == (Reason.BAD_RESPONSE, "SlowDown" in inside)

    @in_turn("what", sorted(GARBLED))
    def test_a_garbled_answer_is_asked_for_once_more(self, page_rig: Rig, operation: str, what: str):
        page_rig.fill([UPLOAD])
        page_rig.answer(operation, Reply(200, {}, GARBAGE[what]), {1})
        assert found(page_rig, operation)
        assert page_rig.traffic.requests == {operation: 2}

    @in_turn(
        "inside",
        [
            "<Items><Item><Key>k</Key><UploadId>id-1</UploadId></Item></Items>",
            "<Multipart xmlns='urn:x'><Name>k</Name></Multipart>",
            "<Code>AccessDenied</Code><Message>No.</Message>",
        ],
    )
    def test_a_page_that_lists_nothing_and_has_what_nobody_knows_is_refused(
        self, page_rig: Rig, operation: str, inside: str
    ):
        page_rig.fill([UPLOAD] if operation == PARTS else [])
        page_rig.fault(operation, page=lambda page: replace(page, items=[]))
        assert (page_rig.size(UPLOAD).parts if operation == PARTS else len(page_rig.ids())) == 0
        page_rig.fault(
            operation, reply=body(lambda text: text.replace(b"<Bucket>", inside.encode() + b"<Bucket>"))
        )
        assert refused(page_rig, asked(operation)).reason == Reason.BAD_RESPONSE

    def test_white_space_around_an_upload_id_is_not_its_own(self, page_rig: Rig, operation: str):
        page_rig.fill([replace(UPLOAD, key=" k\t")])
        page_rig.fault(UPLOADS, reply=body(lambda text: text.replace(b"id-1", b"\n  id-1\n")))
        (listed,) = page_rig.uploads()
        assert (listed.key, listed.upload_id) == (" k\t", "id-1")
        assert page_rig.size(replace(UPLOAD, key=listed.key)).bytes == 7

    def test_a_page_that_fails_later_fails_the_listing(self, open_xml_rig: Opener):
        rig = open_xml_rig()
        rig.fill(some_uploads(2))
        rig.fault(UPLOADS, {1}, page=fields(IsTruncated="true"))
        rig.answer(UPLOADS, Reply(200, {}, LOGIN_PAGE), {2})
        assert refused(rig).reason == Reason.BAD_RESPONSE
