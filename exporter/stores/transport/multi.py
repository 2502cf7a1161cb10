"""Many requests in flight on one thread, over libcurl's multi interface and poll().

https://curl.se/libcurl/c/curl_multi_socket_action.html
"""

from __future__ import annotations

import math
import select
import time
from functools import partial
from typing import TYPE_CHECKING

import pycurl

from exporter.stores.transport.handles import set_request
from exporter.stores.transport.memory import TargetMemory
from exporter.stores.transport.response_buffer import ResponseBuffer
from exporter.stores.transport.waiting import LOOK_SECONDS, WaitingTransfers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.stores.transport.handles import HandleOptions
    from exporter.stores.transport.response import Response

_SPARE_CONNECTIONS = 4
_CONNECTION_DIED = {pycurl.E_GOT_NOTHING, pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR}
"""Errors of requests on a kept connection that the server has closed."""
_SEND = int(pycurl.PREREQFUNC_OK)
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}

Completed = tuple[object, "Response | pycurl.error", int]
"""The label that a request was started with, its outcome, and the number of times that libcurl sent it."""


class _Slot:
    """A handle, which keeps its options, and the response that it receives."""

    __slots__ = ("buffer", "deadline", "fresh", "handle", "label", "started", "times_sent")

    def __init__(self, handle: pycurl.Curl, memory: TargetMemory) -> None:
        self.handle = handle
        self.buffer = ResponseBuffer(memory, memory.multi)
        self.label: object = None
        self.times_sent = 0
        self.started = self.deadline = 0.0
        self.fresh = False
        handle.setopt(pycurl.HEADERFUNCTION, self.buffer.header)
        handle.setopt(pycurl.WRITEFUNCTION, self.buffer.write)
        handle.setopt(pycurl.PREREQFUNCTION, self._about_to_send)

    def set_fresh(self, *, on: bool) -> None:
        """Make the next request use a new connection, or any."""
        self.fresh = on
        self.handle.setopt(pycurl.FRESH_CONNECT, on)

    def _about_to_send(self, *_: object) -> int:
        self.times_sent += 1  # libcurl sends again where a kept connection has died
        return _SEND


class MultiTransport:
    """Sends many GETs at once and keeps their connections; for one thread at a time.

    Wraps libcurl's multi handle.
    """

    def __init__(
        self,
        options: HandleOptions,
        monotonic: Callable[[], float] = time.monotonic,
        memory: TargetMemory | None = None,
    ) -> None:
        """Begin without requests; handles are created when needed. `memory` is that of the target."""
        self._options = options
        self._memory = memory or TargetMemory()
        self._waiting = WaitingTransfers(monotonic)
        self._overdue: list[tuple[_Slot, pycurl.error]] = []
        self._monotonic = monotonic
        self._multi = pycurl.CurlMulti()
        # not epoll: libcurl revokes and renews its interest at each request, a system call each with epoll
        self._poll = select.poll()
        self._idle: list[_Slot] = []
        self._busy: dict[pycurl.Curl, _Slot] = {}
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch_socket)

    def start(
        self, url: str, headers: Sequence[str], timeout: float, label: object, item: bytes = b""
    ) -> None:
        """Begin a GET with these header lines; `timeout` is seconds to the last byte.

        `item` is what begins each item of a listing, which may be large.
        Raises ValueError where a line cannot be sent, since it is not ASCII or holds a NUL.
        """
        if not self._idle:
            self._idle.append(self._new_slot(url))
        set_request(self._idle[-1].handle, url, headers, timeout)
        self._options.set_proxy(self._idle[-1].handle, url)
        slot = self._idle.pop()
        slot.label = label
        slot.buffer.item = item
        slot.times_sent = 0
        slot.started = self._monotonic()
        slot.deadline = slot.started + timeout
        self._busy[slot.handle] = slot
        self._multi.add_handle(slot.handle)

    def completed(self, timeout: float) -> list[Completed]:
        """Return the requests that end next, waiting at most `timeout` seconds for them."""
        end = self._monotonic() + timeout
        while True:
            self.advance(end)
            if (completed := self._collect()) or self._monotonic() >= end:
                return completed

    def advance(self, until: float) -> None:
        """Wait for libcurl's sockets and timer, at most `until` (monotonic clock), and let it act on them."""
        if self._waiting:
            self._overdue += self._waiting.resume()  # type: ignore[arg-type]  # our slots
            until = min(until, self._monotonic() + (0.0 if self._overdue else LOOK_SECONDS))
        timer = self._multi.timeout()  # asked for once: M_TIMERFUNCTION is called three times a request
        if timer != 0:
            remaining = math.ceil(max(0.0, until - self._monotonic()) * 1000)
            timer_is_first = 0 < timer <= remaining
            ready = self._poll.poll(timer if timer_is_first else remaining)
            for file, events in ready:
                action = pycurl.CSELECT_IN if events & _READABLE else 0
                action |= pycurl.CSELECT_OUT if events & select.POLLOUT else 0
                self._multi.socket_action(file, action)
            if ready or not timer_is_first:
                return
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def cancel(self) -> None:
        """Cancel the requests in flight; idle connections are kept."""
        for slot in list(self._busy.values()):
            self._release(slot)
            slot.buffer.finish(0)
        self._overdue.clear()

    def close(self) -> None:
        """Close every connection."""
        self.cancel()
        for slot in self._idle:
            slot.handle.close()
        self._idle.clear()
        self._multi.close()

    @property
    def in_flight(self) -> int:
        """Number of requests in flight."""
        return len(self._busy)

    @property
    def idle(self) -> int:
        """Number of handles without a request."""
        return len(self._idle)

    @property
    def in_flight_buffers(self) -> list[ResponseBuffer]:
        """The responses of the requests in flight, as far as received."""
        return [slot.buffer for slot in self._busy.values()]

    def _new_slot(self, url: str) -> _Slot:
        handle = pycurl.Curl()
        self._options.configure(handle, url)
        self._multi.setopt(pycurl.M_MAXCONNECTS, len(self._busy) + _SPARE_CONNECTIONS)
        slot = _Slot(handle, self._memory)
        slot.buffer.on_wait = partial(self._waiting.add, slot)
        return slot

    def _collect(self) -> list[Completed]:
        completed: list[Completed] = []
        overdue, self._overdue = self._overdue, []
        completed += [self._finish(slot.handle, error) for slot, error in overdue]
        more = 1
        while more:
            more, fine, failed = self._multi.info_read()
            completed += [self._finish(handle, None) for handle in fine]
            for handle, code, text in failed:
                if not (code in _CONNECTION_DIED and self._connect_anew(handle)):
                    completed.append(self._finish(handle, pycurl.error(code, text)))
        return completed

    def _connect_anew(self, handle: pycurl.Curl) -> bool:
        """Send once more, on a new connection, where a kept one had died; false where that is no remedy.

        libcurl tries other kept connections itself, but not without limit, and not after every kind of error.
        """
        slot = self._busy[handle]
        seconds = slot.deadline - self._monotonic()
        if slot.fresh or handle.getinfo(pycurl.NUM_CONNECTS) > 0 or seconds <= 0:
            return False
        self._multi.remove_handle(handle)
        slot.buffer.finish(0)
        slot.set_fresh(on=True)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._multi.add_handle(handle)
        return True

    def _finish(self, handle: pycurl.Curl, error: pycurl.error | None) -> Completed:
        slot = self._busy[handle]
        error = slot.buffer.error or error or slot.buffer.decoding_error()
        response = slot.buffer.finish(handle.getinfo(pycurl.RESPONSE_CODE))
        self._release(slot)
        label, slot.label = slot.label, None  # an idle one may outlive the bucket by far
        return label, error or response, slot.times_sent

    def _release(self, slot: _Slot) -> None:
        self._multi.remove_handle(slot.handle)
        if self._waiting:
            self._waiting.forget(slot)
        if slot.fresh:
            slot.set_fresh(on=False)
        del self._busy[slot.handle]
        self._idle.append(slot)

    def _watch_socket(self, event: int, file: int, *_: object) -> None:
        """M_SOCKETFUNCTION: register a socket for the events that libcurl waits for."""
        if event != pycurl.POLL_REMOVE:
            self._poll.register(file, _EVENTS[event])
            return
        self._poll.unregister(file)
