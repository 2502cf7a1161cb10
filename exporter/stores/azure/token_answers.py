"""Answers of those who issue tokens: Microsoft Entra ID, and the services of managed identities."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.azure.signing import BearerToken
from exporter.stores.errors import describe_body, log_safe, retry_after
from exporter.stores.secret_sources import key_fault
from exporter.stores.temporary_keys import Issued

if TYPE_CHECKING:
    from exporter.stores.transport.response import Response

TOKEN_OPERATION = "GetToken"  # noqa: S105 - a name
"""What requests for tokens are counted as; their APIs have no name for it."""
RESOURCE = "https://storage.azure.com"
"""What a token is for; the same in every cloud."""
_PASSING = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS}
"""Statuses of a service of managed identities that is about to start, or busy; so Azure documents them."""
_ENDLESS_SECONDS = 1e11
_FAILS = "the service that gives tokens fails or is busy, and is asked again"
_NO_TOKEN = "the answer holds no token; check who answers there"  # noqa: S105


def read_token(response: Response, now: float) -> Issued[BearerToken]:
    """Return the token in an answer of status 200; `now` is Unix seconds. Raises StoreError."""
    answer = _read_object(response)
    token = answer.get("access_token")
    if not isinstance(token, str) or not token or key_fault(token):
        raise token_error(_NO_TOKEN)
    ends = (_seconds(answer.get("expires_on")), now + _seconds(answer.get("expires_in")))
    expires_at = min((end for end in ends if end > now), default=None)  # by a wrong clock one has passed
    if expires_at is None:
        raise token_error("the token has ended already: check the clocks")
    return Issued(BearerToken(token), expires_at)


def refused_token(response: Response, advice: str) -> StoreError:
    """Return the error of an answer of another status; `advice` is for where what it says has none."""
    answer = _read_object(response)
    said = str(answer.get("error_description") or answer.get("error") or "")
    # of Entra's text the rest are numbers of this request
    said = log_safe(said.partition("Trace ID:")[0].partition("\n")[0]) or describe_body(response)
    passes = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in _PASSING
    error = token_error(f"HTTP {response.status} ({said}); {_FAILS if passes else advice}")
    error.status = response.status
    error.retryable = passes
    error.retry_after = retry_after(response)
    return error


def token_error(what: str) -> StoreError:
    """Return the error of having no token."""
    return StoreError(Reason.CREDENTIALS, f"{TOKEN_OPERATION}: {what}")


def _read_object(response: Response) -> dict[str, object]:
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: object) -> float:
    """Return a number of seconds, which some services write as text, 0 for what is none."""
    try:
        seconds = float(str(value))
    except ValueError:
        return 0.0
    return seconds if 0.0 < seconds < _ENDLESS_SECONDS else 0.0
