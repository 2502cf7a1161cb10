"""The metadata server of Google Cloud: it gives tokens to virtual machines, to GKE's pods and to Cloud Run.

Asked here, not through google-auth, which loads `requests` for it and opens connections of its own.
https://cloud.google.com/compute/docs/access/authenticate-workloads
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.stores.gcs.token import TOKEN_OPERATION, checked, no_token
from exporter.stores.temporary_keys import Issued
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.stores.gcs.token import Token
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.response import Response

_HOST = "metadata.google.internal"
_HOST_VARIABLES = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT")
_OFF_VARIABLE = "NO_GCE_CHECK"
_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_HEADER = ("Metadata-Flavor", "Google")
_TIMEOUT_SECONDS = 3.0
_SOURCE = "the metadata server"
_ADVICE = (
    "name a file in credentials.credentials_file or GOOGLE_APPLICATION_CREDENTIALS, put HMAC keys under "
    "credentials, or give the workload an identity"
)
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_NO_ACCOUNT = "has the machine or the pod a service account?"


def _metadata_host(environ: Mapping[str, str]) -> str:
    """Return host and port of the metadata server."""
    return next((name for each in _HOST_VARIABLES if (name := environ.get(each))), _HOST)


class MetadataServer:
    """Gives the tokens of the service account that a machine or a pod runs as."""

    def __init__(self, transport: Transport, clock: Callable[[], float], environ: Mapping[str, str]) -> None:
        """Ask nothing yet. `clock` is Unix seconds."""
        self._transport = transport
        self._clock = clock
        self._environ = environ

    def fetch(self, deadline: float) -> Issued[Token]:
        """Return a token. Raises StoreError (credentials) and StoppingError."""
        if self._environ.get(_OFF_VARIABLE, "").lower() == "true":
            raise no_token(f"no credentials, and {_SOURCE} is switched off by {_OFF_VARIABLE}: {_ADVICE}")
        asked_at = self._clock()
        with self._transport.call(TOKEN_OPERATION, deadline):
            token, seconds = _read(self._ask())
        return Issued(token, asked_at + seconds)

    def _ask(self) -> Response:
        url = f"http://{_metadata_host(self._environ)}{_PATH}"
        request = Request(TOKEN_OPERATION, "GET", url, (_HEADER,), timeout=_TIMEOUT_SECONDS, no_proxy=True)
        try:
            return self._transport.send(request)
        except StoreError as error:
            why = str(error).removeprefix(f"{TOKEN_OPERATION}: ").partition("; ")[0]
            what = f"no credentials, and {_SOURCE} does not answer ({why}): {_ADVICE}"
            raise no_token(what, retryable=error.retryable) from error


def _read(response: Response) -> tuple[Token, float]:
    """Return the token in an answer, and its lifetime in seconds. Raises StoreError."""
    if response.status != HTTPStatus.OK or response.headers.get("metadata-flavor") != "Google":
        answered = f"{_SOURCE} answered HTTP {response.status}"
        if response.status in _BUSY or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise no_token(f"{answered}: it is busy, or not ready yet", retryable=True)
        raise no_token(f"{answered}: {_NO_ACCOUNT} Otherwise {_ADVICE}")
    try:
        answer = json.loads(response.body)
        return checked(answer["access_token"], _SOURCE), float(answer["expires_in"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise no_token(f"{_SOURCE} answered with what is no token") from None
