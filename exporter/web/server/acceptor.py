"""Accepts connections, as many as there is room for; any other is reset before anything is made for it."""

from __future__ import annotations

import asyncio
import errno
import logging
from functools import partial
from typing import TYPE_CHECKING

from exporter.text.file_limit import because
from exporter.web.server.connections import client_of
from exporter.web.server.protocol import reset

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from exporter.web.server.connections import Connections
    from exporter.web.server.protocol import HttpProtocol

log = logging.getLogger(__name__)

_ACCEPTS_AT_ONCE = 64
"""Connections accepted of one socket before requests have their turn."""
_PAUSE_SECONDS = 0.05
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE}
_OUT_OF_MEMORY = {errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts from listening sockets.

    In place of asyncio's servers, which make a task, a transport and a protocol for each connection before
    anyone can refuse it, and wait for a second where no file may be opened.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        connections: Connections,
        new_protocol: Callable[[], HttpProtocol],
    ) -> None:
        """Take sockets that listen; `new_protocol` makes what speaks on one connection."""
        self._listeners = listeners
        self._connections = connections
        self._new_protocol = new_protocol
        self._opening: set[asyncio.Task[object]] = set()

    def start(self) -> None:
        """Begin to accept, on the running loop."""
        self._loop = asyncio.get_running_loop()
        for listener in self._listeners:
            listener.setblocking(False)  # noqa: FBT003 - takes no keywords
            self._loop.add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Accept no more, and close the sockets."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listener, error)
                return
            self._open(connection, str(address[0]))

    def _open(self, connection: socket.socket, host: str) -> None:
        client = client_of(host)
        if not self._connections.make_room(client):
            reset(connection)
            connection.close()
            return
        connection.setblocking(False)  # noqa: FBT003 - takes no keywords
        protocol = self._new_protocol()
        protocol.client_key = client
        self._connections.add(protocol)
        opening = self._loop.create_task(self._loop.connect_accepted_socket(lambda: protocol, connection))
        self._opening.add(opening)
        opening.add_done_callback(partial(self._opened, protocol, connection))

    def _opened(
        self, protocol: HttpProtocol, connection: socket.socket, opening: asyncio.Task[object]
    ) -> None:
        """Forget a connection that came to nothing: on some systems that of a client that is gone already."""
        self._opening.discard(opening)
        if opening.cancelled() or opening.exception() is not None:
            self._connections.remove(protocol)
            connection.close()

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Accept nothing for a moment, as the system has no more to give, and close one that waits."""
        if error.errno in _OUT_OF_FILES:
            text = "too many files are open: a client's connection has to wait"
        elif error.errno in _OUT_OF_MEMORY:
            text = "the system has no memory for a client's connection, which has to wait"
        else:
            text = "a client's connection cannot be accepted"
        log.error(text, extra={"fields": {"error": because(error)}})
        self._connections.drop_longest_waiting()
        self._loop.remove_reader(listener)
        self._loop.call_later(_PAUSE_SECONDS, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener, self._accept, listener)
