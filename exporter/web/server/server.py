"""The HTTP server, on a thread of its own."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from exporter.web.auth.config import WebConfig
from exporter.web.server.acceptor import Acceptor
from exporter.web.server.connections import ConnectionLimits, Connections
from exporter.web.server.protocol import HttpProtocol, HttpsProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BACKLOG = 4096
"""Connections that the kernel holds until they are accepted; Linux allows as many by default."""
_MAX_PORT = 65535
DEFAULT_LIMITS = ConnectionLimits()


class ListenError(Exception):
    """An address that the server cannot listen on; the text is for people."""


class WebServer:
    """Serves an ASGI application on a thread of its own."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - ASGI
        listen: Sequence[str],
        limits: ConnectionLimits = DEFAULT_LIMITS,
        on_end: Callable[[], None] = lambda: None,
        web_config: Callable[[], WebConfig] = WebConfig,
    ) -> None:
        """Bind each address, `host:port`, where an empty host means all; raises ListenError.

        `on_end` is called when serving ends for whatever reason, so that scans end too. `web_config` returns
        the settings of new connections; whether they are encrypted is decided here, once.
        """
        self._sockets = bind_all(listen)
        self.addresses = tuple(map(_name, self._sockets))
        self.port = self.addresses[0][1]
        self._connections = Connections(limits)
        encrypted = web_config().tls_context is not None
        protocol = partial(HttpsProtocol, web_config) if encrypted else HttpProtocol
        self._protocol = partial(protocol, limits, self._connections)
        self._config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", self._protocol),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=limits.connections + 1,
            h11_max_incomplete_event_size=limits.max_header_bytes,
            timeout_graceful_shutdown=1,
        )
        acceptor = Acceptor(self._sockets, self._connections, self._new_protocol)
        self._server = _Server(self._config, acceptor)
        self._on_end = on_end
        self.failure: Exception | None = None
        """What ended serving, where nobody had it stop."""
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Accept no more requests, and let those in progress finish; returns at once."""
        self._server.should_exit = True

    def stop(self, timeout: float = 3.0) -> None:
        """Let requests in progress finish for at most `timeout` seconds, and close."""
        self.begin_to_stop()
        self._thread.join(timeout)
        for each in self._sockets:
            each.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop()  # where that cannot be made, there is no coroutine yet that is left over
                runner.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whoever started it sees to it
            if not self._server.should_exit:
                self.failure = error
        finally:
            self._on_end()

    async def _serve(self) -> None:
        await asyncio.to_thread(int)  # a first thread for requests: later there may be none to be had
        await self._server.serve()
        for connection in self._connections.all():
            connection.abort()  # its client has not taken the response by now
        await asyncio.sleep(0)

    def _new_protocol(self) -> HttpProtocol:
        """Return what speaks on one connection, as uvicorn makes it for those that it accepts itself."""
        state = self._server.server_state
        return self._protocol(config=self._config, server_state=state, app_state={})


class _Server(uvicorn.Server):
    """Uvicorn's server, with connections that an Acceptor accepts."""

    def __init__(self, config: uvicorn.Config, acceptor: Acceptor) -> None:
        super().__init__(config)
        self._acceptor = acceptor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn has none
        await super().startup(sockets=[])
        self._acceptor.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - likewise
        self._acceptor.stop()
        await super().shutdown(sockets=[])


def bind_all(addresses: Sequence[str]) -> list[socket.socket]:
    """Return a listening socket for each address, or none at all. Raises ListenError."""
    bound: list[socket.socket] = []
    try:
        for address in addresses:
            bound.append(bind(address))  # noqa: PERF401 - what is bound is closed where a later one cannot be
    except ListenError:
        for each in bound:
            each.close()
        raise
    return bound


def _name(bound: socket.socket) -> tuple[str, int]:
    host, port = bound.getsockname()[:2]
    return str(host), int(port)


def bind(listen: str) -> socket.socket:
    """Return a listening socket for `host:port`, `:port` or `[v6]:port`. Raises ListenError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > _MAX_PORT:
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
