"""The HTTP server on a thread of its own, which slow and hostile clients cannot hold up.

uvicorn speaks HTTP; what it leaves open is closed here: a client has seconds to send its request and to
take the answer, and only so many may be connected at once.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.web.app import App

_BACKLOG = 256
_LAST_PORT = 65535
_SPARE = 64
"""So many connections over the limit are told so; any more are closed unheard."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take up.

    `request_seconds` it may take to send the head of a request, and then `answer_seconds` to receive the
    answer; `connections` are those of all clients.
    """

    request_seconds: float = 10.0
    answer_seconds: float = 60.0
    connections: int = 512
    head_bytes: int = 16 * 1024


class ListenError(Exception):
    """An address that cannot be listened on; the text is for people."""


class _GuardedProtocol(H11Protocol):
    """HTTP/1.1 with a limit on how long each exchange may take."""

    def __init__(self, limits: Limits, **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**server)
        self._limits = limits
        self._guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        super().connection_made(transport)
        self._watch(self._limits.request_seconds)
        if len(self.connections) > self._limits.connections + _SPARE:
            self._drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._guard is None:  # the first bytes of a further request on a kept connection
            self._watch(self._limits.request_seconds)
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:  # a whole head has come in
            self._watch(self._limits.answer_seconds)

    def on_response_complete(self) -> None:
        self._unwatch()
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before or self.transport.get_write_buffer_size():
            self._watch(self._limits.answer_seconds)  # the client still has to take it

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


class WebServer:
    """Serves an application until told to stop."""

    def __init__(
        self,
        app: App,
        listen: str,
        limits: Limits = Limits(),
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Bind the address, `host:port`, where an empty host means all; raises ListenError.

        `on_end` is called when serving ends, however it does: nobody shall scan for nobody.
        """
        self._socket = bind(listen)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", partial(_GuardedProtocol, limits)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=limits.connections + 1,
            h11_max_incomplete_event_size=limits.head_bytes,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._on_end = on_end
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Take no more requests; what is being answered is finished meanwhile."""
        self._server.should_exit = True

    def stop(self, timeout: float = 3.0) -> None:
        """Finish what is being answered, at most `timeout` seconds, and close."""
        self.begin_to_stop()
        self._thread.join(timeout)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._on_end()

    async def _serve(self) -> None:
        await self._server.serve(sockets=[self._socket])
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # who has not taken the answer by now
        await asyncio.sleep(0)


def bind(listen: str) -> socket.socket:
    """Return a listening socket for `host:port`, `:port` or `[v6]:port`; raises ListenError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > _LAST_PORT:
        raise ListenError(f"{listen!r} is no listen address; write host:port or :port")
    host = host.removeprefix("[").removesuffix("]")
    try:
        return _listen(host, int(port))
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
        raise ListenError(f"cannot listen on {listen!r}: {error}") from error


def _listen(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        everywhere = ("::", port)
        return socket.create_server(everywhere, family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return socket.create_server(found[0][4], family=family, backlog=_BACKLOG)
