"""Causes of refusals that status and code do not tell: read from the words that servers use.

Seen with Amazon S3, MinIO, versitygw, Garage, Ceph, rclone, and the stores of Google, Alibaba, Tencent,
Volcengine, Cloudflare and Backblaze.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from exporter.model.errors import Reason
from exporter.stores.azure.causes import find_cause
from exporter.text.quoting import one_line
from exporter.text.redaction import redact

if TYPE_CHECKING:
    from exporter.stores.asked import Asked
    from exporter.stores.transport.response import Response


class Cause(NamedTuple):
    """Why a request was refused, and what to do; `reason` is None where the code's own stands."""

    reason: Reason | None
    advice: str


_SET_V4 = (
    "the store takes Signature Version 4: set signature: v4 "
    "(store s3 always signs so: then a proxy may drop headers)"
)
_CHECK_PATH = (
    "check the target's credentials, and whether a proxy strips the path of endpoint_url, which is signed"
)
_CHECK_KEY = (
    "check the target's credentials, and whether a proxy normalises paths: "
    "the upload's key has //, ./ or ../ (or begins with /), and the path is signed as it is"
)
_NO_PAYER = "UserProjectMissing"
_SET_PAYER = "who asks has to pay for this bucket: set user_project"
_CHECK_PAYER = "the project of user_project cannot be charged: check it, and the right to use it"
_ODD_PATH = re.compile(r"//|/\.{1,2}(?:/|$)")
_MAX_NAME_LENGTH = 100
_MAX_MESSAGE_LENGTH = 1200
_GONE_CODES = {"NoSuchUpload", "NoSuchKey", "NoSuchLifecycleConfiguration"}
_KNOWS_US_NOT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_REDIRECTS = range(300, 400)
_REFUSALS = {*_KNOWS_US_NOT, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}
_THROTTLED_CODE = re.compile(
    r"throttl|slow_?down|server_?busy|too_?many_?requests"
    r"|(?:rate|qps|bandwidth|frequency|requests?|traffic|flow_?control)_?(?:limit|over|exceed)"
    r"|exceed\w*?(?:rate|qps|bandwidth|frequency|traffic)_?limit",
    re.IGNORECASE,
)
"""Wasabi has RequestRateLimitExceeded, Volcengine ExceedAccountQPSLimit."""
_POLICY = re.compile(
    r"not authori[sz]ed to perform|\bpermission '[\w.]+' denied|explicit(?:ly)? den|polic(?:y|ies)\b|\bkms\b"
    r"|encrypt",
    re.IGNORECASE,
)
"""Who says so knows us, and does not let us."""

_BUCKET_NAME_CODE = re.compile(
    r"(?:invalid|illegal|bad|malformed)\w*(?:bucket|resource)_?name", re.IGNORECASE
)

_VIRTUAL_ONLY_CODE = re.compile(r"path_?style|second_?level_?domain|invalidpathaccess", re.IGNORECASE)
_VIRTUAL_ONLY = re.compile(
    r"(?:must|only|should|please|use|requires?)\b[^.]*(?:virtual[- ]?(?:host|style)|third[- ]level)"
    r"|path[- ]?style[^.]*(?:forbid|not |no longer|unsupport|disabled|den(?:y|ied))",
    re.IGNORECASE,
)
_PATH_ONLY = re.compile(r"virtual[^.]*(?:\bnot\b|unsupported|forbidden|disabled)", re.IGNORECASE)

_NO = (
    r"(?:unsupported|not (?:be )?(?:supported|allowed|accepted|recogni[sz]ed|implemented)|unknown|invalid"
    r"|unrecogni[sz]ed|no longer|does(?: not|n't) support|disabled|deprecated)"
)
_SIGNING = (
    r"(?:(?:authori[sz]ation|authentication|auth|signature|signing)[ -]"
    r"(?:mechanism|method|type|scheme|version|algorithm|protocol)"
    r"|v(?:ersion )?[12] (?:signature|auth)|signature v(?:ersion )?[12]\b)"
)
_OTHER_SIGNATURE_CODE = re.compile(
    r"unsupported_?(?:algorithm|signature|auth\w*)|signature_?version\w*|missing_?date\w*", re.IGNORECASE
)
_OTHER_SIGNATURE = re.compile(
    rf"{_NO}[^.]{{0,80}}{_SIGNING}|{_SIGNING}[^.]{{0,80}}{_NO}"
    r"|(?:use|requires?|only|expect\w*|supports?)\b[^.]{0,60}"
    r"(?:AWS4-HMAC-SHA256(?! Credential)|sig(?:nature)?[ -]?(?:version )?v?4\b)"
    r"|\b(?:requires?|missing|needs?|lacks?|no|without|provide|specify)\b[^.]{0,60}\bdate\b"
    r"|\bdate\b[^.]{0,40}\b(?:missing|required|not found|absent|needed|not (?:present|provided|specified))",
    re.IGNORECASE,
)

_REGION = r"[\"'`]?([A-Za-z0-9][\w-]{1,38})(?![\w/-])"
_REGION_CODE = re.compile(
    r"authorization(?:headermalformed|queryparameterserror)|\w*region\w*|illegallocationconstraint\w*"
    r"|permanentredirect|temporaryredirect",
    re.IGNORECASE,
)
_EXPECTED_REGION = re.compile(
    rf"region.*?\bexpect(?:ing|ed|s)?(?: region)?(?: is| to be)?[ :=]*{_REGION}"
    rf"|\bexpect(?:ing|ed|s)? region(?: is| to be)?[ :=]*{_REGION}"
    r"|\bexpect(?:ing|ed)[^/]{0,20}\b\d{8}/([A-Za-z0-9][\w-]{1,38})/\w+/aws4_request"
    rf"|\bregion(?: should be| must be| needs to be| has to be| to|:) *{_REGION}"
    rf"|\b(?:in|use) (?:the )?region:? *{_REGION}",
    re.IGNORECASE,
)
_OF_REGION = re.compile(r"\bscoped?\b|wrong region|region[^.]*(?:wrong|invalid|mismatch)", re.IGNORECASE)
_NO_REGIONS = {"one", "the", "this", "that", "its", "valid", "region", "of", "set", "be"}
_AUTO = re.compile(r"region.*one of.*\bauto\b", re.IGNORECASE)
_REGION_ELEMENT = re.compile(rb"<(?:\w+:)?Region>\s*([A-Za-z0-9][\w-]{1,38})\s*</")

_ENDPOINT_CODE = re.compile(
    r"\w*host_?forbidden|(?:wrong|invalid|incorrect|unknown)_?(?:endpoint|host|domain)\w*", re.IGNORECASE
)
_OF_ENDPOINT = re.compile(
    r"addressed using the specified endpoint|future requests to this endpoint"
    r"|(?:wrong|incorrect|different|another|other) (?:region|endpoint|data ?cent(?:er|re))\b"
    r"|\bnot (?:located )?in (?:this|the) region\b|host is invalid",
    re.IGNORECASE,
)
_ENDPOINT_ELEMENT = re.compile(
    rb"<(?:\w+:)?Endpoint>\s*(?:https?://)?([A-Za-z0-9][A-Za-z0-9.-]{1,252}(?::[0-9]{1,5})?)/?\s*</"
)

_SIGNATURE_CODE = re.compile(r"signature", re.IGNORECASE)
_SIGNATURE = re.compile(r"\bsignatures?\b(?![ -]?(?:version|age)\b)", re.IGNORECASE)
_FILLER = r"(?:(?:such|aws|s3|the|your|this|provided|given) )*"
_WHO = (
    r"(?:access[ _-]?key(?:[ _-]?id)?|access[ _-]?id|key[ _-]?id|secret(?:[ _-](?:key|id|access[ _-]?key))?"
    r"|api[ _-]?key|credentials?|(?:security|session) token)s?\b"
)
_NOT_THERE = (
    r"\b(?:(?:does|do|did)(?: not|n't) (?:exist|match)"
    r"|not (?:found|exist|known|valid|registered|recogni[sz]ed|active|match|enabled)"
    r"|unknown|invalid|disabled|inactive|expired|wrong|incorrect|revoked|deleted|suspended|mismatch\w*)\b"
)
_NO_SUCH = (
    r"\b(?:no|unknown|invalid|bad|wrong|incorrect|unrecogni[sz]ed|non-?existent|inactive|disabled|expired"
    rf"|revoked|illegal|(?:cannot|could not|unable to) find) {_FILLER}"
)
_UNKNOWN_KEY = re.compile(
    rf"{_WHO}[^.;:,]{{0,80}}{_NOT_THERE}|{_WHO}: {_NOT_THERE}|{_NO_SUCH}{_WHO}", re.IGNORECASE
)
_UNKNOWN_USER = re.compile(
    rf"\busers?\b[^.;:,]{{0,80}}{_NOT_THERE}|{_NO_SUCH}(?:user|key)\b|\bkeys? (?:is |was )?{_NOT_THERE}"
    r"|\b(?:authentication|login) (?:failed|failure|error)|failed to authenticate|not authenticated"
    r"|unauthenticated",
    re.IGNORECASE,
)
_OTHER_KEY = re.compile(r"object|specified key|\bbucket\b|customer", re.IGNORECASE)
_IDENTITY = r"(?:user|access_?key|secret|credential|signature|auth(?:entication|orization)?(?:info)?)"
_UNKNOWN_KEY_CODE = re.compile(
    rf"\w*{_IDENTITY}(?:_?id)?s?_?(?:not_?(?:found|exists?)|does_?not_?(?:exist|match)|failure|failed|error"
    r"|mismatch|invalid|unknown|disabled|inactive|expired)"
    rf"|\w*(?:no_?such|invalid|unknown|unrecognized|bad|wrong|incorrect|inactive|disabled|expired)_?{_IDENTITY}"
    r"(?:_?id)?|unauthenticated",
    re.IGNORECASE,
)


def read_cause(answer: Response, code: str, message: str, reason: Reason, asked: Asked) -> Cause | None:
    """Return why a request was refused, None where `reason`, by code and status, says all there is."""
    if reason not in {Reason.ACCESS_DENIED, Reason.CREDENTIALS, Reason.BAD_RESPONSE}:
        return None
    message = message[:_MAX_MESSAGE_LENGTH]
    if answer.status in _REDIRECTS:
        return _other_region(answer, code, message) or _other_endpoint(answer, code, message, asked)
    if answer.status not in _REFUSALS or code in _GONE_CODES:
        return None
    return (
        _azure(code, message, asked)
        or _bucket_name(code, asked)
        or _payer(code)
        or _path_style(code, message)
        or _other_region(answer, code, message)
        or _other_endpoint(answer, code, message, asked)
        or _other_signature(code, message)
        or _wrong_signature(code, message, asked)
        or _unknown_key(answer.status, code, message)
    )


def _azure(code: str, message: str, asked: Asked) -> Cause | None:
    if not (found := find_cause(code, message)):
        return None
    odd = _ODD_PATH.search(f"/{asked.key}") and _wrong_signature(code, message, asked)
    return odd or Cause(*found)


def says_throttled(code: str) -> bool:
    """Whether a store's own code means that it is asked too often."""
    return _THROTTLED_CODE.search(code) is not None


def _bucket_name(code: str, asked: Asked) -> Cause | None:
    if not _BUCKET_NAME_CODE.fullmatch(code):
        return None
    name = redact(one_line(asked.bucket))[:_MAX_NAME_LENGTH] if asked.bucket else "it"
    return Cause(
        Reason.BAD_RESPONSE, f"{name} is not a bucket's name that this store accepts: check the config"
    )


def _payer(code: str) -> Cause | None:
    """Return the cause where Google Cloud knows us, and nobody to charge."""
    if not code.startswith("UserProject"):
        return None
    return Cause(Reason.ACCESS_DENIED, _SET_PAYER if code == _NO_PAYER else _CHECK_PAYER)


def _path_style(code: str, message: str) -> Cause | None:
    said = _VIRTUAL_ONLY.search(message) and not _PATH_ONLY.search(message)
    if not said and not _VIRTUAL_ONLY_CODE.search(code):
        return None
    advice = "the store takes the bucket's name in the host name only: set addressing_style: virtual"
    return Cause(Reason.UNSUPPORTED, advice)


def _other_region(answer: Response, code: str, message: str) -> Cause | None:
    by_code = _REGION_CODE.fullmatch(code) is not None
    if not by_code and _POLICY.search(message):
        return None
    region = _region_in_text(message)
    if by_code or _OF_REGION.search(message):
        region = region or _region_beside(answer)
    if not region:
        named = by_code and answer.status in _REFUSALS and _OF_REGION.search(message)
        return Cause(Reason.CREDENTIALS, "check the target's region and credentials") if named else None
    reason = None if answer.status in _REDIRECTS else Reason.CREDENTIALS
    return Cause(reason, f"set region: {redact(region)}")


def _region_in_text(message: str) -> str:
    if _AUTO.search(message):
        return "auto"
    for match in _EXPECTED_REGION.finditer(message):
        region = str(next(filter(None, match.groups())))
        if region.lower() not in _NO_REGIONS:
            return region
    return ""


def _region_beside(answer: Response) -> str:
    """Return the region that an answer names outside its text, '' for none."""
    element = _REGION_ELEMENT.search(answer.body)
    if element:
        return element[1].decode("ascii", "replace")
    header = answer.headers.get("x-amz-bucket-region", "").strip()
    return header if re.fullmatch(r"[A-Za-z0-9][\w-]{1,38}", header) else ""


def _other_endpoint(answer: Response, code: str, message: str, asked: Asked) -> Cause | None:
    """Return the cause where the bucket is on another server, to which OSS says AccessDenied."""
    said = _OF_ENDPOINT.search(message) and not _POLICY.search(message)
    if not (said or _ENDPOINT_CODE.fullmatch(code)):
        return None
    advice = "the bucket is at another address: check endpoint_url and region"
    if found := _ENDPOINT_ELEMENT.search(answer.body):
        host = found[1].decode("ascii").removeprefix(f"{asked.bucket}.")
        scheme = urlsplit(asked.endpoint_url or "").scheme or "https"
        advice = f"the bucket is at another address: set endpoint_url: {scheme}://{redact(host)}"
    return Cause(Reason.BAD_RESPONSE, advice)


def _other_signature(code: str, message: str) -> Cause | None:
    said = _OTHER_SIGNATURE.search(message) and not _POLICY.search(message)
    if code == "SignatureDoesNotMatch" or not (said or _OTHER_SIGNATURE_CODE.fullmatch(code)):
        return None
    return Cause(Reason.CREDENTIALS, _SET_V4)


def _wrong_signature(code: str, message: str, asked: Asked) -> Cause | None:
    said = _SIGNATURE.search(message) and not _POLICY.search(message)
    if not (said or _SIGNATURE_CODE.search(code)):
        return None
    if urlsplit(asked.endpoint_url or "").path.strip("/"):
        return Cause(Reason.CREDENTIALS, _CHECK_PATH)
    return Cause(Reason.CREDENTIALS, _CHECK_KEY if _ODD_PATH.search(f"/{asked.key}") else "")


def _unknown_key(status: int, code: str, message: str) -> Cause | None:
    if not (_UNKNOWN_KEY_CODE.fullmatch(code) or _says_unknown_key(status, message)):
        return None
    return Cause(Reason.CREDENTIALS, "")


def _says_unknown_key(status: int, message: str) -> bool:
    if _POLICY.search(message) or _OTHER_KEY.search(message):
        return False
    if _UNKNOWN_KEY.search(message):
        return True
    return status in _KNOWS_US_NOT and _UNKNOWN_USER.search(message) is not None
