"""The ASGI application: metrics, pages, JSON, health, reload, scan. It never waits for a scan."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.config.sharding import UNSHARDED, Shard
from exporter.metrics.exposition import gzip
from exporter.model.scarcity import TOO_LITTLE, is_scarcity
from exporter.web import api
from exporter.web.bucket_rows import make_rows
from exporter.web.foreign import is_foreign
from exporter.web.negotiation import metrics_format, wants_gzip
from exporter.web.pages.layout import POLICY, PageContext
from exporter.web.pages.problems import find_problems
from exporter.web.pages.status import status_page
from exporter.web.pages.uploads import uploads_page
from exporter.web.query import Query, QueryError
from exporter.web.request_body import MAX_BYTES, BodyTooLargeError, is_complete
from exporter.web.scan_request import request_scans
from exporter.web.server.connections import client_of
from exporter.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.metrics.exposition import Exposition
    from exporter.model.targets import TargetStatus
    from exporter.state.board import Board
    from exporter.web.api import Json
    from exporter.web.bucket_rows import BucketRow
    from exporter.web.scan_request import RequestScans

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
_WRITE = ("POST", "PUT")
_FOREIGN = "403 not from another site's page\n"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Request(NamedTuple):
    """The parts of an HTTP request that handlers read; header names are lower-case."""

    headers: dict[str, str]
    query: Query
    encrypted: bool = False
    client: object = None


class Route(NamedTuple):
    """The handler of a path, its methods, and where it takes over a millisecond its turns in threads."""

    handler: Callable[[Request], Response]
    methods: tuple[str, ...] = _GET
    turns: Turns | None = None


@dataclass(slots=True)
class App:
    """Responds from the board.

    `ready` returns whether first scans are done, `targets` the targets that are watched now. `reload` reads
    the config again and returns its problems, `scan` has buckets scanned now; None turns `/-/reload` or
    `/-/scan` off. `uploads` turns `/uploads` on.
    `config_problems` returns what was wrong with the config when it was last read.
    """

    board: Board
    text: Exposition
    openmetrics: Exposition
    ready: Callable[[], bool]
    telemetry_path: str = "/metrics"
    targets: Callable[[], Sequence[TargetStatus]] = tuple
    reload: Callable[[], Sequence[str]] | None = None
    scan: RequestScans | None = None
    uploads: bool = False
    config_problems: Callable[[], Sequence[str]] = tuple
    shard: Shard = UNSHARDED
    routes: dict[str, Route] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of paths, without those that are off."""
        # together no more than the 5 threads that asyncio has at least: none of them waits for another's
        pages, scrapes, writes = Turns(2), Turns(2), Turns(1)
        self.routes = {
            "/": Route(self._status, turns=pages),
            "/uploads": Route(self._uploads, turns=pages),
            "/api/v1/targets": Route(self._api_targets, turns=pages),
            "/api/v1/uploads": Route(self._api_uploads, turns=pages),
            "/-/healthy": Route(self._healthy),
            "/-/ready": Route(self._ready),
            "/-/reload": Route(self._reload, _WRITE, writes),
            "/-/scan": Route(self._scan, _WRITE, writes),
            self.telemetry_path: Route(self._metrics, turns=scrapes),
        }
        hidden = ["/-/reload"] if self.reload is None else []
        hidden += ["/-/scan"] if self.scan is None else []
        hidden += [] if self.uploads else ["/uploads", "/api/v1/uploads"]
        for path in hidden:
            self.routes.pop(path)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Respond to one request."""
        if scope["type"] != "http":
            return
        method, route = scope["method"], self.routes.get(scope["path"])
        response: Response | None
        query = Query.parse(scope.get("query_string", b""))
        client = client_of(scope["client"][0]) if scope.get("client") else None
        request = Request(_headers(scope), query, scope.get("scheme") == "https", client)
        if route is None:
            response = _not_found(scope["path"])
        elif method not in route.methods:
            allowed = ", ".join(route.methods)
            response = Response(
                405, f"405 only {allowed}\n".encode(), headers=((b"allow", allowed.encode()),)
            )
        elif method in _WRITE:
            response = await _write(route, request, receive)
        else:
            response = await _handle(route, request, receive)
        if response is not None:
            await _send(send, response, with_body=method != "HEAD")

    def _metrics(self, request: Request) -> Response:
        wanted = metrics_format(request.headers.get("accept", ""))
        exposition = self.openmetrics if wanted.openmetrics else self.text
        return _compressed(request, exposition.render(), wanted.content_type, b"Accept, Accept-Encoding")

    def _status(self, request: Request) -> Response:
        targets, now = self.targets(), time.time()
        rows = make_rows(self.board.entries(), targets)
        problems = find_problems(targets, self.config_problems(), now)
        page = status_page(rows, self._page_context(), request.query, now, problems)
        return _compressed(request, page.encode(), _HTML)

    def _uploads(self, request: Request) -> Response:
        rows = make_rows(self.board.entries(), self.targets())
        page = uploads_page(rows, self._page_context(), request.query)
        return _compressed(request, page.encode(), _HTML)

    def _api_targets(self, request: Request) -> Response:
        return self._api(request, api.targets)

    def _api_uploads(self, request: Request) -> Response:
        return self._api(request, api.uploads)

    def _api(
        self, request: Request, answer: Callable[[Sequence[TargetStatus], list[BucketRow], Query], Json]
    ) -> Response:
        targets = self.targets()
        try:
            data = answer(targets, make_rows(self.board.entries(), targets), request.query)
            data["shard"] = self.shard._asdict()
        except QueryError as error:
            return Response(400, api.failure(str(error)), _JSON)
        return _compressed(request, api.success(data, time.time()), _JSON)

    def _healthy(self, _: Request) -> Response:
        return Response(200, b"mpu-exporter is healthy.\n")

    def _ready(self, _: Request) -> Response:
        if self.ready():
            return Response(200, b"mpu-exporter is ready.\n")
        return Response(503, b"mpu-exporter is not ready: first scans are under way.\n")

    def _reload(self, _: Request) -> Response:
        problems = self.reload() if self.reload else ()
        if problems:
            return Response(500, "".join(f"{problem}\n" for problem in problems).encode("utf-8", "replace"))
        return Response(200, b"The config was read again.\n")

    def _scan(self, request: Request) -> Response:
        has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
        if self.scan is None:
            return _not_found("/-/scan")
        status, text = request_scans(request.query, self.scan, has_body=has_body)
        return Response(status, text.encode("utf-8", "replace"))

    def _page_context(self) -> PageContext:
        return PageContext(self.telemetry_path, self.uploads, self.shard, scan=self.scan is not None)


_FLAGS = {
    **dict.fromkeys(("/-/reload", "/-/scan"), "--web.enable-lifecycle"),
    "/uploads": "--web.enable-uploads",
    "/api/v1/uploads": "--web.enable-uploads",
}


async def _write(route: Route, request: Request, receive: Any) -> Response | None:  # noqa: ANN401 - ASGI
    """Respond to a request that has something done, unless a page of another site sends it.

    Nothing is done before the request is complete; None where it never will be.
    """
    if is_foreign(request.headers, encrypted=request.encrypted):
        return Response(403, _FOREIGN.encode())
    try:
        if not await is_complete(request.headers, receive):
            return None
    except BodyTooLargeError:
        return Response(413, f"413 a body of more than {MAX_BYTES} bytes: send none\n".encode())
    return await _handle(route, request, receive)


async def _handle(route: Route, request: Request, receive: Any) -> Response | None:  # noqa: ANN401 - ASGI
    """Respond; what takes longer in its turn, off the event loop. None where the client leaves before."""
    if route.turns is None:
        return route.handler(request)
    try:
        return await route.turns.run(
            request.client, receive, partial(asyncio.to_thread, route.handler, request)
        )
    except Exception as error:
        if not is_scarcity(error):
            raise
    return Response(503, f"503 {TOO_LITTLE}\n".encode())


def _not_found(path: str) -> Response:
    if path in _FLAGS:
        return Response(404, f"404 off: start with {_FLAGS[path]} to have it\n".encode())
    return Response(404, b"404 not found; see / for what is here\n")


def _compressed(
    request: Request, body: bytes, content_type: str, vary: bytes = b"Accept-Encoding"
) -> Response:
    """Return a response, compressed where the client accepts that."""
    headers = ((b"vary", vary),)
    if not wants_gzip(request.headers.get("accept-encoding", "")):
        return Response(200, body, content_type, headers)
    return Response(200, gzip(body), content_type, (*headers, (b"content-encoding", b"gzip")))


def _headers(scope: Scope) -> dict[str, str]:
    """Return the request's headers; the values of a repeated one are joined by commas."""
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
