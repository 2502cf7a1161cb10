"""One client's connection: uvicorn speaks HTTP, and this puts deadlines on each exchange.

Of uvicorn this uses, undocumented: `H11Protocol` as a base class and how it is made, its attributes `conn`
(h11's connection), `flow` (`write_paused`, `pause_reading`, `resume_reading`) and `cycle` (another object for
each request, with `disconnected`, `message_event`, `response_complete` and `scope`), its methods
`on_response_complete` and `send_400_response`. So pyproject.toml allows only the tested minor release.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.server.tls_transport import TlsTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.web.auth.config import WebConfig
    from exporter.web.server.connections import ConnectionLimits, Connections

_RESET = struct.pack("ii", 1, 0)


class HttpProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for each request and each response."""

    client_key: object = None

    def __init__(self, limits: ConnectionLimits, connections: Connections, **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take uvicorn's arguments, and the open connections, which are told what this one waits for."""
        super().__init__(**server)
        self._limits = limits
        self._connections = connections
        self._connection: asyncio.Transport | None = None
        self._dropped = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        """Wait for a request."""
        self._connection = transport
        super().connection_made(transport)
        self._set_deadline(self._limits.request_timeout)
        if self._dropped:
            self._reset()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._clear_deadline()
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, with a new deadline where a request begins or its head is complete."""
        if self._deadline is None:  # the first bytes of a further request on a kept connection
            self._set_deadline(self._limits.request_timeout)
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # a whole head has come in
            self._set_deadline(self._limits.response_timeout)
        self._note_state()

    def handle_events(self) -> None:
        """Refuse what a proxy and this server may see different ends of, before anything of it is done."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and _has_two_ends(self.cycle.scope):
            self.send_400_response("Transfer-Encoding beside Content-Length or in HTTP/1.0\n")

    def on_response_complete(self) -> None:
        """Wait until the client has taken the response, or for the next request.

        A further one is not read before: another response would be held for it, which nothing counts.
        """
        self._clear_deadline()
        before, untaken = self.cycle, self.flow.write_paused
        if untaken and self.conn.trailing_data[0]:
            self.transport.close()  # it came along with the one before: the client may ask again
        super().on_response_complete()
        if untaken:
            self.flow.pause_reading()
        if self.cycle is not before or self.unsent:
            self._set_deadline(self._limits.response_timeout)
        self._note_state()
        if self.unsent:
            self._connections.bound_unsent()

    def resume_writing(self) -> None:
        """Go on, as the client has taken most of what there was."""
        super().resume_writing()
        if not self._is_responding:
            self.flow.resume_reading()

    def eof_received(self) -> None:
        """Respond to a request that is cut off; asyncio closes the connection then."""
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            super().data_received(b"")

    def send_400_response(self, msg: str) -> None:
        """Respond to what is no HTTP, unless another response has begun; then close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            to_head = self._is_responding and self.cycle.scope["method"] == "HEAD"
            super().send_400_response("" if to_head else msg)
        else:
            self.transport.close()
        if self.cycle is not None:
            self.cycle.disconnected = True  # what the application responds goes nowhere
            self.cycle.message_event.set()

    def drop(self, *, unsent: bool = False) -> bool:
        """Close at once and return True, unless the client has a response to take (`unsent`: then, too)."""
        if self._connection is not None:
            connection = self._connection.get_extra_info("socket")
            if not unsent and (self.unsent or _on_its_way(connection)):
                return False
            self._reset()
        self._dropped = True
        return True

    def abort(self) -> None:
        """Close at once, without sending what is buffered."""
        if self._connection is not None:
            self._connection.abort()

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._end_of_time, seconds)

    def _end_of_time(self, seconds: float) -> None:
        """Close, unless the client waits for a response: its time to take it begins when it is there."""
        if self._is_waited_for or self.unsent:
            self._reset()
        else:
            self._set_deadline(seconds)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    @property
    def unsent(self) -> int:
        """Number of bytes in this process that the client has still to take."""
        return self._connection.get_write_buffer_size() if self._connection else 0

    @property
    def _is_responding(self) -> bool:
        """Whether a request is not yet responded to."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_waited_for(self) -> bool:
        """Whether the client has still to do something: to send a request, or the rest of one."""
        return not self._is_responding or self.conn.their_state is h11.SEND_BODY

    def _note_state(self) -> None:
        """Have it noted whether the client is waited for, or waits for a response."""
        if self._is_waited_for:
            self._connections.waits(self)
        else:
            self._connections.is_busy(self)

    def _reset(self) -> None:
        """Close with a reset, so that the kernel drops what the client has not taken."""
        if self._connection is not None:
            reset(self._connection.get_extra_info("socket"))
            self._connection.abort()


class HttpsProtocol(HttpProtocol):
    """The same over TLS. The deadlines count from the first byte, so a slow handshake is a slow request."""

    _connection: TlsTransport | None

    def __init__(self, web_config: Callable[[], WebConfig], *limits: Any, **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take uvicorn's arguments; a connection keeps the web config that it began with."""
        super().__init__(*limits, **server)
        self._web_config = web_config

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        """Wait for a handshake and a request."""
        super().connection_made(TlsTransport(transport, self._web_config()))

    def data_received(self, data: bytes) -> None:
        """Decrypt, and read what was in it."""
        assert self._connection is not None  # noqa: S101 - for the type
        for piece in self._connection.decrypt(data):
            if piece:
                super().data_received(piece)
            else:
                self.eof_received()


def _has_two_ends(scope: Any) -> bool:  # noqa: ANN401 - uvicorn's own type
    """Return whether who reads no Transfer-Encoding sees another end of a request (RFC 9112, section 6.1)."""
    names = {name for name, _ in scope["headers"]}
    has_length = b"content-length" in names
    return b"transfer-encoding" in names and (has_length or scope["http_version"] != "1.1")


def reset(connection: socket.socket) -> None:
    """Have a connection's closing reset it, so that the kernel drops what the client has not taken."""
    with suppress(OSError):  # some systems refuse it where the client is gone
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _on_its_way(connection: socket.socket) -> int:
    """Return the number of bytes that the kernel has taken and the client not yet received."""
    size = bytearray(4)
    with suppress(OSError):  # a system that does not tell
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, size)
    return int.from_bytes(size, sys.byteorder)
