"""Answers of status 200 that are not what was asked for: what they are, and what to check, is told."""

import pytest
from lxml import etree

from exporter.config.settings import BucketSettings
from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import Upload
from exporter.stores.base import PageRequest
from exporter.stores.parsing import parser
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.lifecycle import read_rules
from exporter.stores.parsing.pages import read_page
from exporter.stores.transport.response import Response

LISTING = PageRequest(BucketSettings("b"), None, None)
PARTS = PageRequest(LISTING.bucket, Upload("k", "i"), None)
READERS = {
    "ListMultipartUploads": lambda response: read_page(LISTING, response, "b", 1.8e9),
    "ListParts": lambda response: read_page(PARTS, response, "b", 1.8e9),
    "ListBuckets": read_buckets,
    "GetBucketLifecycleConfiguration": lambda response: read_rules(response, None),
}
ROOTS = {
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
}
OF_A_BUCKET = [name for name in READERS if name != "ListBuckets"]
HTML = "<!DOCTYPE html><html><head><title>Sign in</title><br></head></html>"


def failure(operation: str, body: str | bytes) -> StoreError:
    body = body if isinstance(body, bytes) else body.encode()
    with pytest.raises(StoreError) as caught:
        READERS[operation](Response(200, {}, body))
    assert str(caught.value).startswith(f"{operation}: ")
    return caught.value


@pytest.mark.parametrize("operation", OF_A_BUCKET)
def test_a_store_that_lists_objects_instead_does_not_know_the_call(operation: str):
    error = failure(operation, "<ListBucketResult xmlns='urn:s'><Name>b</Name></ListBucketResult>")
    assert (error.reason, error.status, error.garbled) == (Reason.UNSUPPORTED, 200, False)
    assert "list of objects (ListBucketResult)" in str(error)


def test_where_buckets_are_listed_that_is_a_wrong_address():
    error = failure("ListBuckets", "<ListBucketResult/>")
    assert (error.reason, "endpoint_url" in str(error)) == (Reason.BAD_RESPONSE, True)


@pytest.mark.parametrize("operation", READERS)
@pytest.mark.parametrize(
    ("body", "named", "check"),
    [
        ("<LocationConstraint>eu</LocationConstraint>", "the bucket's region", "proxy or cache"),
        ("<AccessControlPolicy/>", "an access control list", "proxy or cache"),
        ("<ListPartsResponse/>", "ListPartsResponse", "moto"),
        ("<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>", "a web page (HTML)", "endpoint_url"),
        (HTML, "a web page (HTML)", "endpoint_url"),
        ("\n<HTML><br>", "a web page (HTML)", "endpoint_url"),
        ("upstream connect error", "not the XML of a store (22 bytes)", "endpoint_url"),
        ("", "it is empty", "endpoint_url"),
        ('{"Buckets": []}', "JSON", "endpoint_url"),
        ("<New/>", "a New", "endpoint_url"),
    ],
)
def test_what_came_is_named_and_what_to_check(operation: str, body: str, named: str, check: str):
    error = failure(operation, body)
    assert (error.reason, named in str(error), check in str(error)) == (Reason.BAD_RESPONSE, True, True)


@pytest.mark.parametrize("operation", OF_A_BUCKET)
def test_a_list_of_buckets_says_that_the_bucket_s_name_was_lost(operation: str):
    error = failure(operation, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
    assert (error.reason, "list of buckets" in str(error)) == (Reason.BAD_RESPONSE, True)


@pytest.mark.parametrize("operation", READERS)
@pytest.mark.parametrize("other", ROOTS.values())
def test_the_answer_to_another_call_is_no_answer(operation: str, other: str):
    if other != ROOTS[operation]:
        assert failure(operation, f"<{other}/>").reason is Reason.BAD_RESPONSE


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ('{"code": "SlowDown", "message": "no"}', "SlowDown", "no"),
        ('{"Code": "SlowDown", "Message": "no"}', "SlowDown", "no"),
        ('{"error": {"code": 503, "message": "no"}}', "503", "no"),
        ('{"errors": [{"code": "E", "detail": "no"}, {}]}', "E", "no"),
        ('[{"error": {"errors": [{"message": "no"}]}}]', "", "no"),
        ('{"error": "E", "error_description": "no"}', "", "no"),
        ('{"__type": "E#x"}', "E#x", ""),
        ('{"error": "no"}', "", "no"),
        (' {"status": 500, "title": "no"}', "500", "no"),
    ],
)
def test_an_error_in_json_is_quoted(body: str, code: str, message: str):
    for operation in READERS:
        error = failure(operation, body)
        assert (error.reason, error.code, error.retryable) == (Reason.BAD_RESPONSE, code, code == "SlowDown")
        assert f"JSON, which no S3 store sends ({f'{code} {message}'.strip()})" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {}}',
        '{"error": [[[[[]]]]]}',
        "{}",
        "[]",
        '[{"code": {"a": 1}}]',
        "[" * 9,
        "[" * 100_000,
        "{",
    ],
)
def test_json_without_an_error_says_nothing(body: str):
    assert failure("ListParts", body).code == ""


def test_what_json_says_is_short_and_without_secrets():
    text = str(failure("ListParts", '{"message": "token=abc\\u0001' + "x" * 5000 + '"}'))
    assert ("abc" in text, len(text) < 600, text.isprintable()) == (False, True, True)


class TestErrorsInside:
    @pytest.mark.parametrize("operation", READERS)
    @pytest.mark.parametrize(
        "inside", ["{}", "<A>{}</A>", "<A><B/><C>text<D>{}</D></C></A>", "<Upload><Key>k</Key>{}</Upload>"]
    )
    @pytest.mark.parametrize("form", ["<Error>{}</Error>", "<e:Error xmlns:e='urn:e'>{}</e:Error>"])
    def test_they_are_errors_at_any_depth(self, operation: str, inside: str, form: str):
        code = form.format("<Code>SlowDown</Code><Message>no</Message>").replace("<C", "<C")
        error = failure(operation, f"<{ROOTS[operation]}>{inside.format(code)}</{ROOTS[operation]}>")
        assert (error.reason, error.code, error.retryable) == (Reason.BAD_RESPONSE, "SlowDown", True)
        assert "(SlowDown no)" in str(error)

    @pytest.mark.parametrize("root", ["ErrorResponse", "Response", "ListBucketResult"])
    def test_they_count_before_the_name_of_the_document(self, root: str):
        body = f"<{root}><Error><Code>AccessDenied</Code></Error></{root}>"
        assert failure("ListMultipartUploads", body).code == "AccessDenied"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
    def test_they_are_found_in_any_encoding(self, encoding: str):
        text = f"<?xml version='1.0' encoding='{encoding}'?><ListPartsResult><Error/></ListPartsResult>"
        assert "an error inside" in str(failure("ListParts", text.encode(encoding)))

    def test_a_key_that_looks_like_one_is_none(self):
        upload = "<Upload><Key>&lt;Error&gt;Error</Key><UploadId>Error</UploadId></Upload>"
        body = f"<ListMultipartUploadsResult>{upload}<Errors/></ListMultipartUploadsResult>"
        assert READERS["ListMultipartUploads"](Response(200, {}, body.encode())).items[0].upload_id == "Error"


class TestGarbled:
    """What a fault on the way may have damaged is worth another try; what something else sent is not."""

    @pytest.mark.parametrize("operation", READERS)
    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b" \n", b"<?xml version='1.0'?>", b"<?xml version='1.0' encoding='x'?><a/>", b"<List"),
            *(b"\xef\xbb\xbf\n<a><b></a>", b"<a/><b/>", "<a><b>".encode("utf-16"), b"<a>&nothing;</a>"),
        ],
    )
    def test_documents_that_do_not_parse_and_empty_ones_are(self, operation: str, body: bytes):
        error = failure(operation, body)
        assert (error.reason, error.garbled) == (Reason.BAD_RESPONSE, True)

    @pytest.mark.parametrize(
        "body",
        [
            *(HTML, "<html>", "<a/>", "OK", "\0" * 100, '{"uploads":', "<!DOCTYPE a><a/>", "<Error/>"),
            *("<!doctype HTML PUBLIC ''>", "{}"),
        ],
    )
    def test_whole_answers_of_something_else_are_not(self, body: str):
        for operation in READERS:
            assert failure(operation, body).garbled is False

    def test_an_upload_id_that_was_damaged_is(self):
        body = "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>\x01</UploadId></Upload>"
        error = failure("ListMultipartUploads", f"{body}</ListMultipartUploadsResult>")
        assert (error.reason, error.garbled) == (Reason.BAD_RESPONSE, True)


@pytest.mark.parametrize("name", ["ListMultipartUploads", "ListParts"])
def test_a_parser_that_lacks_memory_finds_no_fault_in_the_answer(monkeypatch: pytest.MonkeyPatch, name: str):
    def fail(*_: object) -> None:
        raise etree.XMLSyntaxError("unknown error", etree.ErrorTypes.ERR_NO_MEMORY, 0, 0)

    monkeypatch.setattr(parser.etree, "fromstring", fail)
    body = f"<{ROOTS[name]}><IsTruncated>false</IsTruncated></{ROOTS[name]}>"
    with pytest.raises(MemoryError):
        READERS[name](Response(200, {}, body.encode()))
