"""What may be asked over HTTP: metrics, status, health. An ASGI application; it never waits for a scan."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.exposition import gzip
from exporter.web.negotiation import wants_gzip, wants_openmetrics
from exporter.web.status import status_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.board import Board
    from exporter.exposition import Exposition

Scope = dict[str, Any]

_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class App:
    """Answers requests from the board; `ready` says whether the values are worth scraping yet."""

    board: Board
    text: Exposition
    openmetrics: Exposition
    ready: Callable[[], bool]
    telemetry_path: str = "/metrics"
    _routes: dict[str, Callable[[dict[str, str]], Response]] = field(init=False)

    def __post_init__(self) -> None:
        """Fill the table of paths."""
        self._routes = {
            "/": self._status,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            self.telemetry_path: self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG002 - ASGI
        """Answer one request."""
        if scope["type"] != "http":
            return
        method, path, headers = scope["method"], scope["path"], _headers(scope)
        if path in {"/", self.telemetry_path}:
            # takes milliseconds: off the event loop, so that others are answered meanwhile
            response = await asyncio.to_thread(self.answer, method, path, headers)
        else:
            response = self.answer(method, path, headers)
        await _send(send, response, with_body=method != "HEAD")

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Response:
        """Return the answer to one request; header names are lower-case."""
        route = self._routes.get(path)
        if route is None:
            return Response(404, b"404 not found; see / for what is here\n")
        if method not in {"GET", "HEAD"}:
            return Response(405, b"405 only GET\n", headers=((b"allow", b"GET, HEAD"),))
        return route(headers)

    def _metrics(self, headers: dict[str, str]) -> Response:
        chosen = self.openmetrics if wants_openmetrics(headers.get("accept", "")) else self.text
        body = chosen.render()
        vary = (b"vary", b"Accept, Accept-Encoding")
        if not wants_gzip(headers.get("accept-encoding", "")):
            return Response(200, body, chosen.content_type, (vary,))
        return Response(200, gzip(body), chosen.content_type, (vary, (b"content-encoding", b"gzip")))

    def _status(self, _: dict[str, str]) -> Response:
        page = status_page(self.board.entries(), self.telemetry_path, time.time())
        return Response(200, page.encode(), _HTML)

    def _healthy(self, _: dict[str, str]) -> Response:
        return Response(200, b"mpu-exporter is healthy.\n")

    def _ready(self, _: dict[str, str]) -> Response:
        if self.ready():
            return Response(200, b"mpu-exporter is ready.\n")
        return Response(503, b"mpu-exporter is not ready: first scans are under way.\n")


def _headers(scope: Scope) -> dict[str, str]:
    """Return the request's headers; of one sent several times, the values in one list."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _send(send: Any, response: Response, *, with_body: bool) -> None:  # noqa: ANN401 - ASGI
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        (b"cache-control", b"no-store"),
        *_SECURITY_HEADERS,
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
