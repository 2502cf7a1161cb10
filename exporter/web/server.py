"""The HTTP server on a thread of its own, which slow and hostile clients cannot hold up.

uvicorn speaks HTTP; what it leaves open is closed here: a client has seconds to send its request and to
take the answer, and only so many may be connected at once.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from exporter.web.app import App

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""How long a client may take to send the head of a request."""
ANSWER_SECONDS = 60.0
"""How long it may take to receive the answer."""
CONNECTIONS = 512
HEAD_BYTES = 16 * 1024
_BACKLOG = 256


class _GuardedProtocol(H11Protocol):
    """HTTP/1.1 with a limit on how long each exchange may take."""

    request_seconds = REQUEST_SECONDS
    answer_seconds = ANSWER_SECONDS
    _guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own type
        super().connection_made(transport)
        self._watch(self.request_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._guard is None:  # the first bytes of a further request on a kept connection
            self._watch(self.request_seconds)
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._watch(self.answer_seconds)

    def on_response_complete(self) -> None:
        self._unwatch()
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch(self.answer_seconds)  # the client still has to take it

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._guard = self.loop.call_later(seconds, self.transport.abort)

    def _unwatch(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None


class WebServer:
    """Serves an application until told to stop."""

    def __init__(self, app: App, listen: str) -> None:
        """Bind the address, `host:port`, where an empty host means all; raises OSError or ValueError."""
        self._socket = bind(listen)
        config = uvicorn.Config(
            app,
            http=_GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=HEAD_BYTES,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Finish what is being answered, at most `timeout` seconds, and close."""
        self._server.should_exit = True
        self._thread.join(timeout)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


def bind(listen: str) -> socket.socket:
    """Return a listening socket for `host:port`, `:port` or `[v6]:port`; raises OSError or ValueError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal():
        raise ValueError(f"{listen!r} is no listen address; write host:port or :port")
    host = host.removeprefix("[").removesuffix("]")
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
