"""What may be asked over HTTP: metrics, pages, JSON, health. It never waits for a scan."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.config.sharding import ALONE, Shard
from exporter.metrics.exposition import gzip
from exporter.web import api
from exporter.web.bucket_rows import make_rows
from exporter.web.negotiation import wants_gzip, wants_openmetrics
from exporter.web.pages.layout import POLICY, PageContext
from exporter.web.pages.problems import find_problems
from exporter.web.pages.status import status_page
from exporter.web.pages.uploads import uploads_page
from exporter.web.query import Query, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.metrics.exposition import Exposition
    from exporter.model.targets import TargetStatus
    from exporter.state.board import Board
    from exporter.web.api import Json
    from exporter.web.bucket_rows import BucketRow

Scope = dict[str, Any]

_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", POLICY.encode()),
)
_GET = ("GET", "HEAD")
_CHANGE = ("POST", "PUT")
_OURS = {"", "none", "same-origin"}
"""Where a browser says a request comes from that may change something."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Request(NamedTuple):
    """What was asked; header names are lower-case."""

    headers: dict[str, str]
    query: Query


class Route(NamedTuple):
    """What answers a path, to which methods, and whether that may take a while."""

    answer: Callable[[Request], Response]
    methods: tuple[str, ...] = _GET
    slow: bool = False


@dataclass(slots=True)
class App:
    """Answers requests from the board; `ready` says whether the values are worth scraping yet.

    `watched` returns the targets as they are watched now. `reload` reads the config again and returns what is
    wrong with it; None where nobody may ask for that. With `uploads` the worst uploads are shown.
    `problems` returns what was wrong with the config when it was last read. `shard` says which of all buckets
    these are.
    """

    board: Board
    text: Exposition
    openmetrics: Exposition
    ready: Callable[[], bool]
    telemetry_path: str = "/metrics"
    watched: Callable[[], Sequence[TargetStatus]] = tuple
    reload: Callable[[], Sequence[str]] | None = None
    uploads: bool = False
    problems: Callable[[], Sequence[str]] = tuple
    shard: Shard = ALONE
    _routes: dict[str, Route] = field(init=False)
    _one_reload: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        """Fill the table of paths."""
        self._routes = {
            "/": Route(self._status, slow=True),
            "/uploads": Route(self._uploads, slow=True),
            "/api/v1/targets": Route(self._api_targets, slow=True),
            "/api/v1/uploads": Route(self._api_uploads, slow=True),
            "/-/healthy": Route(self._healthy),
            "/-/ready": Route(self._ready),
            "/-/reload": Route(self._reload, _CHANGE),
            self.telemetry_path: Route(self._metrics, slow=True),
        }
        hidden = ["/-/reload"] if self.reload is None else []
        hidden += [] if self.uploads else ["/uploads", "/api/v1/uploads"]
        for path in hidden:
            self._routes.pop(path)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG002 - ASGI
        """Answer one request."""
        if scope["type"] != "http":
            return
        method, route = scope["method"], self._routes.get(scope["path"])
        request = Request(_headers(scope), Query.parse(scope.get("query_string", b"")))
        if route is None:
            response = _not_found(scope["path"])
        elif method not in route.methods:
            allowed = ", ".join(route.methods)
            response = Response(
                405, f"405 only {allowed}\n".encode(), headers=((b"allow", allowed.encode()),)
            )
        elif method in _CHANGE:
            # one at a time: those who wait take no thread from a scrape
            async with self._one_reload:
                response = await asyncio.to_thread(route.answer, request)
        elif route.slow:
            # takes milliseconds: off the event loop, so that others are answered meanwhile
            response = await asyncio.to_thread(route.answer, request)
        else:
            response = route.answer(request)
        await _send(send, response, with_body=method != "HEAD")

    def _metrics(self, request: Request) -> Response:
        chosen = self.openmetrics if wants_openmetrics(request.headers.get("accept", "")) else self.text
        return _packed(request, chosen.render(), chosen.content_type, b"Accept, Accept-Encoding")

    def _status(self, request: Request) -> Response:
        watched, now = self.watched(), time.time()
        rows = make_rows(self.board.entries(), watched)
        problems = find_problems(watched, self.problems(), now)
        page = status_page(rows, self._site(), request.query, now, problems)
        return _packed(request, page.encode(), _HTML)

    def _uploads(self, request: Request) -> Response:
        return _packed(request, uploads_page(self._rows(), self._site(), request.query).encode(), _HTML)

    def _api_targets(self, request: Request) -> Response:
        return self._api(request, api.targets)

    def _api_uploads(self, request: Request) -> Response:
        return self._api(request, api.uploads)

    def _api(
        self, request: Request, answer: Callable[[Sequence[TargetStatus], list[BucketRow], Query], Json]
    ) -> Response:
        watched = self.watched()
        try:
            data = answer(watched, make_rows(self.board.entries(), watched), request.query)
            data["shard"] = asdict(self.shard)
        except QueryError as error:
            return Response(400, api.failure(str(error)), _JSON)
        return _packed(request, api.success(data, time.time()), _JSON)

    def _healthy(self, _: Request) -> Response:
        return Response(200, b"mpu-exporter is healthy.\n")

    def _ready(self, _: Request) -> Response:
        if self.ready():
            return Response(200, b"mpu-exporter is ready.\n")
        return Response(503, b"mpu-exporter is not ready: first scans are under way.\n")

    def _reload(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "") not in _OURS:
            return Response(403, b"403 not from another site's page\n")
        problems = self.reload() if self.reload else ()
        if problems:
            return Response(500, "".join(f"{problem}\n" for problem in problems).encode("utf-8", "replace"))
        return Response(200, b"The config was read again.\n")

    def _rows(self) -> list[BucketRow]:
        return make_rows(self.board.entries(), self.watched())

    def _site(self) -> PageContext:
        return PageContext(self.telemetry_path, self.uploads, self.shard)


_FLAGS = {
    "/-/reload": "--web.enable-lifecycle",
    "/uploads": "--web.enable-uploads",
    "/api/v1/uploads": "--web.enable-uploads",
}


def _not_found(path: str) -> Response:
    if path in _FLAGS:
        return Response(404, f"404 off: start with {_FLAGS[path]} to have it\n".encode())
    return Response(404, b"404 not found; see / for what is here\n")


def _packed(request: Request, body: bytes, content_type: str, vary: bytes = b"Accept-Encoding") -> Response:
    """Return an answer that is as small as the client takes it."""
    headers = ((b"vary", vary),)
    if not wants_gzip(request.headers.get("accept-encoding", "")):
        return Response(200, body, content_type, headers)
    return Response(200, gzip(body), content_type, (*headers, (b"content-encoding", b"gzip")))


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
