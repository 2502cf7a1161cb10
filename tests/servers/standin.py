"""A small HTTP/1.1 server on loopback whose answers a test decides, misbehaviour to the byte included.

`with StandIn(handler) as server:` serves until the block ends; `handler` turns a Request into a Reply.
"""

import gzip
import selectors
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from io import BufferedReader
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

BODILESS = {204, 304}
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Request:
    """What came in. `target` is the request line's own text; `raw_path` its path, not decoded."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def raw_path(self) -> str:
        target = self.target
        if not target.startswith("/"):  # the absolute form that proxies get
            target = "/" + target.partition("://")[2].partition("/")[2]
        return target.partition("?")[0]

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @property
    def raw_query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names and values of the query in their order, blank ones too."""
        return parse_qsl(self.raw_query, keep_blank_values=True)

    @property
    def query(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            values.setdefault(name, []).append(value)
        return values

    def argument(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        return self.query.get(name, [default])[0]

    @property
    def host(self) -> str:
        return self.headers.get("host", "")


@dataclass(frozen=True)
class Reply:
    """What goes out. A header whose value is None is not sent, not even one of our own (Date, ...)."""

    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes = b""
    delay_before_headers: float = 0.0
    delay_before_body: float = 0.0
    drip_headers: float = 0.0  # seconds per byte
    drip_body: float = 0.0
    cut_after: int | None = None  # bytes of the body after which the connection ends, whatever was promised
    no_length: bool = False  # the end of the connection ends the body
    chunked: bool = False
    gzip: bool = False
    close: bool = False  # with a `Connection: close`
    close_silently: bool = False  # without one, after the answer
    hang: bool = False  # no answer for as long as the server runs
    reset: bool = False  # a TCP reset instead of an answer
    raw: bytes | None = None  # these bytes instead of an answer, then the connection ends
    tunnel: tuple[str, int] | None = None  # what a CONNECT was for


@dataclass(frozen=True)
class Fault:
    """Spoils the answers to one operation: what was asked, the page before it is written, the reply after.

    `on` holds the numbers of the requests it spoils, counted per operation from 1, retries too; None: all.
    """

    operation: str
    on: Container[int] | None = None
    request: Callable[[Request], Request] = lambda request: request
    page: Callable[[Any], Any] = lambda page: page
    reply: Callable[[Reply], Reply] = lambda reply: reply


class Faults:
    """The faults of one stand-in, and how often each operation was asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._asked.clear()

    def next_for(self, operation: str) -> list[Fault]:
        """Count a request of this operation and return what spoils it."""
        with self._lock:
            self._asked[operation] += 1
            number = self._asked[operation]
        faults = [fault for fault in self._faults if fault.operation == operation]
        return [fault for fault in faults if fault.on is None or number in fault.on]


class _StoppedError(Exception):
    pass


class StandIn:
    """The server. `requests` and `connections` say what reached it, `url` where it is.

    A handler that raises answers 500, and its error comes out of the `with` block.
    """

    def __init__(
        self,
        handler: Callable[[Request], Reply],
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        name: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a server for `host`; `name` is what `url` calls it, `clock` what its Date header says."""
        self.handler = handler
        self._tls = tls
        self._name = name or (f"[{host}]" if ":" in host else host)
        self._clock = clock
        self._host = host
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._requests: list[Request] = []
        self._errors: list[BaseException] = []
        self.sockets: set[socket.socket] = set()
        """Those that are connected."""
        self._threads: list[threading.Thread] = []
        self.connections = 0
        """TCP connections accepted so far."""

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._listener = socket.create_server((self._host, 0), family=family, backlog=128)
        self._listener.settimeout(0.5)  # where shutting a listener down does not wake its accept
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for connection in self.sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        self._listener.close()
        if self._errors and kind is None:
            raise self._errors[0]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._name}:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """A copy of the log of requests, in the order of their arrival."""
        with self._lock:
            return list(self._requests)

    def forget(self) -> None:
        """Empty the log and the count of connections."""
        with self._lock:
            self._requests.clear()
            self.connections = 0

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name="stand-in")
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                continue
            with self._lock:
                self.connections += 1
                self.sockets.add(connection)
                if self._stop.is_set():
                    connection.shutdown(socket.SHUT_RDWR)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        stream = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                with self._lock:
                    self.sockets.discard(connection)
                connection.settimeout(30)
                stream = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self.sockets.add(stream)
                _shake_hands(stream)
            with stream.makefile("rb") as reader:
                while self._converse(stream, reader):
                    pass
        except (OSError, ValueError, _StoppedError):
            pass  # the client went, or did not speak HTTP, or the test is over
        finally:
            with self._lock:
                self.sockets.discard(stream)
            stream.close()

    def _converse(self, stream: socket.socket, reader: BufferedReader) -> bool:
        if reader.peek(1)[:1] == b"\x16":  # a TLS handshake, which has no lines to wait for
            stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        request = _read_request(reader)
        if request is None:
            return False
        with self._lock:
            self._requests.append(request)
        try:
            reply = self.handler(request)
        except Exception as error:  # noqa: BLE001 - shown at the end of the block
            self._errors.append(error)
            reply = Reply(500, close=True)
        if reply.tunnel:
            self._relay(stream, reply.tunnel)
            return False
        keep = self._send(stream, request, reply)
        return keep and request.headers.get("connection", "").lower() != "close"

    def _send(self, stream: socket.socket, request: Request, reply: Reply) -> bool:
        self._wait(reply.delay_before_headers)
        if reply.hang:
            self._stop.wait()
            return False
        if reply.reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if reply.raw is not None:
            stream.sendall(reply.raw)
            return False
        body = gzip.compress(reply.body) if reply.gzip else reply.body
        self._drip(stream, self._head(reply, len(body)), reply.drip_headers)
        self._wait(reply.delay_before_body)
        if request.method == "HEAD" or reply.status in BODILESS:
            return not reply.close
        for piece in _pieces(body, reply):
            self._drip(stream, piece, reply.drip_body)
        return reply.cut_after is None and not (reply.close or reply.close_silently or reply.no_length)

    def _head(self, reply: Reply, length: int) -> bytes:
        headers: dict[str, str | None] = {"Date": formatdate(self._clock(), usegmt=True)}
        if reply.status not in BODILESS:
            if reply.chunked:
                headers["Transfer-Encoding"] = "chunked"
            elif not reply.no_length:
                headers["Content-Length"] = str(length)
        if reply.gzip:
            headers["Content-Encoding"] = "gzip"
        if reply.close:
            headers["Connection"] = "close"
        headers |= {name.title(): value for name, value in reply.headers.items()}
        known = {status.value: status.phrase for status in HTTPStatus}
        lines = [f"HTTP/1.1 {reply.status} {known.get(reply.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _drip(self, stream: socket.socket, data: bytes, pause: float) -> None:
        if not pause:
            stream.sendall(data)
            return
        for byte in data:
            stream.sendall(bytes([byte]))
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        if seconds and self._stop.wait(seconds):
            raise _StoppedError

    def _relay(self, stream: socket.socket, address: tuple[str, int]) -> None:
        with socket.create_connection(address, timeout=5) as far, selectors.DefaultSelector() as ready:
            stream.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ready.register(stream, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, stream)
            while not self._stop.is_set():
                for key, _ in ready.select(timeout=0.2):
                    near = key.fileobj
                    assert isinstance(near, socket.socket)
                    data = near.recv(_PIECE)
                    if not data:
                        return
                    key.data.sendall(data)


def _shake_hands(stream: ssl.SSLSocket) -> None:
    try:
        stream.do_handshake()
    except ssl.SSLError:
        # closing with the client's bytes unread would reset the connection, and our alert with it
        stream.shutdown(socket.SHUT_WR)
        stream.settimeout(0.5)
        while stream.recv(_PIECE):
            pass
        raise
    stream.settimeout(None)


def _read_request(reader: BufferedReader) -> Request | None:
    first = reader.readline(_PIECE).decode("latin-1").strip()
    if not first:
        return None
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    while line := reader.readline(_PIECE).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(method, target, headers, reader.read(int(headers.get("content-length", "0"))))


def _pieces(body: bytes, reply: Reply) -> Iterator[bytes]:
    cut = body if reply.cut_after is None else body[: reply.cut_after]
    if not reply.chunked:
        yield cut
        return
    for start in range(0, len(cut), _PIECE):
        piece = cut[start : start + _PIECE]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    if reply.cut_after is None:
        yield b"0\r\n\r\n"


def forward_proxy(request: Request) -> Reply:
    """Answer as an HTTP forward proxy does: the handler of a StandIn that is one."""
    far = urlsplit(f"//{request.target}" if request.method == "CONNECT" else request.target)
    host = far.hostname or ""
    address = "127.0.0.1" if host.endswith("localhost") else host, far.port or 80
    if request.method == "CONNECT":
        return Reply(tunnel=address)
    with socket.create_connection(address, timeout=5) as stream:
        kept = {name: value for name, value in request.headers.items() if not name.startswith("proxy-")}
        lines = [f"{name}: {value}" for name, value in (kept | {"connection": "close"}).items()]
        path = "/" + request.target.split("://", 1)[1].partition("/")[2]
        head = "\r\n".join([f"{request.method} {path} HTTP/1.1", *lines])
        stream.sendall(head.encode("latin-1") + b"\r\n\r\n" + request.body)
        with stream.makefile("rb") as reader:
            return Reply(raw=reader.read())
