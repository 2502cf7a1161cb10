"""The one way out: every request of a target, the SDKs' too, is sent by its transport.

It owns the deadline to the last byte, the cap on bodies, the trusted CAs, the proxy, the kept connections
and the count of requests. Built on libcurl, whose timeout a dripping server cannot stretch.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import certifi
import pycurl

from exporter.config.settings import TlsSettings
from exporter.model import GoneError, Reason, StoppingError, StoreError
from exporter.stores.curl_errors import from_curl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BODY_CAP_BYTES = 64 * 1024 * 1024
"""A page is refused beyond this; a page of 1,000 uploads with the longest keys has 3 MiB."""
REQUESTS_PER_CALL = 6
"""A call that sends more is being led in a circle (an SDK following redirects)."""
_HEADER_CAP_BYTES = 128 * 1024
_CONNECTIONS_PER_HANDLE = 4


class Traffic(Protocol):
    """Where requests are counted."""

    def sent(self, operation: str) -> None:
        """Count a request."""

    def failed(self, operation: str, reason: Reason) -> None:
        """Count a request that failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, signed already. `operation` is the API's name it is counted under."""

    operation: str
    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def moment(self, default: float) -> float:
        """Return the server's clock (its Date header) in Unix seconds, or `default` where it gave none."""
        try:
            return parsedate_to_datetime(self.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError, IndexError, OverflowError):
            return default


@dataclass(slots=True)
class Call:
    """One call to a store: what it may take, what it sent, and what came back last."""

    operation: str
    deadline: float
    sent: int = 0
    last: Answer | None = None


@dataclass(slots=True)
class _Reply:
    headers: dict[str, str] = field(default_factory=dict)
    header_bytes: int = 0
    body: bytearray = field(default_factory=bytearray)

    def header(self, line: bytes) -> int | None:
        self.header_bytes += len(line)
        if self.header_bytes > _HEADER_CAP_BYTES:
            return 0
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            self.headers[name.strip().lower()] = value.strip()
        elif line.strip():  # a status line: what came before was an interim answer or the proxy's
            self.headers.clear()
        return None

    def write(self, data: bytes) -> int | None:
        if len(self.body) + len(data) > BODY_CAP_BYTES:
            return 0
        self.body += data
        return None


class Transport:
    """Sends the requests of one target. Safe to use from many threads."""

    def __init__(
        self,
        traffic: Traffic,
        stop: threading.Event,
        *,
        tls: TlsSettings | None = None,
        proxy_url: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a transport that gives up what is under way once `stop` is set."""
        self._traffic = traffic
        self._stop = stop
        self._tls = tls or TlsSettings()
        self._proxy_url = proxy_url
        self._monotonic = monotonic
        self._ca_file = str(self._tls.ca_file or default_ca_file())
        self._handles: list[pycurl.Curl] = []
        self._lock = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def call(self, operation: str, deadline: float) -> Iterator[Call]:
        """Say which call the requests of this thread belong to; its failure is counted on the way out."""
        call = Call(operation, deadline)
        self._local.call = call
        try:
            yield call
        except GoneError:
            raise
        except StoreError as error:
            if call.sent:
                self._traffic.failed(operation, error.reason)
            raise
        finally:
            self._local.call = None

    def send(self, request: Request) -> Answer:
        """Send one request of this thread's call and return the answer, whatever its status.

        Raises StoreError (timeout, connection, tls, bad_response) and StoppingError.
        """
        call: Call | None = getattr(self._local, "call", None)
        if call is None:
            raise StoreError(Reason.INTERNAL, f"{request.operation} was sent outside of a call")
        remaining = self._admit(call)
        call.sent += 1
        self._traffic.sent(request.operation)
        with self._handle() as handle:
            for option, value in self._options(request, remaining).items():
                handle.setopt(option, value)
            call.last = self._perform(request.operation, handle)
        return call.last

    def close(self) -> None:
        """Close the kept connections that are not in use."""
        with self._lock:
            handles, self._handles = self._handles, []
        for handle in handles:
            handle.close()

    def _admit(self, call: Call) -> float:
        if self._stop.is_set():
            raise StoppingError
        if call.sent >= REQUESTS_PER_CALL:
            raise StoreError(
                Reason.BAD_RESPONSE,
                f"{call.operation}: redirected in a circle; check region and endpoint_url",
            )
        remaining = call.deadline - self._monotonic()
        if remaining <= 0:
            raise StoreError(Reason.TIMEOUT, f"{call.operation}: no time left", retryable=True)
        return remaining

    @contextmanager
    def _handle(self) -> Iterator[pycurl.Curl]:
        with self._lock:
            handle = self._handles.pop() if self._handles else pycurl.Curl()
        try:
            yield handle
        finally:
            handle.reset()  # keeps its connections
            with self._lock:
                self._handles.append(handle)

    def _perform(self, operation: str, handle: pycurl.Curl) -> Answer:
        reply = _Reply()
        handle.setopt(pycurl.HEADERFUNCTION, reply.header)
        handle.setopt(pycurl.WRITEFUNCTION, reply.write)
        try:
            handle.perform()
        except pycurl.error as error:
            if self._stop.is_set():
                raise StoppingError from None
            raise from_curl(operation, error) from None
        return Answer(handle.getinfo(pycurl.RESPONSE_CODE), reply.headers, bytes(reply.body))

    def _options(self, request: Request, remaining: float) -> dict[int, Any]:
        options: dict[int, Any] = {
            pycurl.URL: request.url,
            pycurl.PATH_AS_IS: True,  # keys may hold `..`; what was signed is what is sent
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.HTTPHEADER: [_header_line(name, value) for name, value in request.headers],
            pycurl.ACCEPT_ENCODING: "",  # decode what comes encoded, though `identity` is asked for
            pycurl.TIMEOUT_MS: max(1, int(remaining * 1000)),
            pycurl.CONNECTTIMEOUT_MS: max(1, int(remaining * 1000)),
            pycurl.NOSIGNAL: True,
            pycurl.NOPROGRESS: False,
            pycurl.XFERINFOFUNCTION: self._progress,
            pycurl.MAXCONNECTS: _CONNECTIONS_PER_HANDLE,
            pycurl.TCP_KEEPALIVE: True,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.PREREQFUNCTION: self._count_repeats(request.operation),
            **self._tls_options(),
            **self._proxy_options(request.url),
        }
        if request.method == "HEAD":
            options[pycurl.NOBODY] = True
        elif request.method != "GET":
            options[pycurl.CUSTOMREQUEST] = request.method
        if request.body:
            options[pycurl.POSTFIELDS] = request.body
        return options

    def _count_repeats(self, operation: str) -> Callable[..., int]:
        """Return what libcurl calls before each sending; it sends again where a kept connection has died."""
        sendings = count()

        def about_to_send(*_: object) -> int:
            if next(sendings) > 0:
                self._traffic.sent(operation)
            return int(pycurl.PREREQFUNC_OK)

        return about_to_send

    def _tls_options(self) -> dict[int, Any]:
        verify = not self._tls.insecure_skip_verify
        options: dict[int, Any] = {
            pycurl.CAINFO: self._ca_file,
            pycurl.SSL_VERIFYPEER: verify,
            pycurl.SSL_VERIFYHOST: 2 if verify else 0,
        }
        if self._tls.cert_file:
            options[pycurl.SSLCERT] = str(self._tls.cert_file)
            options[pycurl.SSLKEY] = str(self._tls.key_file or self._tls.cert_file)
        return options

    def _proxy_options(self, url: str) -> dict[int, Any]:
        if self._proxy_url:
            return {pycurl.PROXY: self._proxy_url, pycurl.NOPROXY: ""}
        # of the environment's names libcurl leaves HTTP_PROXY out, fearing CGI; we are none
        upper = os.environ.get("HTTP_PROXY")
        if upper and url.startswith("http://") and not os.environ.get("http_proxy"):
            return {pycurl.PROXY: upper}
        return {}

    def _progress(self, *_: int) -> int:
        return 1 if self._stop.is_set() else 0


def default_ca_file() -> Path:
    """Return the trust store of every store: the environment's, else the system's, else certifi's."""
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if value := os.environ.get(name):
            return Path(value)
    paths = (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
    return next((Path(path) for path in paths if path and Path(path).is_file()), Path(certifi.where()))


def _header_line(name: str, value: str) -> str:
    return f"{name}: {value}" if value else f"{name};"
