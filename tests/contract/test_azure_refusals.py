"""What Azure says of requests that it refuses, as users report it, and what the exporter makes of that."""

from __future__ import annotations

from html import escape

import pytest

from exporter.model.errors import Reason, StoreError
from exporter.stores.azure.refusals import read_refusal
from exporter.stores.errors import is_skewed, refusal
from exporter.stores.transport.response import Headers, Response

MAC = "Yk1fnAZSiR6ZCpNXU3mJlaNd8cTYzrWDZZ2iKvIXdhk="
FAILED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
    "correctly including the signature."
)
NOT_AUTHORIZED = "This request is not authorized to perform this operation"
CREDENTIALS, DENIED = Reason.CREDENTIALS, Reason.ACCESS_DENIED


def refused(code: str, message: str, detail: str = "", status: int = 403) -> StoreError:
    told = f"{message}\nRequestId:0f1b7f1f-701e-0012-44bb-5a3e5c000000\nTime:2026-09-21T14:13:20.1234567Z"
    more = f"<AuthenticationErrorDetail>{escape(detail)}</AuthenticationErrorDetail>" if detail else ""
    body = f"<Error><Code>{code}</Code><Message>{escape(told)}</Message>{more}</Error>"
    response = Response(status, Headers([b"HTTP/1.1 403 x\r\n\r\n"]), b"\xef\xbb\xbf" + body.encode())
    return refusal("ListBlobs", response, *read_refusal(response))


TOO_OLD = "Request date header too old: 'Fri, 04 Oct 2019 18:02:12 GMT'"
OTHER_KEY = (
    f"The MAC signature found in the HTTP request '{MAC}' is not the same as any computed signature. "
    "Server used following string to sign: 'GET\n\nx-ms-date:x\n/media1/photos'."
)
ENDED = (
    "Signature not valid in the specified time frame: Start [Thu, 09 Jul 2020 10:11:03 GMT] - Expiry "
    "[Thu, 09 Jul 2020 18:11:03 GMT] - Current [Fri, 10 Jul 2020 10:16:22 GMT]"
)
ENDED_WITHOUT_START = (
    "Signed expiry time [Thu, 25 Jun 2026 00:31:00 GMT] must be after signed start time "
    "[Thu, 25 Jun 2026 01:31:57 GMT]"
)
OTHER_SAS = f"Signature did not match. String to sign used was rl\n\n2030-01-01\n/blob/media1/photos\n{MAC}"
WWW_AUTHENTICATE = (
    "Server failed to authenticate the request. "
    "Please refer to the information in the www-authenticate header."
)


@pytest.mark.parametrize(
    ("code", "detail", "advice"),
    [
        ("AuthenticationFailed", TOO_OLD, "check the clock of this machine"),
        ("AuthenticationFailed", OTHER_KEY, "the key is none of this account's, or no longer"),
        ("AuthenticationFailed", ENDED, "the SAS token has expired, or does not hold yet"),
        ("AuthenticationFailed", ENDED_WITHOUT_START, "the SAS token has expired, or does not hold yet"),
        ("AuthenticationFailed", OTHER_SAS, "the SAS token is cut or changed"),
        ("AuthenticationFailed", "Signature fields not well formed.", "the SAS token is cut or changed"),
        ("AuthenticationFailed", "sig is mandatory. Can not be empty", "the SAS token is cut or changed"),
        (
            "InvalidAuthenticationInfo",
            "Issuer validation failed. Issuer did not match.",
            "the token is of another tenant: set AZURE_TENANT_ID",
        ),
        (
            "InvalidAuthenticationInfo",
            "Lifetime validation failed. The token is expired.",
            "the token has expired: check the clock",
        ),
        ("AuthenticationFailed", "", "check the target's credentials and the clock"),
    ],
)
def test_its_detail_tells_what_is_wrong_with_the_credentials(code: str, detail: str, advice: str):
    status = 401 if code == "InvalidAuthenticationInfo" else 403
    error = refused(code, FAILED, detail, status)
    assert error.reason is CREDENTIALS
    assert f"; {advice}" in str(error)
    for secret in (MAC, "/media1/photos", "RequestId"):
        assert secret not in str(error)


@pytest.mark.parametrize(
    ("code", "message", "reason", "advice"),
    [
        ("AuthorizationFailure", FAILED, CREDENTIALS, "the key is none of this account's"),
        (
            "ResourceNotFound",
            "The specified resource does not exist.",
            Reason.NOT_FOUND,
            "there is no such account",
        ),
        ("AuthorizationFailure", f"{NOT_AUTHORIZED}.", DENIED, "the account's network rules leave out"),
        ("AuthorizationPermissionMismatch", f"{NOT_AUTHORIZED} using this permission.", DENIED, "grant the"),
        (
            "AuthorizationResourceTypeMismatch",
            f"{NOT_AUTHORIZED} using this resource type.",
            DENIED,
            "the SAS",
        ),
        ("AuthorizationServiceMismatch", f"{NOT_AUTHORIZED} using this service.", DENIED, "the SAS token is"),
        (
            "AuthorizationProtocolMismatch",
            f"{NOT_AUTHORIZED} using this protocol.",
            DENIED,
            "the SAS token is",
        ),
        (
            "AuthorizationSourceIPMismatch",
            f"{NOT_AUTHORIZED} using this source IP.",
            DENIED,
            "the SAS token is",
        ),
        (
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
            CREDENTIALS,
            "the account takes no keys",
        ),
        (
            "NoAuthenticationInformation",
            WWW_AUTHENTICATE,
            CREDENTIALS,
            "the request came without credentials",
        ),
    ],
)
def test_its_code_tells_the_rest(code: str, message: str, reason: Reason, advice: str):
    error = refused(code, message)
    assert reason is error.reason
    assert f"; {advice}" in str(error)


def test_only_a_request_of_another_time_is_to_be_signed_for_the_server_s():
    errors = [refused("AuthenticationFailed", FAILED, detail) for detail in (TOO_OLD, OTHER_KEY)]
    assert [is_skewed(error) for error in errors] == [True, False]


def test_without_a_body_the_code_is_in_a_header():
    response = Response(404, Headers([b"HTTP/1.1 404 x\r\nx-ms-error-code: BlobNotFound\r\n\r\n"]), b"")
    assert read_refusal(response) == ("BlobNotFound", "")
