"""Clients' mistakes, each made thousands of times, and what the exporter writes about them."""

import base64
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from soak.clients.served import PASSWORD, Served

TIMES = 20_000
THREADS = 8
TIMEOUT_SECONDS = 20
_BASIC = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
_CHUNKED = "Host: x\r\nTransfer-Encoding: chunked\r\n"
_BROKEN = "ZZ\r\nnot a chunk\r\n"


def _head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode()


@dataclass(frozen=True)
class Mistake:
    """What a client sends, piece by piece; `raw` goes out unencrypted to a server that encrypts."""

    name: str
    pieces: tuple[bytes, ...]
    tls: bool = False
    passwords: bool = False
    raw: bool = False
    waits: bool = False
    """Whether the answer to the first piece is read before the second is sent."""
    level: str = "info"


def _chunks(name: str, line: str, *headers: str, **how: bool) -> tuple[Mistake, Mistake]:
    head = _head(line, "Host: x", "Transfer-Encoding: chunked", *headers)
    broken = _BROKEN.encode()
    return Mistake(f"{name}, at once", (head + broken,), **how), Mistake(
        f"{name}, later", (head, broken), **how
    )


MISTAKES = (
    *_chunks("broken chunk", "GET /metrics"),
    *_chunks("broken chunk, POST", "POST /-/reload"),
    *_chunks("broken chunk, no password", "GET /metrics", passwords=True),
    *_chunks("broken chunk, password", "POST /-/scan", f"Authorization: Basic {_BASIC}", passwords=True),
    *_chunks("broken chunk, TLS", "GET /metrics", tls=True),
    Mistake(
        "broken chunk, after the answer",
        (_head("GET /-/healthy", "Host: x", "Transfer-Encoding: chunked"), _BROKEN.encode()),
        waits=True,
    ),
    Mistake("no HTTP", (bytes(range(256)),)),
    Mistake("no HTTP, told at debug", (bytes(range(256)),), level="debug"),
    Mistake(
        "an upgrade",
        (_head("GET /-/healthy", "Host: x", "Connection: upgrade, close", "Upgrade: websocket"),),
    ),
    Mistake("no TLS", (bytes(range(256)),), tls=True, raw=True),
    Mistake("no TLS, told at debug", (bytes(range(256)),), tls=True, raw=True, level="debug"),
    Mistake("plain HTTP to HTTPS", (_head("GET /metrics", "Host: x"),), tls=True, raw=True),
    Mistake("gone before the answer", (_head("GET /metrics", "Host: x"), b"")),
)


def measure(served: Served, mistake: Mistake, times: int = TIMES) -> dict[str, object]:
    """Make it so many times; return the figures."""
    log = served.exporter.log
    before, begun = log.stat().st_size, time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        outcomes = Counter(threads.map(_maker(served, mistake), range(times)))
    seconds = time.monotonic() - begun
    time.sleep(0.5)
    text = log.read_bytes()[before:]
    return {
        "times": times,
        "s": round(seconds, 1),
        "answers": dict(outcomes.most_common(4)),
        "log bytes": len(text),
        "tracebacks": text.count(b"Traceback"),
    }


def _maker(served: Served, mistake: Mistake) -> Callable[[int], str]:
    client = None if mistake.raw else served.client

    def make(_: int) -> str:
        answer = b""
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", served.port), TIMEOUT_SECONDS) as plain,
        ):
            stream = client.wrap_socket(plain, server_hostname="localhost") if client else plain
            with stream:
                answer = _talk(stream, mistake)
        return answer[9:12].decode("latin-1") or "none"

    return make


def _talk(stream: socket.socket | ssl.SSLSocket, mistake: Mistake) -> bytes:
    stream.settimeout(TIMEOUT_SECONDS)
    stream.sendall(mistake.pieces[0])
    answer = stream.recv(65536) if mistake.waits else b""
    for piece in mistake.pieces[1:]:
        if not piece:
            return b""
        with suppress(OSError):
            stream.sendall(piece)
    if mistake.waits:
        with suppress(OSError):
            while stream.recv(65536):
                pass
        return answer
    return stream.recv(65536)
