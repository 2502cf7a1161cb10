"""Requests to the services that give keys to an instance or a container; botocore sends them by itself.

It reads their answers whole, however long they are and however slowly they come.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pycurl
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from exporter.model.errors import Reason, StoppingError
from exporter.stores.aws.lookup import source_of
from exporter.stores.secret_sources import CredentialSourceError
from exporter.stores.transport.errors import from_curl
from exporter.stores.transport.handles import HandleOptions, set_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest

    from exporter.stores.aws.lookup import Lookup

MAX_ANSWER_BYTES = 64 * 1024
"""Keys and a token have a few KiB."""
_ADVICE = (
    "check the variables AWS_CONTAINER_CREDENTIALS_* or AWS_EC2_METADATA_SERVICE_ENDPOINT, and what answers"
)
_URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
_NOT_CONNECTED = {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY}
_NO_URL = {pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL}
_ROUNDING_SECONDS = 0.005
"""libcurl counts whole milliseconds: what it ends at the deadline has to end after it."""
_FAIL = 0


class CredentialService:
    """Sends requests before a lookup's deadline; to botocore it is a `URLLib3Session`."""

    def __init__(self, lookup: Lookup, method: str, timeout: Any, *, by_proxy: bool = False) -> None:  # noqa: ANN401 - as configured
        """Send nothing yet.

        `method` is botocore's name of the provider; `timeout` is seconds, for the connection and then the
        answer; `by_proxy`: the environment's proxies are used.
        """
        self._lookup = lookup
        self._source = source_of(method)
        self._timeout = timeout
        self._by_proxy = by_proxy

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Return the answer.

        Raises botocore's errors of connections, CredentialSourceError and StoppingError.
        """
        body = bytearray()
        handle = pycurl.Curl()
        try:
            self._configure(handle, request, body)
            handle.perform()
            status = handle.getinfo(pycurl.RESPONSE_CODE)
        except pycurl.error as error:
            raise self._error(request, error, body) from None
        finally:
            handle.close()
        if not _is_text(body):
            raise CredentialSourceError(f"{self._source} answered with what is no text; {_ADVICE}")
        return AWSResponse(request.url, status, HTTPHeaders(), _Body(bytes(body)))

    def _configure(self, handle: pycurl.Curl, request: AWSPreparedRequest, body: bytearray) -> None:
        HandleOptions().configure(handle, request.url)
        if not self._by_proxy:
            handle.setopt(pycurl.PROXY, "")
        url = quote(request.url, safe=_URL_CHARACTERS)
        timeout = min(2 * self._seconds(), self._remaining() + _ROUNDING_SECONDS)
        set_request(handle, url, self._header_lines(request), timeout)
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(1000 * self._seconds())))
        if request.method != "GET":
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        handle.setopt(pycurl.NOPROGRESS, False)  # noqa: FBT003 - takes no keywords
        handle.setopt(pycurl.XFERINFOFUNCTION, lambda *_: int(self._lookup.stop.is_set()))

        def write(data: bytes) -> int | None:
            body.extend(data)
            return None if len(body) <= MAX_ANSWER_BYTES else _FAIL

        handle.setopt(pycurl.WRITEFUNCTION, write)

    def _header_lines(self, request: AWSPreparedRequest) -> list[str]:
        headers = {"Accept-Encoding": "identity", "Content-Length": "0", **request.headers}
        if request.method == "GET":
            del headers["Content-Length"]
        texts = {name: _as_text(value) for name, value in headers.items()}
        # the metadata service itself gives a token, which goes into a header
        if not all(text.isascii() and text.isprintable() for text in texts.values()):
            raise CredentialSourceError(
                f"{self._source} would be sent a token that no header can carry; {_ADVICE}"
            )
        return [f"{name}: {text}" if text else f"{name};" for name, text in texts.items()]

    def _seconds(self) -> float:
        if not isinstance(self._timeout, (int, float)) or self._timeout <= 0:
            raise CredentialSourceError(
                f"the timeout of {self._source} is no number of seconds above 0; "
                "check AWS_METADATA_SERVICE_TIMEOUT and metadata_service_timeout"
            )
        return float(self._timeout)

    def _remaining(self) -> float:
        self._lookup.check_stop()
        remaining = self._lookup.deadline - time.monotonic()
        if remaining <= 0:
            text = f"no keys from {self._source} within request_timeout; {_ADVICE}, or allow more time"
            raise CredentialSourceError(text)
        return remaining

    def _error(self, request: AWSPreparedRequest, error: pycurl.error, body: bytearray) -> Exception:
        """Return what botocore's own session would raise, or what ends the lookup."""
        if self._lookup.stop.is_set():
            return StoppingError()
        code, text = error.args
        if len(body) > MAX_ANSWER_BYTES:
            size = MAX_ANSWER_BYTES // 1024
            return CredentialSourceError(f"{self._source} answered with more than {size} KiB; {_ADVICE}")
        if code in _NO_URL:
            return CredentialSourceError(f"the address of {self._source} is no URL of HTTP; {_ADVICE}")
        if code == pycurl.E_OPERATION_TIMEDOUT:
            self._remaining()
        return _connection_class(error)(endpoint_url=request.url, error=text)


def _connection_class(error: pycurl.error) -> type[BotoCoreError]:
    """Return the class of what botocore's own session raises."""
    code = error.args[0]
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return ReadTimeoutError
    if code in _NOT_CONNECTED:
        return EndpointConnectionError
    return SSLError if from_curl("", error).reason is Reason.TLS else ConnectionClosedError


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


def _as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_text(body: bytearray) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
