"""Why Azure Blob Storage refuses a request: one code has many causes, which the details beside it tell.

https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
https://learn.microsoft.com/rest/api/storageservices/sas-error-codes
"""

from __future__ import annotations

import re
from typing import NamedTuple

from exporter.model.errors import Reason


class _Cause(NamedTuple):
    """What code and text say, all of both in small letters; `text` is what one part of it is like."""

    code: str
    text: str
    reason: Reason
    advice: str


_FAILED = "authenticationfailed"
_ENTRA = "(?:invalidauthenticationinfo|authenticationfailed)"
_NO_KEY = "the key is none of this account's, or no longer: copy one of the two that it has now"
_NOT_TAKEN = (
    "the key is none of this account's, or no longer; or the SAS token has expired, does not hold yet, or is "
    "for another container: copy one of the account's two keys, or make a new token"
)
_CAUSES = (
    _Cause(
        _FAILED,
        "date header.* too old",
        Reason.CREDENTIALS,
        "check the clock of this machine: requests are taken for 15 minutes",
    ),
    _Cause(
        _FAILED,
        "time frame|signed expiry time",
        Reason.CREDENTIALS,
        "the SAS token has expired, or does not hold yet: make a new one",
    ),
    _Cause(_FAILED, "mac signature", Reason.CREDENTIALS, _NO_KEY),
    _Cause(
        _FAILED,
        "signature (?:did not match|fields)|\\bsig\\b|\\bs[ert] is mandatory",
        Reason.CREDENTIALS,
        "the SAS token is cut or changed, or its key is no longer one of the account's: make a new one",
    ),
    _Cause(
        _ENTRA,
        "issuer",
        Reason.CREDENTIALS,
        "the token is of another tenant: set AZURE_TENANT_ID to that of the account's subscription",
    ),
    _Cause(
        _ENTRA,
        "lifetime|expired",
        Reason.CREDENTIALS,
        "the token has expired: check the clock of this machine",
    ),
    _Cause(
        "keybasedauthenticationnotpermitted",
        "",
        Reason.CREDENTIALS,
        "the account takes no keys, and no SAS tokens made with one: leave them out and give the exporter an "
        "identity",
    ),
    _Cause(
        "noauthenticationinformation|publicaccessnotpermitted",
        "",
        Reason.CREDENTIALS,
        "the request came without credentials: check what a proxy removes from it",
    ),
    # the emulator's words for a wrong key, and for any token that it does not take
    _Cause("authorizationfailure", "failed to authenticate", Reason.CREDENTIALS, _NOT_TAKEN),
    _Cause(
        "authorizationfailure",
        "",
        Reason.ACCESS_DENIED,
        "the account's network rules leave out where this runs, or the SAS token is for something else",
    ),
    _Cause(
        "resourcenotfound",
        "",
        Reason.NOT_FOUND,
        "there is no such account at this server: check account and endpoint_url, which has to end with "
        "/ACCOUNT where the server is an emulator of a host name with dots",
    ),
    _Cause(
        "authorizationresourcetypemismatch",
        "",
        Reason.ACCESS_DENIED,
        "the SAS token lacks resource types: make one for service, container and object (srt=sco)",
    ),
    _Cause(
        "authorizationservicemismatch",
        "",
        Reason.ACCESS_DENIED,
        "the SAS token is for another service: make one for blobs (ss=b)",
    ),
    _Cause(
        "authorizationprotocolmismatch",
        "",
        Reason.ACCESS_DENIED,
        "the SAS token is for https alone: write https in endpoint_url",
    ),
    _Cause(
        "authorizationsourceipmismatch",
        "",
        Reason.ACCESS_DENIED,
        "the SAS token is for other addresses (sip) than the one that this comes from",
    ),
    # the emulator's words for a version of the API that is newer than itself
    _Cause(
        "invalidheadervalue",
        "version",
        Reason.UNSUPPORTED,
        "the server does not know the version of the API that is spoken: update it",
    ),
)


def find_cause(code: str, message: str) -> tuple[Reason, str] | None:
    """Return reason and advice for a refusal, None where its code says all there is, or is not Azure's."""
    code, message = code.lower(), message.lower()
    for cause in _CAUSES:
        if re.fullmatch(cause.code, code) and re.search(cause.text, message):
            return cause.reason, cause.advice
    return None
