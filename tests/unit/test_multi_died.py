"""A kept connection that dies with a request on it: that is sent once more on a new one, in its time."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pycurl
import pytest
from unit.multi_requests import SOON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.stores.transport.multi import MultiTransport

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Whole: yes\r\n\r\nhi"
HALF = b"HTTP/1.1 200 OK\r\nX-Half: yes\r\nX-"
DIED = {pycurl.E_GOT_NOTHING, pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR}


class Server:
    """Answers each connection's requests as its script says: bytes, or None for a reset once `now` is set."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self.scripts: list[list[bytes | None]] = []
        self.now = threading.Event()
        self.connections: list[socket.socket] = []

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._converse, args=(connection, self.scripts.pop(0))).start()

    def _converse(self, connection: socket.socket, script: list[bytes | None]) -> None:
        with connection, suppress(OSError):
            for answer in script:
                if answer is None:
                    self.now.wait(SOON)
                    self.now.clear()
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.recv(4096)
                connection.sendall(answer)
            connection.recv(4096)  # until the client goes


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Server(listener)
        thread = threading.Thread(target=made.serve)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(SOON)


def ask(multi: MultiTransport, server: Server, seconds: float = SOON) -> None:
    multi.start(server.url, [], seconds, "label")


def outcome(multi: MultiTransport) -> tuple[Any, int]:
    ((_, found, sendings),) = multi.completed(SOON)
    return found, sendings


def until_half_is_there(multi: MultiTransport) -> None:
    while not any(buffer.received_head_bytes for buffer in multi.in_flight_buffers):
        assert multi.completed(0.01) == []


def keep_one(multi: MultiTransport, server: Server) -> None:
    ask(multi, server)
    assert outcome(multi)[0].body == b"hi"


def test_it_is_sent_once_more(multi, server):
    server.scripts = [[FINE, HALF, None], [FINE]]
    keep_one(multi, server)
    ask(multi, server)
    until_half_is_there(multi)
    server.now.set()
    answer, sendings = outcome(multi)
    assert (answer.status, answer.body, dict(answer.headers)) == (
        200,
        b"hi",
        {"content-length": "2", "x-whole": "yes"},
    )
    assert (sendings, len(server.connections)) == (2, 2)


def test_but_not_twice(multi, server):
    server.scripts = [[FINE, HALF, None], [HALF, None]]
    keep_one(multi, server)
    ask(multi, server)
    until_half_is_there(multi)
    server.now.set()
    while len(server.connections) < 2:
        assert multi.completed(0.01) == []
    until_half_is_there(multi)
    server.now.set()
    error, sendings = outcome(multi)
    assert error.args[0] in DIED
    assert (sendings, len(server.connections)) == (2, 2)


def test_nor_where_the_connection_was_new(multi, server):
    server.scripts = [[HALF, None]]
    ask(multi, server)
    until_half_is_there(multi)
    server.now.set()
    error, sendings = outcome(multi)
    assert error.args[0] in DIED
    assert (sendings, len(server.connections)) == (1, 1)


def test_the_next_request_may_use_a_kept_one_again(multi, server):
    server.scripts = [[FINE, HALF, None], [FINE, FINE, HALF, None], [FINE]]
    keep_one(multi, server)
    ask(multi, server)
    until_half_is_there(multi)
    server.now.set()
    outcome(multi)
    keep_one(multi, server)
    assert len(server.connections) == 2
    ask(multi, server)
    until_half_is_there(multi)
    server.now.set()
    assert outcome(multi)[0].body == b"hi"
    assert len(server.connections) == 3


@pytest.mark.slow
def test_it_gets_no_more_time_than_was_left(multi, server):
    server.scripts = [[FINE, HALF, None], [HALF]]
    keep_one(multi, server)
    started = time.monotonic()
    ask(multi, server, seconds=2.0)
    until_half_is_there(multi)
    multi.completed(1.6 - (time.monotonic() - started))
    server.now.set()
    error, _ = outcome(multi)
    assert error.args[0] == pycurl.E_OPERATION_TIMEDOUT
    assert time.monotonic() - started < 3.2  # with all of its time anew it would be 3.6


def test_what_is_given_up_meanwhile_never_comes_out(multi, server):
    server.scripts = [[FINE, HALF, None], [HALF], [FINE, FINE]]
    keep_one(multi, server)
    ask(multi, server)
    until_half_is_there(multi)
    server.now.set()
    while len(server.connections) < 2:
        assert multi.completed(0.01) == []
    multi.cancel()
    keep_one(multi, server)
    keep_one(multi, server)
    assert len(server.connections) == 3
