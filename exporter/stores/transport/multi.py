"""Many requests in flight on one thread: libcurl's multi interface, waited for with poll.

https://curl.se/libcurl/c/curl_multi_socket_action.html
"""

from __future__ import annotations

import math
import select
import time
from typing import TYPE_CHECKING

import pycurl

from exporter.stores.transport.handles import aim
from exporter.stores.transport.response import Answer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.stores.transport.handles import HandlePool

_SPARE_CONNECTIONS = 4
_DIED = {pycurl.E_GOT_NOTHING, pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR}
"""How requests on a connection end that the server closed meanwhile."""
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}

Done = tuple[object, "Answer | pycurl.error", int]
"""The label that a request was started with, what came of it, and how often libcurl sent it."""


class _Slot:
    """A handle, which keeps its settings, and what comes in on it."""

    __slots__ = ("ends", "fresh", "handle", "label", "reply", "sendings")

    def __init__(self, handle: pycurl.Curl) -> None:
        self.handle = handle
        self.reply = Reply()
        self.label: object = None
        self.sendings = 0
        self.ends = 0.0
        self.fresh = False
        handle.setopt(pycurl.HEADERFUNCTION, self.reply.header)
        handle.setopt(pycurl.WRITEFUNCTION, self.reply.write)
        handle.setopt(pycurl.PREREQFUNCTION, self._about_to_send)

    def be_fresh(self, *, on: bool) -> None:
        """Have the next request use a new connection, or any."""
        self.fresh = on
        self.handle.setopt(pycurl.FRESH_CONNECT, on)

    def _about_to_send(self, *_: object) -> int:
        self.sendings += 1  # libcurl sends again where a kept connection has died
        return int(pycurl.PREREQFUNC_OK)


class MultiTransport:
    """Requests in flight and the connections they leave; used by one thread at a time."""

    def __init__(self, curls: HandlePool, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make one without requests; its handles are made as they are needed."""
        self._curls = curls
        self._monotonic = monotonic
        self._multi = pycurl.CurlMulti()
        # not epoll: libcurl revokes and renews its interest at each request, a system call each with epoll
        self._poll = select.poll()
        self._timer = math.inf
        self._idle: list[_Slot] = []
        self._busy: dict[pycurl.Curl, _Slot] = {}
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._want)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def start(self, url: str, headers: Sequence[str], seconds: float, label: object) -> None:
        """Begin a GET with these header lines, which may take so many seconds to its last byte.

        Raises ValueError where a line cannot be sent, since it is not ASCII or holds a NUL.
        """
        if not self._idle:
            self._idle.append(self._new_slot(url))
        aim(self._idle[-1].handle, url, headers, seconds)
        slot = self._idle.pop()
        slot.label = label
        slot.sendings = 0
        slot.ends = self._monotonic() + seconds
        self._busy[slot.handle] = slot
        self._multi.add_handle(slot.handle)

    def done(self, timeout: float) -> list[Done]:
        """Wait for the requests that end next, at most `timeout` seconds."""
        end = self._monotonic() + timeout
        while True:
            self._let_libcurl_act(end)
            if (done := self._collect()) or self._monotonic() >= end:
                return done

    def abandon(self) -> None:
        """Give up what is in flight; connections that are idle are kept."""
        for slot in list(self._busy.values()):
            self._release(slot)
            slot.reply.answer(0)

    def close(self) -> None:
        """Close every connection."""
        self.abandon()
        for slot in self._idle:
            slot.handle.close()
        self._idle.clear()
        self._multi.close()

    def _new_slot(self, url: str) -> _Slot:
        handle = pycurl.Curl()
        self._curls.configure(handle, url)
        self._multi.setopt(pycurl.M_MAXCONNECTS, len(self._busy) + _SPARE_CONNECTIONS)
        return _Slot(handle)

    def _let_libcurl_act(self, end: float) -> None:
        """Wait for what libcurl waits for, then tell it."""
        now = self._monotonic()
        if self._timer > now:
            milliseconds = math.ceil(max(0.0, min(self._timer, end) - now) * 1000)
            for file, events in self._poll.poll(milliseconds):
                action = pycurl.CSELECT_IN if events & _READABLE else 0
                action |= pycurl.CSELECT_OUT if events & select.POLLOUT else 0
                self._multi.socket_action(file, action)
            now = self._monotonic()
        if self._timer <= now:
            self._timer = math.inf
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self) -> list[Done]:
        done: list[Done] = []
        more = 1
        while more:
            more, fine, failed = self._multi.info_read()
            done += [self._finish(handle, None) for handle in fine]
            for handle, code, text in failed:
                if not (code in _DIED and self._connect_anew(handle)):
                    done.append(self._finish(handle, pycurl.error(code, text)))
        return done

    def _connect_anew(self, handle: pycurl.Curl) -> bool:
        """Send once more where a kept connection died, and on a new one: the server closes those it keeps.

        libcurl tries further kept ones by itself, but not for ever, nor after every kind of end.
        """
        slot = self._busy[handle]
        seconds = slot.ends - self._monotonic()
        if slot.fresh or handle.getinfo(pycurl.NUM_CONNECTS) > 0 or seconds <= 0:
            return False
        self._multi.remove_handle(handle)
        slot.reply.answer(0)
        slot.be_fresh(on=True)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        self._multi.add_handle(handle)
        return True

    def _finish(self, handle: pycurl.Curl, error: pycurl.error | None) -> Done:
        slot = self._busy[handle]
        answer = slot.reply.answer(handle.getinfo(pycurl.RESPONSE_CODE))
        self._release(slot)
        return slot.label, error or answer, slot.sendings

    def _release(self, slot: _Slot) -> None:
        self._multi.remove_handle(slot.handle)
        if slot.fresh:
            slot.be_fresh(on=False)
        del self._busy[slot.handle]
        self._idle.append(slot)

    def _want(self, what: int, file: int, *_: object) -> None:
        """Note what libcurl wants to know of a socket."""
        if what != pycurl.POLL_REMOVE:
            self._poll.register(file, _EVENTS[what])
            return
        self._poll.unregister(file)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = math.inf if milliseconds < 0 else self._monotonic() + milliseconds / 1000
