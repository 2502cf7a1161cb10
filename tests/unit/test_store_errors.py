"""What refusals mean, and that their texts hold no secret."""

import re

import pytest
from cases import in_turn
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores import errors as reasons
from exporter.stores.transport.response import Response

SECRETS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "Signature=fe5f80f77d5fa3beca038a248ff027",
    "X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027",
    "Signature: fe5f80f77d5fa3beca038a248ff027",
    "x-amz-security-token:FwoGZXIvYXdzEBYaDKR",
    "X-Amz-Security-Token = FwoGZXIvYXdzEBYaDKR",
    "Credential=fe5f80f7/20240229/eu-west-1/s3/aws4_request",
    "AWSAccessKeyId=fe5f80f77d5f",
    "AccessKey: fe5f80f77d5f",
    "SECRET=wJalrXUtnFEMI",
]


def refusal(status: int, code: str = "", message: str = "", **headers: str) -> StoreError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reasons.refusal("ListParts", Response(status, named, b""), code, message)


class TestReason:
    @settings(deadline=None)
    @given(st.integers(201, 999).filter(lambda status: status != 200), st.text(max_size=20))
    def test_every_status_and_code_has_one(self, status: int, code: str):
        error = refusal(status, code)
        assert error.reason in set(Reason) - {Reason.INTERNAL}
        assert (error.status, error.code) == (status, code)

    @pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
    @pytest.mark.parametrize("status", [400, 403, 500])
    def test_the_code_stands_above_the_status(self, status: int, code: str):
        assert refusal(status, code).reason == Reason.ACCESS_DENIED

    @in_turn(
        "code",
        [
            *(
                "RequestRateLimitExceeded",
                "ExceedAccountQPSLimit",
                "ExceedBucketRateLimit",
                "rateLimitExceeded",
            ),
            *("TotalQpsLimitExceeded", "DownloadTrafficRateLimitExceeded", "too_many_requests", "ServerBusy"),
            *("RequestThrottlingException", "BandwidthLimitExceed", "SlowDownRead"),
        ],
    )
    def test_a_store_that_is_asked_too_often_throttles_whatever_it_calls_that(self, code: str):
        errors = [refusal(status, code) for status in (400, 403, 503)]
        assert [(error.reason, error.retryable) for error in errors] == [(Reason.THROTTLED, True)] * 3

    @in_turn(
        "code",
        [
            *("QuotaExceeded", "RequestHeaderSectionTooLarge", "MaxMessageLengthExceeded", "EntityTooLarge"),
            *("RequestTimeTooSkewed", "KeyTooLongError", "TooManyBuckets", "StorageLimitExceeded"),
        ],
    )
    def test_other_limits_are_no_rate(self, code: str):
        assert refusal(403, code).reason != Reason.THROTTLED

    @pytest.mark.parametrize("status", [301, 302, 400, 404, 409, 416, 451])
    def test_a_bare_refusal_proves_nothing(self, status: int):
        error = refusal(status)
        assert (error.reason, error.retryable) == (Reason.BAD_RESPONSE, False)

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_what_may_pass_may_be_tried_again(self, status: int):
        assert refusal(status).retryable

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
    def test_what_will_not_is_not(self, status: int):
        assert not refusal(status).retryable

    def test_gone_is_404_with_a_code_that_says_so(self):
        gone = [refusal(404, "NoSuchUpload"), refusal(404, "NoSuchKey")]
        not_gone = [refusal(404), refusal(404, "NoSuchBucket"), refusal(403, "NoSuchUpload")]
        assert [reasons.is_gone(error) for error in gone + not_gone] == [True, True, False, False, False]
        assert isinstance(reasons.gone_error("ListParts", gone[0]), GoneError)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0.0),
            ("7", 7.0),
            (" 120 ", 120.0),
            ("9" * 40, 999_999_999.0),
            ("Thu, 29 Feb 2024 12:35:56 GMT", 60.0),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 0.0),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("\u00b2", None),
            ("Thu, 99 Foo 2024 12:35:56 GMT", None),
        ],
    )
    def test_by_number_or_by_date(self, text: str, seconds: float | None):
        answer = Response(503, {"retry-after": text, "date": "Thu, 29 Feb 2024 12:34:56 GMT"}, b"")
        assert reasons.retry_after(answer) == seconds

    @settings(deadline=None)
    @given(st.text(max_size=30))
    def test_no_text_is_too_odd(self, text: str):
        found = reasons.retry_after(Response(503, {"retry-after": text}, b""))
        assert found is None or found >= 0


class TestText:
    @pytest.mark.parametrize("secret", SECRETS)
    @in_turn("around", ["{}", "it was {} that failed", "a={}&b=c", "<{}>", "'{}'", "\n{}\n"])
    def test_it_holds_no_secret(self, secret: str, around: str):
        text = str(refusal(403, "SignatureDoesNotMatch", around.format(secret)))
        assert not re.search("fe5f80|IOSFODNN7|FwoGZXIv|wJalrXUt", text)

    @settings(deadline=None)
    @given(st.text(max_size=2000), st.text(max_size=2000))
    def test_it_is_one_short_line(self, code: str, message: str):
        text = str(refusal(500, code, message))
        assert text.isprintable()
        assert len(text) < 800

    def test_it_says_what_happened_and_what_to_do(self):
        assert str(refusal(403, "AccessDenied", "Access Denied")) == (
            "ListParts: HTTP 403 (AccessDenied Access Denied); grant the permission (docs/permissions.md)"
        )
