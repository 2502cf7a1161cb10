"""What refusals mean: a reason of the closed set, another try or none, and nothing secret in the text."""

import time
from email.utils import formatdate
from itertools import product

import pytest
from cases import in_turn
from contract.rigs import PARTS, UPLOADS, Opener, Part, Rig, Upload, refused
from fakes import Clock
from servers.standin import Reply

from exporter.model.errors import GoneError, Reason, StoppingError
from exporter.stores.transport.client import MAX_REQUESTS_PER_CALL

UPLOAD = Upload("secret-key-name", "id-1", parts=[Part(1, 7)])
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
CODES = [
    (403, "AccessDenied", Reason.ACCESS_DENIED),
    (403, "InvalidAccessKeyId", Reason.CREDENTIALS),
    (403, "SignatureDoesNotMatch", Reason.CREDENTIALS),
    (403, "RequestTimeTooSkewed", Reason.CREDENTIALS),
    (400, "ExpiredToken", Reason.CREDENTIALS),
    (400, "InvalidToken", Reason.CREDENTIALS),
    (400, "AuthorizationHeaderMalformed", Reason.CREDENTIALS),
    (404, "NoSuchBucket", Reason.NOT_FOUND),
    (405, "MethodNotAllowed", Reason.UNSUPPORTED),
    (501, "NotImplemented", Reason.UNSUPPORTED),
    (400, "RequestTimeout", Reason.TIMEOUT),
    (503, "SlowDown", Reason.THROTTLED),
    (503, "ServiceUnavailable", Reason.SERVER_ERROR),
    (500, "InternalError", Reason.SERVER_ERROR),
    (400, "ThrottlingException", Reason.THROTTLED),
    (400, "InvalidRequest", Reason.BAD_RESPONSE),
    (400, "InvalidBucketName", Reason.BAD_RESPONSE),
    (400, "UnsupportedAlgorithm", Reason.CREDENTIALS),
    (403, "SecondLevelDomainForbidden", Reason.UNSUPPORTED),
    (404, "XAdminUserNotFound", Reason.CREDENTIALS),
    (418, "Teapot", Reason.BAD_RESPONSE),
]
STATUSES = [
    (400, Reason.BAD_RESPONSE),
    (401, Reason.CREDENTIALS),
    (403, Reason.ACCESS_DENIED),
    (404, Reason.BAD_RESPONSE),
    (405, Reason.UNSUPPORTED),
    (408, Reason.TIMEOUT),
    (429, Reason.THROTTLED),
    (500, Reason.SERVER_ERROR),
    (501, Reason.UNSUPPORTED),
    (502, Reason.SERVER_ERROR),
    (503, Reason.SERVER_ERROR),
    (504, Reason.SERVER_ERROR),
    (599, Reason.SERVER_ERROR),
]
RETRIED = {Reason.THROTTLED, Reason.SERVER_ERROR, Reason.TIMEOUT}


@pytest.fixture(params=[UPLOADS, PARTS])
def operation(request: pytest.FixtureRequest) -> str:
    return request.param


def asked(operation: str) -> Upload | None:
    return UPLOAD if operation == PARTS else None


def check(rig: Rig, operation: str, reason: Reason) -> None:
    """Ask, which has to fail for this reason, tried again if that may help; each try is counted."""
    error = refused(rig, asked(operation))
    tries = 1 + rig.target.scan.retries if reason in RETRIED else 1
    assert (error.reason, type(error) is GoneError) == (reason, False)
    assert len([request for request in rig.standin.requests if request.method == "GET"]) == tries
    assert rig.traffic.requests[operation] == tries
    assert rig.traffic.failures == {(operation, reason): tries}


class TestReasons:
    @in_turn(("status", "code", "reason"), CODES)
    def test_by_the_store_s_code(self, kind_rig: Rig, operation: str, status: int, code: str, reason: Reason):
        kind_rig.answer(operation, kind_rig.refusal(status, code))
        check(kind_rig, operation, reason)

    @in_turn(("status", "code", "reason"), CODES[:3] + CODES[7:8] + CODES[11:12])
    def test_by_the_code_in_a_namespace(
        self, page_rig: Rig, operation: str, status: int, code: str, reason: Reason
    ):
        refusal = page_rig.refusal(status, code, namespace="http://s3.amazonaws.com/doc/2006-03-01/")
        page_rig.answer(operation, refusal)
        check(page_rig, operation, reason)

    @in_turn(
        ("status", "reason", "content"),
        [(*pair, b"") for pair in STATUSES]
        + [
            (*pair, text)
            for pair in STATUSES[2:8:5]
            for text in (HTML, b"{", b"\xff\xfe<Error>")
            if (pair[0], text) != (403, HTML)
        ]
        + [(403, Reason.BAD_RESPONSE, HTML)],  # a gateway's page does not know who we are
    )
    def test_by_the_status_where_the_body_does_not_say(
        self, kind_rig: Rig, operation: str, status: int, reason: Reason, content: bytes
    ):
        kind_rig.answer(operation, Reply(status, {"Content-Type": "text/html"}, content))
        check(kind_rig, operation, reason)

    @in_turn(
        ("status", "target"),
        [(status, "{url}/media?uploads") for status in (301, 302, 303, 304, 307, 308)]
        + [(307, target) for target in ("http://localhost:1/", "/", "")],
    )
    def test_redirects_are_refused_and_bounded(self, rig: Rig, operation: str, status: int, target: str):
        headers = {"Location": target.format(url=rig.standin.url) or None}
        for asked_too in (operation, "HeadBucket"):
            rig.answer(asked_too, Reply(status, headers))
        error = refused(rig, asked(operation))
        assert error.reason == Reason.BAD_RESPONSE
        asked_before = rig.target.engine == "wire"  # once by itself, then boto3 is let follow
        assert sum(rig.traffic.requests.values()) <= MAX_REQUESTS_PER_CALL + asked_before


class TestRetries:
    @in_turn(("status", "failures"), product((429, 500, 502, 503), (1, 2)))
    def test_what_passes_is_survived(self, kind_rig: Rig, operation: str, status: int, failures: int):
        kind_rig.fill([UPLOAD])
        kind_rig.answer(operation, Reply(status), set(range(1, failures + 1)))
        found = kind_rig.size(UPLOAD).parts if operation == PARTS else len(kind_rig.ids())
        assert found == 1
        assert kind_rig.traffic.requests[operation] == failures + 1
        assert sum(kind_rig.traffic.failures.values()) == failures

    def test_no_retries_means_one_request(self, rig: Rig):
        rig.answer(UPLOADS, Reply(503))
        with pytest.raises(Exception, match="503"):
            rig.ids(retries=0)
        assert len(rig.standin.requests) == 1

    def test_pauses_are_drawn_from_a_doubling_span(self, one_rig: Rig):
        drawn: list[tuple[float, float]] = []
        one_rig.answer(UPLOADS, Reply(503))
        with pytest.raises(Exception, match="503"):
            one_rig.ids(retries=8, jitter=lambda low, high: drawn.append((low, high)) or 0.0)
        assert drawn == [(0.0, min(20.0, 0.5 * 2**number)) for number in range(8)]

    @pytest.mark.parametrize("header", ["1", "date"])
    def test_retry_after_is_the_shortest_pause(self, one_rig: Rig, header: str):
        now = time.time()
        later = {"Retry-After": "1"}
        if header == "date":
            later = {"Retry-After": formatdate(now + 1, usegmt=True), "Date": formatdate(now, usegmt=True)}
        one_rig.fill([UPLOAD])
        one_rig.answer(UPLOADS, Reply(503, later), {1})
        clock = Clock(time.monotonic())
        assert one_rig.ids(stop=clock, monotonic=clock.monotonic) == ["id-1"]
        assert clock.waited == [pytest.approx(1.0)]

    @pytest.mark.parametrize("asked_for", ["3600", "999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_retry_after_never_outlasts_the_scan(self, one_rig: Rig, asked_for: str):
        one_rig.answer(UPLOADS, Reply(503, {"Retry-After": asked_for}))
        started = time.monotonic()
        error = refused(one_rig)
        assert (error.reason, len(one_rig.standin.requests)) == (Reason.SERVER_ERROR, 1)
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize("nonsense", ["-5", "soon", "1.5s", "", "Thu, 01 Jan 1970 00:00:00 GMT"])
    def test_a_retry_after_that_says_nothing_is_passed_over(self, one_rig: Rig, nonsense: str):
        one_rig.fill([UPLOAD])
        one_rig.answer(UPLOADS, Reply(503, {"Retry-After": nonsense}), {1})
        assert one_rig.ids() == ["id-1"]

    def test_stopping_ends_a_pause(self, open_rig: Opener):
        rig = open_rig()
        rig.answer(UPLOADS, Reply(503, {"Retry-After": "20"}))
        rig.fault(UPLOADS, reply=lambda reply: (rig.stop.set(), reply)[1])
        started = time.monotonic()
        with pytest.raises(StoppingError):
            rig.ids()
        assert time.monotonic() - started < 5


class TestText:
    def test_it_is_one_line_with_neither_secret_nor_key(self, rig: Rig, operation: str):
        signature = "Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
        message = (
            f"no\n\x1b[31m AKIAIOSFODNN7EXAMPLE {signature} X-Amz-Security-Token: AQoDYXdzEPT//" + "x" * 5000
        )
        rig.answer(operation, rig.refusal(403, "SignatureDoesNotMatch", message))
        error = refused(rig, asked(operation))
        text = str(error)
        assert text.isprintable()
        assert len(text) < 800
        for secret in ("AKIA", "fe5f80", "AQoDYXdzEPT", "wJalrXUtnFEMI", "secret-key-name"):
            assert secret not in text

    def test_it_says_what_to_do(self, rig: Rig):
        rig.answer(UPLOADS, rig.refusal(403, "AccessDenied"))
        assert "grant the permission" in str(refused(rig))

    def test_it_names_the_bucket_whose_name_the_store_does_not_accept(self, page_rig: Rig, operation: str):
        page_rig.answer(operation, page_rig.refusal(400, "InvalidBucketName"))
        assert f"; {page_rig.bucket.name} is not a bucket's name" in str(refused(page_rig, asked(operation)))

    def test_a_wrong_signature_points_to_the_path_of_the_endpoint_if_there_is_one(self, open_engine: Opener):
        for path, hint in (("", False), ("/", False), ("/s3", True)):
            rig = open_engine()
            rig.retarget(endpoint_url=f"{rig.standin.url}{path}")
            rig.server.answer = lambda *_, rig=rig: rig.refusal(403, "SignatureDoesNotMatch")
            error = refused(rig)
            assert (error.reason, "path of endpoint_url" in str(error)) == (Reason.CREDENTIALS, hint)

    def test_a_wrong_signature_of_a_single_key_points_to_a_proxy_that_normalises_paths(self, kind_rig: Rig):
        if not kind_rig.store.lists_by_key:
            return  # there are no keys
        kind_rig.answer(PARTS, kind_rig.refusal(403, "SignatureDoesNotMatch"))
        for key, hint in (("a/b", False), ("a//b", True), ("a/../b", True)):
            error = refused(kind_rig, Upload(key, "id-1"))
            assert (error.reason, "a proxy normalises paths" in str(error)) == (Reason.CREDENTIALS, hint)
            assert key not in str(error)
