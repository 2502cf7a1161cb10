"""Requests with query strings, headers and passwords: the bytes of a connection in, answers out.

The bytes go through the server's own protocol to the real application, without a socket. An input is a byte
of options (with or without passwords; in one piece or in two) and what the client sends.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import h11
import uvicorn
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from unit.example_app import ExampleApp
from uvicorn.server import ServerState

from exporter.web.auth.config import WebConfig
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.auth.passwords import PasswordChecker
from exporter.web.server.server import DEFAULT_LIMITS, WebServer

if TYPE_CHECKING:
    from collections.abc import Callable

_PASSWORD = "correct-horse"
_RIGHT = base64.b64encode(f"prometheus:{_PASSWORD}".encode())
_PATHS = ("/", "/metrics", "/uploads", "/api/v1/targets", "/api/v1/uploads", "/-/healthy", "/-/ready")
_ACTIONS = ("/-/reload", "/-/scan")
_STATUSES = {200, 202, 400, 401, 403, 404, 405, 413, 429, 431, 503}
_HEADERS = (
    b"Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.3",
    b"Accept-Encoding: gzip",
    b"Accept-Encoding: identity;q=1, *;q=0",
    b"Authorization: Basic " + _RIGHT,
    b"Authorization: Basic !!",
    b"Origin: http://evil.example.com",
    b"Origin: null",
    b"Origin: http://localhost:19340",
    b"Sec-Fetch-Site: cross-site",
    b"Sec-Fetch-Site: same-origin",
    b"Connection: close",
    b"Expect: 100-continue",
    b"Content-Length: 0",
    b"Upgrade: websocket",
)
_QUERIES = (
    b"target=prod&bucket=media&health=ok&sort=bytes&order=desc&limit=5",
    b"q=%3Cscript%3E&target=%F0%9F%AA%A3&sort=age&stale=true",
    b"target=prod&target=nowhere&bucket=media",
    b"&".join([b"a=b"] * 51),
)


def _request(method: bytes, target: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join(
        [method + b" " + target + b" HTTP/1.1", b"Host: localhost:19340", *headers, b"", body]
    )


SEEDS = [
    *(b"\x00" + _request(b"GET", path.encode()) for path in _PATHS),
    *(b"\x00" + _request(b"GET", path.encode() + b"?" + query) for path in _PATHS[:5] for query in _QUERIES),
    *(b"\x00" + _request(b"POST", path.encode()) for path in _ACTIONS),
    *(
        b"\x00" + _request(method, b"/-/scan?target=prod", header)
        for method in (b"POST", b"PUT")
        for header in _HEADERS
    ),
    *(bytes([1]) + _request(b"GET", b"/metrics", header) for header in _HEADERS),
    b"\x02" + _request(b"POST", b"/-/scan", b"Transfer-Encoding: chunked", body=b"4\r\nabcd\r\n0\r\n\r\n"),
    b"\x02" + _request(b"POST", b"/-/reload", b"Transfer-Encoding: chunked", body=b"zz\r\n"),
    b"\x02"
    + _request(b"HEAD", b"/-/scan", b"Transfer-Encoding: chunked", body=b"4\r\x00GET / HTTP/1.\n\x02"),
    b"\x00" + _request(b"GET", b"/") + _request(b"HEAD", b"/metrics", b"Connection: close"),
    b"\x00GET / HTTP/1.0\r\n\r\n",
    b"\x00\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
WORDS = [
    *(path.encode() for path in (*_PATHS, *_ACTIONS)),
    *_HEADERS,
    *(
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"PUT ",
        b"OPTIONS * ",
        b" HTTP/1.1\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"Host: h\r\n",
        b"?",
        b"&",
    ),
    *(
        b"target=",
        b"bucket=",
        b"sort=",
        b"order=",
        b"limit=",
        b"stale=",
        b"health=",
        b"page=",
        b"search=",
        b"store=",
        b"reason=",
    ),
    *(
        b"prod",
        b"media",
        b"archive",
        b"tapes",
        b"desc",
        b"asc",
        b"bytes",
        b"age",
        b"idle",
        b"true",
        b"%00",
        b"%0a",
        b"%ff",
        b"+",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\n",
        b"q=nan",
        b"q=inf",
        b"q=-1",
        b";",
        b",",
        b"gzip",
        b"*/*",
    ),
    *(
        b"<script>",
        b"'\"><img src=x>",
        b"javascript:",
        b"\xc3\xa4",
        b"0\r\n\r\n",
        b"[::1]",
        b"http://[",
        b":99999",
    ),
]


class _Inline(ThreadPoolExecutor):
    """Runs at once what the application gives to a thread; has none."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {
            "peername": ("127.0.0.1", 40000),
            "sockname": ("127.0.0.1", 19340),
            "socket": mock.Mock(),
        }.get(name, default)

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Likewise."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Likewise."""


class _Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


class _Page(HTMLParser):
    """Counts the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


_EXAMPLE = ExampleApp()
_ERRORS = _Errors()
logging.getLogger().addHandler(_ERRORS)
_USERS = WebConfig(users={"prometheus": b"$2b$04$hash"}, public_paths=frozenset({"/-/healthy"}))
_LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(_LOOP)
_LOOP.set_default_executor(_Inline())
_LOOP.set_exception_handler(lambda _, context: _ERRORS.texts.append(repr(context)))


def _config(web_config: WebConfig) -> uvicorn.Config:
    """Return uvicorn's settings as the server makes them, with its protocol; nothing is served."""
    made: list[uvicorn.Config] = []

    def keep(*arguments: Any, **named: Any) -> uvicorn.Config:
        made.append(_CONFIG(*arguments, **named))
        return made[0]

    passwords = PasswordChecker(lambda password, _: password == _PASSWORD.encode())
    app = AuthMiddleware(_EXAMPLE.app, lambda: web_config, passwords)
    with mock.patch.object(uvicorn, "Config", keep):
        WebServer(app, ["127.0.0.1:0"])
    made[0].load()
    return made[0]


_CONFIG = uvicorn.Config
_CHECKED: set[tuple[int, str, int]] = set()
"""Bodies that have been read, most of them again and again."""
_CONFIGS = (_config(WebConfig()), _config(_USERS))


def check(data: bytes) -> None:
    """Serve one connection."""
    if len(data) < 2:  # options, and something sent
        return
    options, sent = data[0], data[1:]
    with_passwords = bool(options & 1)
    _EXAMPLE.scans.clear()
    _EXAMPLE.reloads.clear()
    _ERRORS.texts.clear()
    received = _LOOP.run_until_complete(_serve(_CONFIGS[with_passwords], sent, in_two=bool(options & 2)))
    assert not _ERRORS.texts, _ERRORS.texts[0][-1500:]
    answers, requests = _answers(received, sent), _requests(sent)
    for answer in answers:
        _check_answer(answer)
    _check_actions(requests, with_passwords=with_passwords)
    _check_passwords(answers, requests, with_passwords=with_passwords)


async def _serve(config: uvicorn.Config, sent: bytes, *, in_two: bool) -> bytes:
    transport = _Transport()
    protocol: Any = config.http_protocol_class(
        config=config, server_state=ServerState(), app_state={}, _loop=_LOOP
    )
    protocol.connection_made(transport)
    middle = len(sent) // 2 if in_two else len(sent)
    for piece in (sent[:middle], sent[middle:]):
        if piece and not transport.closed:
            protocol.data_received(piece)
        await _idle(protocol)
    if not transport.closed:
        protocol.eof_received()
        await _idle(protocol)
    protocol.connection_lost(None)
    await _idle(protocol)
    return bytes(transport.sent)


async def _idle(protocol: Any) -> None:
    """Let all that can be done be done."""
    for _ in range(200):
        await asyncio.sleep(0)
        if not protocol.tasks:
            return
    for task in list(protocol.tasks):  # waits for what the client does not send
        assert task


def _answers(received: bytes, sent: bytes) -> list[SimpleNamespace]:
    """Return the answers as another HTTP parser than the server's own reads them."""
    answers, rest = [], received
    heads = [request.method == "HEAD" for request in _requests(sent)]
    while rest:
        head, blank, rest = rest.partition(b"\r\n\r\n")
        assert blank, "an answer without an end"
        status_line, *lines = head.decode("ascii").split("\r\n")
        assert status_line.startswith("HTTP/1.1 ")
        status = int(status_line[9:12])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines), "a header twice"
        if status == 100:
            continue
        is_head = heads[len(answers)] if len(answers) < len(heads) else False
        if is_head:
            length = 0
        elif "content-length" in headers:
            length = int(headers["content-length"])
            assert len(rest) >= length or status == 503
        else:
            length = len(rest)
        answers.append(SimpleNamespace(status=status, headers=headers, body=rest[:length]))
        rest = rest[length:]
    return answers


def _requests(sent: bytes) -> list[SimpleNamespace]:
    """Return the requests that h11 sees, alone and with bodies read."""
    connection, requests = h11.Connection(h11.SERVER, DEFAULT_LIMITS.max_header_bytes), []
    connection.receive_data(sent)
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return requests
            if event is h11.PAUSED:
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return requests
                connection.start_next_cycle()
            elif isinstance(event, h11.Request):
                headers = [(name, value) for name, value in event.headers]
                method = event.method.decode()
                requests.append(
                    SimpleNamespace(method=method, target=event.target, headers=headers, complete=False)
                )
            elif isinstance(event, h11.EndOfMessage):
                requests[-1].complete = True
    except h11.ProtocolError:
        return requests


def _check_answer(answer: SimpleNamespace) -> None:
    assert answer.status in _STATUSES, f"status {answer.status}"
    body, kind = answer.body, answer.headers.get("content-type", "")
    checked = (answer.status, kind, hash(body))
    if not body or checked in _CHECKED:
        return
    if len(_CHECKED) < 100_000:
        _CHECKED.add(checked)
    if answer.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    text = body.decode()
    assert _PASSWORD not in text
    assert "Traceback" not in text
    if kind.startswith("text/html"):
        _check_page(text)
    elif kind == "application/json":
        told = json.loads(text)
        assert told["status"] == ("success" if answer.status == 200 else "error")
    elif answer.status == 200 and "version=" in kind:
        families = list(
            (parse_openmetrics if kind.startswith("application/openmetrics") else parse_text)(text)
        )
        assert families


def _check_page(text: str) -> None:
    page = _Page(text)
    assert page.tags.count("script") <= 1, "a script of somebody else's"
    assert not {"img", "iframe", "object", "embed", "base"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on"), f"an attribute {name}"
        assert name not in {"href", "action", "src"} or not (value or "").strip().lower().startswith(
            ("javascript:", "//", "data:text")
        )


def _check_actions(requests: list[SimpleNamespace], *, with_passwords: bool) -> None:
    """Something is done only for a complete POST or PUT with the password, and for no other site's page."""
    allowed = [
        each
        for each in requests
        if each.method in {"POST", "PUT"}
        and each.complete
        and not any(
            (name == b"sec-fetch-site" and value not in {b"none", b"same-origin"})
            or (name == b"origin" and b"evil" in value)
            for name, value in each.headers
        )
        and (not with_passwords or _knows_password(each))
    ]
    assert len(_EXAMPLE.scans) + len(_EXAMPLE.reloads) <= len(allowed), "something was done that must not be"


def _check_passwords(
    answers: list[SimpleNamespace], requests: list[SimpleNamespace], *, with_passwords: bool
) -> None:
    if not with_passwords:
        return
    for answer, request in zip(answers, requests, strict=False):
        if (
            answer.status in {200, 404, 405}
            and b"healthy" not in request.target
            and b"%" not in request.target
        ):
            assert _knows_password(request), "answered without the password"


def _knows_password(request: SimpleNamespace) -> bool:
    given = [value for name, value in request.headers if name == b"authorization"]
    try:
        return len(given) == 1 and base64.b64decode(given[0].split(None, 1)[1].strip()) == base64.b64decode(
            _RIGHT
        )
    except (ValueError, IndexError):
        return False
