"""What may be asked over HTTP, and which answer it gets. An ASGI application; it never waits for a scan."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.exposition import gzip
from exporter.web.exchange import Request, Response, Scope, send_response
from exporter.web.negotiation import wants_gzip, wants_openmetrics
from exporter.web.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.board import Board
    from exporter.exposition import Exposition
    from exporter.watched import Watched

_READING = ("GET", "HEAD")
_NO_RELOAD = b"404 the config is not reloaded on request: start with --web.enable-lifecycle, or send SIGHUP\n"


@dataclass(frozen=True, slots=True)
class _Route:
    """What answers a path. What is `quick` is answered on the event loop, the rest meanwhile."""

    answer: Callable[[Request], Response]
    methods: tuple[str, ...] = _READING
    quick: bool = False


@dataclass(slots=True)
class App:
    """Answers requests from the board; `ready` says whether the values are worth scraping yet.

    `watched` says what is watched now. `reload` reads the config again and returns what is wrong with it;
    None where nobody may ask for that. `uploads` says whether single uploads are shown, `problems` what was
    wrong with the config when it was last read.
    """

    board: Board
    text: Exposition
    openmetrics: Exposition
    ready: Callable[[], bool]
    telemetry_path: str = "/metrics"
    watched: Callable[[], Sequence[Watched]] = tuple
    reload: Callable[[], Sequence[str]] | None = None
    uploads: bool = False
    problems: Callable[[], Sequence[str]] = tuple
    _routes: Mapping[str, _Route] = field(init=False)
    _reloads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Fill the table of paths."""
        views = Views(self.board, self.watched, self.problems, self.telemetry_path, uploads=self.uploads)
        # on a thread of its own: however many wait for their turn, scrapes are answered
        self._reloads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reload-request")
        self._routes = {
            "/": _Route(views.status),
            "/uploads": _Route(views.uploads_page),
            "/api/v1/targets": _Route(views.targets_json),
            "/api/v1/uploads": _Route(views.uploads_json),
            "/-/healthy": _Route(self._healthy, quick=True),
            "/-/ready": _Route(self._ready, quick=True),
            "/-/reload": _Route(self._reload, ("POST", "PUT")),
            self.telemetry_path: _Route(self._metrics),
        }

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG002 - ASGI
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request.of(scope)
        response = await self._answer(request)
        await send_response(send, response, with_body=request.method != "HEAD")

    async def _answer(self, request: Request) -> Response:
        route = self._routes.get(request.path)
        if route is None:
            return Response(404, b"404 not found; see / for what is here\n")
        if request.path == "/-/reload" and self.reload is None:
            return Response(404, _NO_RELOAD)
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            text = f"405 only {' or '.join(method for method in route.methods if method != 'HEAD')}\n"
            return Response(405, text.encode(), headers=((b"allow", allowed.encode()),))
        if route.quick:
            return route.answer(request)
        own = self._reloads if request.path == "/-/reload" else None
        return await asyncio.get_running_loop().run_in_executor(own, route.answer, request)

    def _metrics(self, request: Request) -> Response:
        chosen = self.openmetrics if wants_openmetrics(request.headers.get("accept", "")) else self.text
        body = chosen.render()
        vary = (b"vary", b"Accept, Accept-Encoding")
        if not wants_gzip(request.headers.get("accept-encoding", "")):
            return Response(200, body, chosen.content_type, (vary,))
        return Response(200, gzip(body), chosen.content_type, (vary, (b"content-encoding", b"gzip")))

    def _healthy(self, _: Request) -> Response:
        return Response(200, b"mpu-exporter is healthy.\n")

    def _ready(self, _: Request) -> Response:
        if self.ready():
            return Response(200, b"mpu-exporter is ready.\n")
        return Response(503, b"mpu-exporter is not ready: first scans are under way.\n")

    def _reload(self, _: Request) -> Response:
        problems = self.reload() if self.reload else ()
        if not problems:
            return Response(200, b"the config was read again\n")
        lines = ("the config cannot be used; what was read before stays:", *problems)
        return Response(500, "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))
