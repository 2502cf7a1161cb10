"""Errors of stores: an HTTP answer in, a StoreError with one of the exporter's reasons out."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.bodies import is_empty, is_html, is_json, json_error
from exporter.text.redaction import redact

if TYPE_CHECKING:
    from exporter.stores.transport.response import Response

_CODES = {
    Reason.CREDENTIALS: """InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken ExpiredTokenException
        InvalidToken TokenRefreshRequired RequestTimeTooSkewed RequestExpired AuthorizationHeaderMalformed
        UnrecognizedClientException InvalidSignatureException MissingAuthenticationTokenException
        IncompleteSignature InvalidClientTokenId NotSignedUp InvalidSecurity InvalidSecurityToken
        MissingSecurityHeader UnauthorizedAccess""",
    Reason.ACCESS_DENIED: """AccessDenied AccessDeniedException AllAccessDisabled AccountProblem
        AccessForbidden Forbidden InvalidPayer""",
    Reason.NOT_FOUND: "NoSuchBucket ResourceNotFoundException ContainerNotFound ContainerBeingDeleted",
    Reason.THROTTLED: """SlowDown Throttling ThrottlingException ThrottledException RequestThrottled
        RequestThrottledException TooManyRequests TooManyRequestsException RequestLimitExceeded
        BandwidthLimitExceeded LimitExceededException PolicyEnforcedException FlowControlOverLimit
        QpsLimitExceeded""",
    Reason.TIMEOUT: "RequestTimeout RequestTimeoutException OperationTimedOut",
    Reason.SERVER_ERROR: "InternalError InternalFailure ServiceUnavailable ServiceUnavailableException",
    Reason.UNSUPPORTED: "NotImplemented MethodNotAllowed NoLongerSupportedException UnsupportedOperation",
}
_REASON_OF_CODE = {code: reason for reason, codes in _CODES.items() for code in codes.split()}
_REASON_OF_STATUS = {
    401: Reason.CREDENTIALS,
    403: Reason.ACCESS_DENIED,
    405: Reason.UNSUPPORTED,
    407: Reason.CONNECTION,
    408: Reason.TIMEOUT,
    429: Reason.THROTTLED,
    501: Reason.UNSUPPORTED,
}
_RETRYABLE = {Reason.THROTTLED, Reason.SERVER_ERROR, Reason.TIMEOUT}
_GONE_CODES = {"NoSuchUpload", "NoSuchKey"}
_ADVICE = {
    Reason.CREDENTIALS: "check the target's credentials and the clock",
    Reason.ACCESS_DENIED: "grant the permission (docs/permissions.md)",
    Reason.NOT_FOUND: "check the name and endpoint_url, and the region or account where the store has one",
    Reason.THROTTLED: "lower scan.concurrency or scan less often",
    Reason.UNSUPPORTED: "this store or bucket type cannot do it",
    Reason.SERVER_ERROR: "the store fails: see its own logs and status",
    Reason.BAD_RESPONSE: "not what a store answers: check endpoint_url, region and any proxy",
}
_MAX_MESSAGE_LENGTH = 300
NOTHING_KNOWN = Asked()


def refusal(
    operation: str, answer: Response, code: str, message: str, asked: Asked = NOTHING_KNOWN
) -> StoreError:
    """Return the error for an answer whose status is not 200.

    `code` and `message` are the store's own, '' where its body did not say. A 404 without a code proves
    nothing (a proxy, a wrong port) and is a bad response.
    """
    from exporter.stores.refusal_cause import read_cause  # noqa: PLC0415 - compiles patterns for 10 ms

    reason, advice = _reason(answer, code), ""
    if cause := read_cause(answer, code, message, reason, asked):
        reason, advice = cause.reason or reason, cause.advice
    said = _said(code, message) or f" ({describe_body(answer)})"
    text = f"{operation}: HTTP {answer.status}{said}"
    if advice := advice or _ADVICE.get(reason, ""):
        text = f"{text}; {advice}"
    return StoreError(
        reason,
        text,
        code=code,
        status=answer.status,
        retryable=reason in _RETRYABLE,
        retry_after=retry_after(answer),
    )


def is_skewed(error: StoreError) -> bool:
    """Whether the error says that a request was signed for another time than the server's."""
    return error.code == "RequestTimeTooSkewed" or "date header too old" in str(error)


def gone_error(operation: str, error: StoreError) -> GoneError:
    """Return the error of ListParts for an upload that has ended, made of the store's `error`."""
    return GoneError(error.reason, f"{operation}: the upload has ended", code=error.code, status=error.status)


def is_gone(error: StoreError) -> bool:
    """Whether the error says that an upload has ended; some servers answer NoSuchKey (Ceph 16)."""
    return error.status == HTTPStatus.NOT_FOUND and error.code in _GONE_CODES


def error_in_success(
    operation: str, code: str, message: str, what: str = "an error inside", check: str = ""
) -> StoreError:
    """Return the error for a 200 with an error in its body; its code decides whether it is retryable."""
    retryable = _reason_of_code(code) in _RETRYABLE
    text = f"{operation}: HTTP 200 with {what}{_said(code, message)}{check and f'; {check}'}"
    return StoreError(Reason.BAD_RESPONSE, text, code=code, status=200, retryable=retryable)


def bad_response(
    operation: str, what: str, check: str = "check endpoint_url and any proxy", *, garbled: bool = False
) -> StoreError:
    """Return the error for a 200 that does not prove itself; `check` says what to do about it."""
    return StoreError(Reason.BAD_RESPONSE, f"{operation}: {what}; {check}", status=200, garbled=garbled)


def describe_body(answer: Response) -> str:
    """Return what an answer's body looks like: empty, HTML, JSON and the error that it tells, or its size."""
    if is_empty(answer):
        return "it is empty"
    if is_html(answer):
        return "it is HTML"
    if not is_json(answer):
        return f"{len(answer.body)} bytes"
    return " ".join(("it is JSON:", *filter(None, map(log_safe, json_error(answer))))).rstrip(":")


def retry_after(answer: Response) -> float | None:
    """Return the seconds that the Retry-After header asks for, by number or by date, None without one."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, moment - answer.server_time(default=moment))


def log_safe(text: str) -> str:
    """Return a server's text as one short line without access keys, signatures and tokens."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * _MAX_MESSAGE_LENGTH])
    return redact(" ".join(printable.split()))[:_MAX_MESSAGE_LENGTH]


def _reason_of_code(code: str) -> Reason | None:
    if reason := _REASON_OF_CODE.get(code):
        return reason
    from exporter.stores.refusal_cause import says_throttled  # noqa: PLC0415 - compiles patterns for 10 ms

    return Reason.THROTTLED if says_throttled(code) else None


def _reason(answer: Response, code: str) -> Reason:
    if reason := _reason_of_code(code):
        return reason
    if answer.status == HTTPStatus.FORBIDDEN and is_html(answer):
        return Reason.BAD_RESPONSE  # a gateway's page, which does not say that the store knows us
    if reason := _REASON_OF_STATUS.get(answer.status):
        return reason
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Reason.SERVER_ERROR
    return Reason.BAD_RESPONSE


def _said(code: str, message: str) -> str:
    said = " ".join(text for text in (log_safe(code), log_safe(message)) if text)
    return f" ({said})" if said else ""
