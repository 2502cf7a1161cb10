"""The HTTP client of a target: it sends every request, also those of the SDKs.

It owns deadlines (to the last byte), the limit of bodies, trusted CAs, proxy, kept connections and the count
of requests. Built on libcurl, whose timeout covers the whole response. `send` blocks; a borrowed
`MultiTransport` sends many requests at once from one thread.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Protocol

import pycurl

from exporter.model.errors import GoneError, NotAnUploadError, Reason, StoppingError, StoreError
from exporter.stores.transport.errors import NO_MEMORY, from_curl, out_of_files
from exporter.stores.transport.handles import HandleOptions, set_request
from exporter.stores.transport.memory import TargetMemory
from exporter.stores.transport.multi import MultiTransport
from exporter.stores.transport.response_buffer import ResponseBuffer
from exporter.stores.transport.waiting import LOOK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from exporter.config.target_sections import TlsSettings
    from exporter.stores.transport.response import Response

_FAIL = 0
"""What makes libcurl give up when a WRITEFUNCTION returns it."""
MAX_REQUESTS_PER_CALL = 6
"""More requests than that in one call are a loop of redirects that an SDK follows."""


class Traffic(Protocol):
    """The counters of a target's requests."""

    def sent(self, operation: str, requests: int = 1) -> None:
        """Count requests."""

    def failed(self, operation: str, reason: Reason) -> None:
        """Count a request that failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, already signed. `operation` is the API's name that it is counted under.

    `timeout` is seconds, besides the deadline of its call; `no_proxy` requests go through no proxy. `item` is
    what begins each item of a listing, which may be large.
    """

    operation: str
    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None = None
    timeout: float = math.inf
    no_proxy: bool = False
    item: bytes = b""

    @classmethod
    def get(cls, operation: str, url: str, lines: Iterable[str]) -> Request:
        """Return a GET with these header lines, `name: value`."""
        pairs = (line.partition(": ") for line in lines)
        return cls(operation, "GET", url, tuple((name, value) for name, _, value in pairs))


@dataclass(slots=True)
class Call:
    """One API call of a thread, which may take several requests. `deadline` is on the monotonic clock."""

    operation: str
    deadline: float
    sent: int = 0
    """Number of requests sent."""
    last_request: Request | None = None
    last_response: Response | None = None


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
        """Once `stop` is set, requests in flight are cancelled."""
        self.traffic = traffic
        self.stop = stop
        self._options = HandleOptions(tls, proxy_url)
        self.memory = TargetMemory()
        """What its answers may take."""
        self._monotonic = monotonic
        self._idle_handles: list[pycurl.Curl] = []
        self._idle_multis: list[MultiTransport] = []
        self._lock = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def call(self, operation: str, deadline: float) -> Iterator[Call]:
        """Make this thread's requests part of one call, whose failure is counted on the way out."""
        call = Call(operation, deadline)
        self._local.call = call
        try:
            yield call
        except (GoneError, NotAnUploadError):
            raise
        except StoreError as error:
            if call.sent:
                self.traffic.failed(operation, error.reason)
            raise
        finally:
            self._local.call = None

    def send(self, request: Request) -> Response:
        """Send one request of this thread's call and return the response, whatever its status.

        Raises StoreError (timeout, connection, tls, bad_response) and StoppingError.
        """
        call: Call | None = getattr(self._local, "call", None)
        if call is None:
            raise StoreError(Reason.INTERNAL, f"{request.operation} was sent outside of a call")
        remaining = min(self._remaining(call), request.timeout)
        call.sent += 1
        call.last_request = request
        self.traffic.sent(request.operation)
        with self._handle() as handle:
            self._configure(handle, request, remaining)
            call.last_response = self._perform(request, handle, remaining)
        return call.last_response

    @property
    def idle_multis(self) -> Sequence[MultiTransport]:
        """The MultiTransports that were given back and are not borrowed."""
        return tuple(self._idle_multis)

    def borrow(self) -> MultiTransport:
        """Return a MultiTransport for one thread, with the connections that it keeps. Raises StoreError."""
        with self._lock:
            if self._idle_multis:
                return self._idle_multis.pop()
        try:
            return MultiTransport(self._options, self._monotonic, self.memory)
        except pycurl.error:
            if lacking := out_of_files("no request was sent", ""):
                raise lacking from None
            raise

    def give_back(self, multi: MultiTransport) -> None:
        """Take back a borrowed MultiTransport; its requests in flight are cancelled."""
        multi.cancel()
        with self._lock:
            self._idle_multis.append(multi)

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            unused = [*self._idle_handles, *self._idle_multis]
            self._idle_handles, self._idle_multis = [], []
        for each in unused:
            each.close()

    def _remaining(self, call: Call) -> float:
        """Return the seconds left of a call. Raises StoreError and StoppingError."""
        if self.stop.is_set():
            raise StoppingError
        if call.sent >= MAX_REQUESTS_PER_CALL:
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
            handle = self._idle_handles.pop() if self._idle_handles else pycurl.Curl()
        try:
            yield handle
        finally:
            handle.reset()  # keeps its connections
            with self._lock:
                self._idle_handles.append(handle)

    def _configure(self, handle: pycurl.Curl, request: Request, remaining: float) -> None:
        self._options.configure(handle, request.url)
        if request.no_proxy:
            handle.setopt(pycurl.NOPROXY, "*")
        set_request(
            handle, request.url, [_header_line(name, value) for name, value in request.headers], remaining
        )
        handle.setopt(pycurl.NOPROGRESS, False)  # noqa: FBT003 - takes no keywords
        handle.setopt(pycurl.XFERINFOFUNCTION, self._progress)
        handle.setopt(pycurl.PREREQFUNCTION, self._count_repeats(request.operation))
        if request.method == "HEAD":
            handle.setopt(pycurl.NOBODY, True)  # noqa: FBT003
        elif request.method != "GET":
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        if request.body:
            handle.setopt(pycurl.POSTFIELDS, request.body)

    def _perform(self, request: Request, handle: pycurl.Curl, remaining: float) -> Response:
        operation = request.operation
        buffer = ResponseBuffer(self.memory, self.memory.blocking)
        buffer.item = request.item
        handle.setopt(pycurl.HEADERFUNCTION, buffer.header)
        handle.setopt(pycurl.WRITEFUNCTION, partial(self._write, buffer, self._monotonic() + remaining))
        try:
            handle.perform()
        except pycurl.error as error:
            if self.stop.is_set():
                raise StoppingError from None
            no_memory = pycurl.error(pycurl.E_OPERATION_TIMEDOUT, NO_MEMORY) if buffer.waits else None
            raise from_curl(operation, no_memory or buffer.error or error) from None
        if undecoded := buffer.decoding_error():
            raise from_curl(operation, undecoded)
        return buffer.finish(handle.getinfo(pycurl.RESPONSE_CODE))

    def _write(self, buffer: ResponseBuffer, deadline: float, data: bytes) -> int | None:
        """WRITEFUNCTION: take a piece of a body, once there is memory for it."""
        taken = buffer.write(data)
        while buffer.waits:
            if self.stop.wait(LOOK_SECONDS) or self._monotonic() >= deadline:
                return _FAIL
            if buffer.has_memory():
                taken = buffer.write(data)
        return taken

    def _count_repeats(self, operation: str) -> Callable[..., int]:
        """Return a PREREQFUNCTION: libcurl sends again where a kept connection has died."""
        sendings = count()

        def about_to_send(*_: object) -> int:
            if next(sendings) > 0:
                self.traffic.sent(operation)
            return int(pycurl.PREREQFUNC_OK)

        return about_to_send

    def _progress(self, *_: int) -> int:
        return 1 if self.stop.is_set() else 0


def _header_line(name: str, value: str) -> str:
    return f"{name}: {value}" if value else f"{name};"
