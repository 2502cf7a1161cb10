"""A web server on a free port, and clients on plain sockets: quick, slow and never reading."""

import asyncio
import contextlib
import logging
import os
import resource
import select
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from unit.example_board import ExampleBoard

from exporter.web.auth.config import WebConfig
from exporter.web.server.connections import ConnectionLimits
from exporter.web.server.server import WebServer

BIG = 20_000_000
GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"


def large(size: int) -> Any:
    """Return an application whose every answer has so many bytes."""

    async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    return app


big = large(BIG)


@contextmanager
def serving(
    app: Any = None, limits: ConnectionLimits | None = None, web_config: Any = WebConfig
) -> Iterator[WebServer]:
    web = WebServer(
        app or ExampleBoard("media").app, ["127.0.0.1:0"], limits or ConnectionLimits(), web_config=web_config
    )
    web.start()
    try:
        yield web
    finally:
        web.stop()


@contextmanager
def stuck_clients(limits: ConnectionLimits, of: Mapping[str, int]) -> Iterator[WebServer]:
    """Serve with requests under way that never end, so many of each address; others are answered at once."""
    begun, go_on = threading.Semaphore(0), asyncio.Event()

    async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
        if scope["path"] == "/stuck":
            begun.release()
            await go_on.wait()
        await answer_200(send)

    with serving(app, limits) as web, contextlib.ExitStack() as clients:
        for source, number in of.items():
            for _ in range(number):
                client = clients.enter_context(connect(web, source=source))
                client.sendall(GET.replace(b"/-/healthy", b"/stuck"))
        for _ in range(min(limits.connections, sum(of.values()))):
            assert begun.acquire(timeout=5)
        yield web


async def answer_200(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def few_files(files: contextlib.ExitStack) -> Iterator[None]:
    """Allow no file to be opened until `files` is closed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.dup(0)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    files.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    with files:
        yield


def connect(web: WebServer, *, receive_buffer: int = 0, source: str = "") -> socket.socket:
    client = socket.socket()
    if source:
        client.bind((source, 0))
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(10)
    try:
        client.connect(("127.0.0.1", web.port))
    except OSError:
        client.close()
        raise
    return client


def get(web: WebServer, path: str = "/-/healthy") -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{web.port}{path}", timeout=5) as answer:
        answer.read()
        return answer.status


def read_answer(client: socket.socket) -> bytes:
    """Return one answer; the connection may stay open after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, begin = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body = bytearray(begin)
    while lengths and len(body) < int(lengths[0]):
        piece = client.recv(65536)
        assert piece
        body += piece
    return head + b"\r\n\r\n" + body


def read_to_end(client: socket.socket) -> bytes:
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65536):
            data += piece
    return bytes(data)


def seconds_to_close(client: socket.socket, limit: float = 10.0) -> float:
    """Return how long the server takes to end the connection, nothing being read or sent."""
    started, poll = time.monotonic(), select.poll()
    poll.register(client, 0)
    assert poll.poll(limit * 1000), "still open"
    return time.monotonic() - started


def drip(client: socket.socket, data: bytes) -> None:
    """Send the bytes one by one until the server ends the connection."""
    client.settimeout(0.05)
    for number in range(len(data)):
        try:
            client.send(data[number : number + 1])
            if not client.recv(65536):
                return
        except TimeoutError:
            continue
        except OSError:
            return
    raise AssertionError("still open")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the texts logged at the levels that `log_format` lets uvicorn and asyncio have."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
