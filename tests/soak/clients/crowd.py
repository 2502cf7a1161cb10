"""Holds idle connections to a server: `crowd.py PORT CONNECTIONS ADDRESSES HELLO SECONDS`.

Their source addresses are loopback's from 127.0.0.2 on. HELLO is what each sends, in hexadecimal: the begin
of a TLS handshake, or nothing. One that the server closes is opened again within a second. At the end the
number of connections that were opened is printed.
"""

import contextlib
import resource
import select
import socket
import sys
import time

READABLE_NUMBER = 64


def main(port: int, connections: int, addresses: int, hello: bytes, seconds: float) -> None:
    """Hold them for so many seconds."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held: dict[int, socket.socket] = {}
    poll, opened, end = select.epoll(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        while len(held) < connections and time.monotonic() < end:
            client = _open(port, f"127.0.0.{2 + opened % addresses}")
            opened += 1
            poll.register(client, select.EPOLLIN | (select.EPOLLOUT if hello else 0))
            held[client.fileno()] = client
            if opened % READABLE_NUMBER == 0:
                _look(poll, held, hello, 0)
        while (rest := begun + 1 - time.monotonic()) > 0:
            _look(poll, held, hello, rest)
    print(opened)  # noqa: T201


def _open(port: int, address: str) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)  # noqa: FBT003 - takes no keywords
    client.bind((address, 0))
    with contextlib.suppress(BlockingIOError):
        client.connect(("127.0.0.1", port))
    return client


def _look(poll: select.epoll, held: dict[int, socket.socket], hello: bytes, seconds: float) -> None:
    """Send what is to be sent, and forget what was closed."""
    for file, events in poll.poll(seconds):
        client = held[file]
        try:
            if events & select.EPOLLOUT:
                client.send(hello)
                poll.modify(file, select.EPOLLIN)
            closed = events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and not client.recv(65536)
        except BlockingIOError:
            closed = False
        except OSError:
            closed = True
        if closed:
            poll.unregister(file)
            held.pop(file).close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4]), float(sys.argv[5]))
