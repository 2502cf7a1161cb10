"""What the words of a refusal say beyond its code: whose fault it is, and what to set."""

from __future__ import annotations

import pytest
from cases import in_turn

from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.errors import NOTHING_KNOWN, refusal
from exporter.stores.transport.response import Response

UNKNOWN_KEY = [
    (404, "XAdminUserNotFound", "No user exists with the provided access key ID."),
    (404, "AccessKeyNotFound", ""),
    (403, "InvalidAccessKey", ""),
    (403, "NoSuchUser", "who?"),
    (401, "AuthenticationFailed", ""),
    (403, "SignatureMismatch", ""),
    (403, "AccessDenied", "Forbidden: Invalid signature"),
    (403, "AccessDenied", "Forbidden: No such key: GK31c2f218a2e44f485b94239e"),
    (403, "AccessDenied", "The AWS access key ID you provided does not exist in our records."),
    (403, "AccessDenied", "signature mismatch"),
    (403, "AccessDenied", "The request signature we calculated does not match the one you provided."),
    (403, "AccessDenied", "access key not found"),
    (403, "AccessDenied", "Invalid access key"),
    (403, "AccessDenied", "Unknown access key id: who"),
    (403, "AccessDenied", "Access key: not found"),
    (403, "AccessDenied", "The access key ID is disabled"),
    (403, "Forbidden", "user does not exist"),
    (403, "", "The security token is expired"),
    (403, "AccessForbidden", "Authentication failed."),
    (400, "InvalidRequest", "The secret key is incorrect"),
]
NOT_ALLOWED = [
    "",
    "Access Denied",
    "Access Denied.",
    "Forbidden: Operation is not allowed for this key.",
    "The key has no permission to read the bucket",
    "User: arn:aws:iam::1:user/a is not authorized to perform: s3:ListBucket because no policy allows it",
    "not authorized to perform: kms:Decrypt because the access key does not exist in this Region",
    "with an explicit deny in a resource-based policy: s3:signatureversion, expected region eu-west-1",
    "with an explicit deny: this bucket's policy requires Signature Version 4",
    "with an explicit deny in a policy about the age of the signature",
    "The access key is not valid for this bucket",
    "Anonymous access is forbidden for this operation",
    "The object key does not exist, or you may not see it",
    "Your account does not have the right to list uploads up to this date",
]
OLD_SIGNATURE = [
    (403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"),
    (400, "", "The x-amz-date header is missing"),
    (403, "MissingDateHeader", ""),
    (400, "UnsupportedAlgorithm", "The encryption or signing algorithm is not known."),
    (400, "InvalidRequest", "Bad request: Unsupported authorization method"),
    (
        400,
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    ),
    (400, "InvalidRequest", "The V2 signature authorization mechanism is not supported."),
    (403, "AccessDenied", "Signature version 2 is no longer accepted"),
    (400, "InvalidArgument", "Unsupported Authorization Type"),
    (401, "SignatureVersionNotSupported", ""),
]
OTHER_ADDRESS = [
    (
        403,
        "AccessDenied",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
        b"<Error><Endpoint>media.oss-cn-hangzhou.aliyuncs.com</Endpoint></Error>",
        "set endpoint_url: https://oss-cn-hangzhou.aliyuncs.com",
    ),
    (
        403,
        "AccessDenied",
        "Please send all future requests to this endpoint.",
        b"",
        "check endpoint_url and region",
    ),
    (
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
        b"<Error><Endpoint>s3.example.org:9000</Endpoint></Error>",
        "set endpoint_url: https://s3.example.org:9000",
    ),
    (403, "AccessDenied", "The bucket is in another region", b"", "check endpoint_url and region"),
    (403, "NonStandardHostForbidden", "", b"", "check endpoint_url and region"),
]
MALFORMED = "AuthorizationHeaderMalformed"
REGIONS = [
    (
        400,
        MALFORMED,
        "The authorization header is malformed; the region 'a1' is wrong; expecting 'eu-2'",
        "eu-2",
    ),
    (403, "AccessDenied", "the region is wrong; expecting 'us_east_1'.", "us_east_1"),
    (400, "InvalidRegion", "Region does not match; expecting 'eu'.", "eu"),
    (400, "BadRequest", "expected region: default, not us-east-1", "default"),
    (400, MALFORMED, "wrong scope, expected: 20261129/garage/s3/aws4_request", "garage"),
    (400, "", "Wrong region us-east-1: region should be 'fsn1'", "fsn1"),
    (400, "InvalidRegionName", "The region name 'x' is not valid. Must be one of: wnam, weur, auto", "auto"),
    (301, "PermanentRedirect", "The bucket is in this region: eu-west-3. Please use it.", "eu-west-3"),
]
NO_REGIONS = [
    (400, MALFORMED, 'the Credential is mal-formed; expecting "<AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'),
    (400, MALFORMED, "incorrect service; expecting 's3'"),
    (400, "InvalidRequest", "expecting 'more'"),
    (400, "InvalidRegionName", "The region must be one of: eu, us"),
]
VIRTUAL_ONLY = [
    (403, "SecondLevelDomainForbidden", "must be addressed using OSS third level domain."),
    (403, "PathStyleDomainForbidden", ""),
    (403, "InvalidPathAccess", "Forbidden path to access server"),
    (403, "AccessDenied", "The bucket must be addressed using the virtual-styled domain."),
    (400, "InvalidRequest", "Path-style requests are not supported here"),
]


def refused(
    status: int, code: str, message: str = "", body: bytes = b"", asked: Asked = NOTHING_KNOWN
) -> StoreError:
    return refusal("ListParts", Response(status, {}, body), code, message, asked)


class TestWhoAsks:
    @in_turn(("status", "code", "message"), UNKNOWN_KEY)
    def test_a_key_that_the_store_does_not_know_is_no_lack_of_permission(self, status, code, message):
        error = refused(status, code, message)
        assert error.reason == Reason.CREDENTIALS
        assert "check the target's credentials" in str(error)

    @in_turn("message", NOT_ALLOWED)
    def test_who_is_known_and_not_allowed_needs_a_permission(self, message: str):
        error = refused(403, "AccessDenied", message)
        assert error.reason == Reason.ACCESS_DENIED
        assert "grant the permission" in str(error)

    def test_another_s_user_in_a_request_that_is_not_understood_is_none_of_ours(self):
        assert (
            refused(400, "InvalidArgument", "The user of the ACL does not exist").reason
            == Reason.BAD_RESPONSE
        )

    @in_turn("code", ["NoSuchUpload", "NoSuchKey"])
    def test_a_key_of_the_bucket_is_not_that_of_an_account(self, code: str):
        assert refused(404, code, "The access key does not exist").reason == Reason.BAD_RESPONSE

    @in_turn(
        ("status", "code"),
        [
            (500, "InternalError"),
            (503, "SlowDown"),
            (404, "NoSuchBucket"),
            (502, ""),
            (409, "Conflict"),
            (416, ""),
        ],
    )
    def test_the_words_of_what_is_no_refusal_of_us_say_nothing(self, status: int, code: str):
        assert refused(status, code, "invalid signature").reason == refused(status, code).reason

    @in_turn(
        ("endpoint", "hint"),
        [(None, False), ("http://h:8333", False), ("http://h:8333/", False), ("http://h/s3", True)],
    )
    def test_a_signature_may_be_spoiled_by_a_proxy_that_strips_a_path(self, endpoint, hint):
        for code, message in (("SignatureDoesNotMatch", ""), ("AccessDenied", "Invalid signature")):
            error = refused(403, code, message, asked=Asked("media", endpoint))
            assert ("strips the path" in str(error)) == hint
        assert "strips the path" not in str(
            refused(403, "InvalidAccessKeyId", asked=Asked("media", endpoint))
        )

    @in_turn(
        ("key", "hint"),
        [
            ("a//b", True),
            ("/a", True),
            ("a/./b", True),
            ("../a", True),
            ("a/..", True),
            ("a/b..c", False),
            ("a/.b/c", False),
            ("", False),
        ],
    )
    def test_a_signature_may_be_spoiled_by_a_proxy_that_normalises_a_key(self, key, hint):
        error = refused(403, "SignatureDoesNotMatch", asked=Asked("media", "http://h", key))
        assert (error.reason, "a proxy normalises paths" in str(error)) == (Reason.CREDENTIALS, hint)


class TestHowItIsSigned:
    @in_turn(("status", "code", "message"), OLD_SIGNATURE)
    def test_a_signature_that_the_store_does_not_take_is_told(self, status, code, message):
        error = refused(status, code, message)
        assert error.reason == Reason.CREDENTIALS
        assert "set signature: v4" in str(error)

    def test_a_wrong_one_of_the_right_kind_is_not_of_another_kind(self):
        text = str(refused(403, "SignatureDoesNotMatch", "Wrong key, or an unknown signing method."))
        assert "signature: v4" not in text


class TestRegion:
    @in_turn(("status", "code", "message", "region"), REGIONS)
    def test_the_one_that_is_named_is_the_advice(self, status, code, message, region):
        error = refused(status, code, message)
        assert str(error).endswith(f"; set region: {region}")
        assert error.reason == (Reason.BAD_RESPONSE if status == 301 else Reason.CREDENTIALS)

    @in_turn(
        "message",
        ["", "Authorization header malformed, unexpected scope: 20261129/us-east-1/s3/aws4_request"],
    )
    def test_it_may_stand_beside_the_text(self, message: str):
        body = b"<Error><s:Region> garage </s:Region></Error>"
        assert str(refused(400, MALFORMED, message, body)).endswith("; set region: garage")

    def test_the_one_in_a_header_counts_too(self):
        answer = Response(400, {"x-amz-bucket-region": "eu-west-1"}, b"")
        assert str(refusal("ListParts", answer, MALFORMED, "")).endswith("; set region: eu-west-1")

    def test_beside_a_refusal_of_another_kind_it_is_no_advice(self):
        """Garage names its region in all its errors."""
        body = b"<Error><Region>garage</Region></Error>"
        error = refused(403, "AccessDenied", "Forbidden: No such key: GK1", body)
        assert (error.reason, "set region" in str(error)) == (Reason.CREDENTIALS, False)

    def test_a_wrong_one_may_be_all_that_is_named(self):
        error = refused(400, MALFORMED, "unexpected scope: 20261129/us-east-1/s3/aws4_request")
        assert str(error).endswith("; check the target's region and credentials")

    @in_turn(("status", "code", "message"), NO_REGIONS)
    def test_other_expectations_are_no_regions(self, status, code, message):
        assert "set region" not in str(refused(status, code, message))

    @pytest.mark.parametrize("secret", ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY1"])
    def test_no_secret_passes_as_one(self, secret: str):
        error = refused(400, MALFORMED, f"the region is wrong; expecting '{secret}'", b"<Region>%b</Region>")
        assert secret not in str(error)


class TestBucket:
    @in_turn(("status", "code", "message"), VIRTUAL_ONLY)
    def test_where_the_path_is_refused_the_host_name_is_the_advice(self, status, code, message):
        error = refused(status, code, message)
        assert error.reason == Reason.UNSUPPORTED
        assert str(error).endswith("set addressing_style: virtual")

    @in_turn(
        ("status", "code", "message"),
        [
            (301, "PermanentRedirect", "must be addressed using the specified endpoint."),
            (400, "InvalidRequest", "Please use path-style: virtual hosts are not configured here"),
        ],
    )
    def test_other_addresses_are_no_host_names(self, status, code, message):
        assert "addressing_style" not in str(refused(status, code, message))

    @in_turn(("status", "code", "message", "body", "advice"), OTHER_ADDRESS)
    def test_where_another_server_has_it_the_address_is_the_advice(self, status, code, message, body, advice):
        error = refused(status, code, message, body, Asked("media"))
        assert (error.reason, str(error).endswith(advice)) == (Reason.BAD_RESPONSE, True)

    def test_a_name_that_the_store_does_not_accept_is_named(self):
        error = refused(400, "InvalidBucketName", "no", asked=Asked("Me_dia"))
        assert error.reason == Reason.BAD_RESPONSE
        assert "; Me_dia is not a bucket's name that this store accepts" in str(error)

    @pytest.mark.parametrize("name", ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AKIAIOSFODNN7EXAMPLE"])
    def test_a_secret_in_its_place_is_not_named(self, name: str):
        text = str(refused(400, "InvalidBucketName", asked=Asked(name)))
        assert name not in text

    def test_what_is_no_text_is_written_on_one_line(self):
        assert str(refused(400, "InvalidBucketName", asked=Asked("a\nb\x1b"))).isprintable()
