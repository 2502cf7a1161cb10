"""The requests that google-auth makes for tokens, sent through the target's transport."""

from __future__ import annotations

import ipaddress
import math
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.model.errors import Reason, StoreError
from exporter.stores.gcs.token import TOKEN_OPERATION, no_token
from exporter.stores.transport.client import Request, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.transport.response import Response

_OWN_NAMES = {"localhost", "metadata.google.internal"}
_OWN_ADDRESSES = {"fd00:ec2::254"}


class TokenAnswer:
    """An answer, as google-auth reads it."""

    def __init__(self, response: Response) -> None:
        """Take over an answer of the transport."""
        self.status = response.status
        self.headers = response.headers
        self.data = response.body


class TokenRequests:
    """What google-auth calls to send a request. For one thread at a time."""

    def __init__(self, target: TargetSettings, transport: Transport) -> None:
        """Send through a target's transport, before `deadline` (monotonic clock), which is to be set."""
        self.deadline = 0.0
        self._target = target
        self._transport = transport

    def __call__(  # noqa: PLR0913 - as google-auth has it
        self,
        url: str,
        *,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        cert: tuple[str, str] | None = None,
        **_: Any,  # noqa: ANN401 - options of other transports
    ) -> TokenAnswer:
        """Return the answer. Raises StoreError (credentials) and StoppingError."""
        operation = operation_of(method, url)
        request = Request(
            operation,
            method,
            url,
            tuple((headers or {}).items()),
            body.encode() if isinstance(body, str) else body,
            timeout=timeout or math.inf,
            no_proxy=_is_of_this_machine(url),
        )
        try:
            with self._with_certificate(cert) as transport, transport.call(operation, self.deadline):
                response = transport.send(request)
                if response.status >= HTTPStatus.BAD_REQUEST:  # google-auth makes of it what it will
                    transport.traffic.failed(operation, Reason.CREDENTIALS)
                return TokenAnswer(response)
        except StoreError as error:
            what = str(error).removeprefix(f"{TOKEN_OPERATION}: ")
            raise no_token(what, retryable=error.retryable) from error

    @contextmanager
    def _with_certificate(self, cert: tuple[str, str] | None) -> Iterator[Transport]:
        """Give the transport, with the certificate (file and key's file) by which STS knows a workload."""
        if cert is None:
            yield self._transport
            return
        shared, target = self._transport, self._target
        tls = replace(target.tls, cert_file=Path(cert[0]), key_file=Path(cert[1]))
        transport = Transport(shared.traffic, shared.stop, tls=tls, proxy_url=target.proxy_url)
        try:
            yield transport
        finally:
            transport.close()


def operation_of(method: str, url: str) -> str:
    """Return what a request for a token is counted under: the name that its API has for it."""
    parts = urlsplit(url)
    if parts.path.endswith(":generateAccessToken"):
        return "GenerateAccessToken"
    if method == "POST" and parts.path.rpartition("/")[2] in {"token", "oauthtoken"}:
        return "ExchangeToken" if (parts.hostname or "").startswith("sts.") else TOKEN_OPERATION
    return "GetSubjectToken"


def _is_of_this_machine(url: str) -> bool:
    """Whether a URL is of a service on this machine or of its cloud, which no proxy could ask for it."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in _OWN_NAMES
    return address.is_loopback or address.is_link_local or host in _OWN_ADDRESSES
