"""The one way out: every request of a target, the SDKs' too, is sent by its transport.

It owns the deadline to the last byte, the cap on bodies, the trusted CAs, the proxy, the kept connections
and the count of requests. Built on libcurl, whose timeout a dripping server cannot stretch. What blocks is
sent by `send`; many requests at once, from one thread, go through a `MultiTransport` that it lends.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

import pycurl

from exporter.model.errors import GoneError, Reason, StoppingError, StoreError
from exporter.stores.transport.errors import from_curl
from exporter.stores.transport.handles import HandlePool, aim
from exporter.stores.transport.multi import MultiTransport
from exporter.stores.transport.response import Answer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.config.settings import TlsSettings

REQUESTS_PER_CALL = 6
"""A call that sends more is being led in a circle (an SDK following redirects)."""


class Traffic(Protocol):
    """Where requests are counted."""

    def sent(self, operation: str) -> None:
        """Count a request."""

    def failed(self, operation: str, reason: Reason) -> None:
        """Count a request that failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, signed already. `operation` is the API's name it is counted under.

    `seconds` is the longest it may take, within its call; `direct` ones go through no proxy.
    """

    operation: str
    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None = None
    seconds: float = math.inf
    direct: bool = False


@dataclass(slots=True)
class Call:
    """One call to a store: what it may take, how often it sent, what it sent last and what came back."""

    operation: str
    deadline: float
    sent: int = 0
    request: Request | None = None
    last: Answer | None = None


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
        self.traffic = traffic
        self._stop = stop
        self._curls = HandlePool(tls, proxy_url)
        self._monotonic = monotonic
        self._handles: list[pycurl.Curl] = []
        self._multis: list[MultiTransport] = []
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
                self.traffic.failed(operation, error.reason)
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
        remaining = min(self._admit(call), request.seconds)
        call.sent += 1
        call.request = request
        self.traffic.sent(request.operation)
        with self._handle() as handle:
            self._configure(handle, request, remaining)
            call.last = self._perform(request.operation, handle)
        return call.last

    def borrow(self) -> MultiTransport:
        """Return what sends many requests at once for one thread, with the connections it kept."""
        with self._lock:
            return self._multis.pop() if self._multis else MultiTransport(self._curls, self._monotonic)

    def give_back(self, multi: MultiTransport) -> None:
        """Take back what was borrowed; what it has in flight is given up."""
        multi.abandon()
        with self._lock:
            self._multis.append(multi)

    def close(self) -> None:
        """Close the kept connections that are not in use."""
        with self._lock:
            unused = [*self._handles, *self._multis]
            self._handles, self._multis = [], []
        for each in unused:
            each.close()

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

    def _configure(self, handle: pycurl.Curl, request: Request, remaining: float) -> None:
        self._curls.configure(handle, request.url)
        if request.direct:
            handle.setopt(pycurl.NOPROXY, "*")
        aim(handle, request.url, [_header_line(name, value) for name, value in request.headers], remaining)
        handle.setopt(pycurl.NOPROGRESS, False)  # noqa: FBT003 - takes no keywords
        handle.setopt(pycurl.XFERINFOFUNCTION, self._progress)
        handle.setopt(pycurl.PREREQFUNCTION, self._count_repeats(request.operation))
        if request.method == "HEAD":
            handle.setopt(pycurl.NOBODY, True)  # noqa: FBT003
        elif request.method != "GET":
            handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        if request.body:
            handle.setopt(pycurl.POSTFIELDS, request.body)

    def _perform(self, operation: str, handle: pycurl.Curl) -> Answer:
        reply = Reply()
        handle.setopt(pycurl.HEADERFUNCTION, reply.header)
        handle.setopt(pycurl.WRITEFUNCTION, reply.write)
        try:
            handle.perform()
        except pycurl.error as error:
            if self._stop.is_set():
                raise StoppingError from None
            raise from_curl(operation, error) from None
        return reply.answer(handle.getinfo(pycurl.RESPONSE_CODE))

    def _count_repeats(self, operation: str) -> Callable[..., int]:
        """Return what libcurl calls before each sending; it sends again where a kept connection has died."""
        sendings = count()

        def about_to_send(*_: object) -> int:
            if next(sendings) > 0:
                self.traffic.sent(operation)
            return int(pycurl.PREREQFUNC_OK)

        return about_to_send

    def _progress(self, *_: int) -> int:
        return 1 if self._stop.is_set() else 0


def _header_line(name: str, value: str) -> str:
    return f"{name}: {value}" if value else f"{name};"
