"""One client's connection: uvicorn speaks HTTP, and this puts deadlines on each exchange.

Of uvicorn this uses, undocumented: `H11Protocol` as a base class, its attribute `cycle` (another object for
each request) and its method `on_response_complete`. So pyproject.toml allows only the tested minor release.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.server.tls_transport import TlsTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.web.auth.config import WebConfig

_REFUSED_POLITELY = 64
"""Number of connections over the limit that get a 503; any more are reset at once."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What clients may take up.

    `request_timeout`: seconds from the connection (or, on a kept one, from the first byte) to the end of the
    request's head, a TLS handshake included. `response_timeout`: seconds from there until the client has
    received the response. `connections`: maximum number for all clients together.
    """

    request_timeout: float = 10.0
    response_timeout: float = 60.0
    connections: int = 512
    max_header_bytes: int = 16 * 1024


class HttpProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for each request and each response."""

    def __init__(self, limits: ConnectionLimits, connections: set[HttpProtocol], **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take uvicorn's arguments, and the set of open connections, to which this one is added."""
        super().__init__(**server)
        self._limits = limits
        self._open_connections = connections
        self._connection: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        """Wait for a request."""
        self._connection = transport
        self._open_connections.add(self)
        super().connection_made(transport)
        self._set_deadline(self._limits.request_timeout)
        if len(self._open_connections) > self._limits.connections + _REFUSED_POLITELY:
            self._reset()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._clear_deadline()
        self._open_connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, with a new deadline where a request begins or its head is complete."""
        if self._deadline is None:  # the first bytes of a further request on a kept connection
            self._set_deadline(self._limits.request_timeout)
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # a whole head has come in
            self._set_deadline(self._limits.response_timeout)

    def on_response_complete(self) -> None:
        """Wait until the client has taken the response, or for the next request."""
        self._clear_deadline()
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before or self._connection.get_write_buffer_size():
            self._set_deadline(self._limits.response_timeout)

    def abort(self) -> None:
        """Close at once, without sending what is buffered."""
        self._connection.abort()

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._reset)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _reset(self) -> None:
        """Close with a reset, so that the kernel drops what the client has not taken."""
        connection = self._connection.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()


class HttpsProtocol(HttpProtocol):
    """The same over TLS. The deadlines count from the first byte, so a slow handshake is a slow request."""

    _connection: TlsTransport

    def __init__(self, web_config: Callable[[], WebConfig], *limits: Any, **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take uvicorn's arguments; a connection keeps the web config that it began with."""
        super().__init__(*limits, **server)
        self._web_config = web_config

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        """Wait for a handshake and a request."""
        super().connection_made(TlsTransport(transport, self._web_config()))

    def data_received(self, data: bytes) -> None:
        """Decrypt, and read what was in it."""
        for piece in self._connection.decrypt(data):
            super().data_received(piece)
