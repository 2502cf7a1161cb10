"""Pages and JSON: a request in, what the board and the roster know read, a response out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.web import api, status, worst_uploads
from exporter.web.exchange import Request, Response
from exporter.web.layout import page
from exporter.web.query import Query, QueryError
from exporter.web.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.board import Board
    from exporter.watched import Watched

NO_UPLOADS = "single uploads are not shown, since keys may be sensitive: start with --web.enable-uploads"


@dataclass(frozen=True, slots=True)
class Views:
    """Answers for people and for programs; `now` is Unix seconds."""

    board: Board
    watched: Callable[[], Sequence[Watched]]
    problems: Callable[[], Sequence[str]]
    telemetry_path: str
    uploads: bool
    now: Callable[[], float] = time.time

    def status(self, request: Request) -> Response:
        """Return the status page."""
        try:
            view = status.View.of(Query(request.query, status.PARAMETERS))
        except QueryError as error:
            return _wrong(error)
        now, watched = self.now(), self.watched()
        rows = rows_of(self.board.entries(), watched)
        body = status.status_body(rows, view, watched, self.problems(), now)
        return page("Status", body, self._links(), "./", now)

    def uploads_page(self, request: Request) -> Response:
        """Return the page of the worst uploads."""
        if not self.uploads:
            return Response(404, f"404 {NO_UPLOADS}\n".encode())
        try:
            choice = worst_uploads.Choice.of(Query(request.query, worst_uploads.PARAMETERS))
        except QueryError as error:
            return _wrong(error)
        entries = self.board.entries()
        shown = worst_uploads.worst_of(entries, self.watched(), choice)
        body = worst_uploads.uploads_body(shown, choice, entries)
        return page("Worst uploads", body, self._links(), "uploads", self.now())

    def uploads_json(self, request: Request) -> Response:
        """Return the worst uploads as JSON."""
        if not self.uploads:
            return api.refusal(404, NO_UPLOADS)
        try:
            choice = worst_uploads.Choice.of(Query(request.query, worst_uploads.PARAMETERS))
        except QueryError as error:
            return api.refusal(400, str(error))
        shown = worst_uploads.worst_of(self.board.entries(), self.watched(), choice)
        return api.answer(api.uploads_data(shown), self.now())

    def targets_json(self, request: Request) -> Response:
        """Return the targets and their buckets as JSON."""
        try:
            query = Query(request.query, api.TARGETS_PARAMETERS)
        except QueryError as error:
            return api.refusal(400, str(error))
        watched = self.watched()
        rows = rows_of(self.board.entries(), watched)
        data = api.targets_data(rows, watched, query.text("target"), query.text("bucket"))
        return api.answer(data, self.now())

    def _links(self) -> list[tuple[str, str]]:
        links = [("./", "Status")]
        if self.uploads:
            links += [("uploads", "Worst uploads"), ("api/v1/uploads", "Uploads as JSON")]
        metrics = self.telemetry_path.removeprefix("/")
        return [*links, ("api/v1/targets", "Targets as JSON"), (metrics, "Metrics")]


def _wrong(error: QueryError) -> Response:
    return Response(400, f"400 {error}\n".encode())
