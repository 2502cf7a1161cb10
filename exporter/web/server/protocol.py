"""One client's connection: uvicorn speaks HTTP, and what it leaves open is closed here."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.server.tls_transport import TlsTransport

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from exporter.web.auth.config import WebConfig

_SPARE = 64
"""So many connections over the limit are told so; any more are closed unheard."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one client may take up.

    `request_timeout` it may take to send the head of a request, on an encrypted connection the handshake
    before it included, and then `response_timeout` to receive the answer; `connections` are those of all
    clients.
    """

    request_timeout: float = 10.0
    response_timeout: float = 60.0
    connections: int = 512
    max_header_bytes: int = 16 * 1024


class HttpProtocol(H11Protocol):
    """HTTP/1.1 with a limit on how long each exchange may take."""

    def __init__(self, limits: ConnectionLimits, **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take what uvicorn gives."""
        super().__init__(**server)
        self._limits = limits
        self._guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch(self._limits.request_timeout)
        if len(self.connections) > self._limits.connections + _SPARE:
            self._drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with a request, or begin one."""
        if self._guard is None:  # the first bytes of a further request on a kept connection
            self._watch(self._limits.request_timeout)
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # a whole head has come in
            self._watch(self._limits.response_timeout)

    def on_response_complete(self) -> None:
        """Wait for the client to take the answer, or for the next request."""
        self._unwatch()
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before or self.transport.get_write_buffer_size():
            self._watch(self._limits.response_timeout)  # the client still has to take it

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._guard = self.loop.call_later(seconds, self._drop)

    def _unwatch(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None

    def _drop(self) -> None:
        """Close at once, and have the kernel forget what the client has not taken."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class HttpsProtocol(HttpProtocol):
    """The same over TLS. The limits hold from the first byte, so a slow handshake is a slow request."""

    transport: TlsTransport

    def __init__(self, limits: ConnectionLimits, web_config: Callable[[], WebConfig], **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take what uvicorn gives; a connection keeps the web_config that it began with."""
        super().__init__(limits, **server)
        self._web_config = web_config

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        """Begin to wait for a handshake and a request."""
        super().connection_made(TlsTransport(transport, self._web_config()))

    def data_received(self, data: bytes) -> None:
        """Decrypt, and go on with what was in it."""
        for piece in self.transport.decrypt(data):
            super().data_received(piece)
