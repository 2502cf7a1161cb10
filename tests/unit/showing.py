"""Boards as operators have them, with what is watched beside: what the tests of pages and of JSON share."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from fakes import NOW
from unit.boards import AGES, SUMMARY, TARIFF

from exporter.board import Board, Entry, ScanResult
from exporter.config.settings import BucketSettings, DiscoverSettings, StoreKind, TargetSettings
from exporter.model import Found, Reason, Upload
from exporter.watched import Discovery, Turn, Watched
from exporter.web.exchange import Request
from exporter.web.views import Views
from exporter.worst import Worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.web.exchange import Response

HOSTILE_KEYS = (
    "a/<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\"onmouseover='alert(3)'",
    "line\nbreak\r\x00\x1b[31m",
    "bidi\u202egpj.exe\u2066",
    "surrogate\ud800",
    "&amp;&lt;%s{}$(touch x)`id`",
    "=cmd|' /C calc'!A0",
    "ä🪣\u0301 \u05d0\u05d1",
)


def found(key: str, upload_id: str = "id", *, age: float = 90000.0, size: int | None = 5_000_000) -> Found:
    """Return an upload that was initiated `age` seconds ago, and idle for half of them."""
    upload = Upload(key, upload_id, NOW - age, initiator="arn:aws:iam::123456789012:user/backup")
    return Found(upload, NOW - age / 2, 3, size, "STANDARD", NOW + 86400)


class House:
    """A board with three targets, and views of it."""

    def __init__(self, *, uploads: bool = True):
        self.board = Board()
        self.problems: list[str] = []
        self.watched = [
            Watched(
                target(
                    "prod", "media", "backups", "logs", endpoint_url="https://user:pw@s3.example.com:8443"
                ),
                (BucketSettings("media"), BucketSettings("backups", "db/"), BucketSettings("logs")),
                "eu-west-1",
                {
                    "media": Turn(NOW + 300),
                    "backups": Turn(NOW + 1, running_since=NOW - 42),
                    "logs": Turn(NOW - 1),
                },
            ),
            Watched(
                replace(target("found", "x"), discover=DiscoverSettings()),
                (BucketSettings("x"),),
                discovery=Discovery(
                    success=False,
                    reason=Reason.ACCESS_DENIED,
                    message="ListBuckets: no",
                    last_success=NOW - 7200,
                ),
            ),
        ]
        self.board.declare(
            Entry(each.settings.name, bucket.name, "s3", 86400.0, AGES, tariff=TARIFF)
            for each in self.watched
            for bucket in each.buckets
        )
        self.views = Views(
            self.board,
            lambda: self.watched,
            lambda: self.problems,
            "/metrics",
            uploads=uploads,
            now=lambda: NOW + 60,
        )
        self.publish("media", unsized=0, uploads=12, bytes=10 * 2**30, stale=0)
        self.publish("backups", uploads=3, bytes=None)
        self.board.fail(("prod", "logs"), Reason.ACCESS_DENIED, "ListMultipartUploads: <b>denied</b>", 0.5)

    def publish(self, bucket: str, *uploads_found: Found, target: str = "prod", **summary: object) -> None:
        worst = Worst(20)
        for each in uploads_found or (found("k/1"), found("k/2", age=50000.0, size=9_000_000)):
            worst.add(each)
        result = ScanResult(replace(SUMMARY, **summary), finished=NOW, duration=1.25, worst=worst)
        self.board.publish((target, bucket), result)

    def ask(self, view: str, query: str = "") -> Response:
        return getattr(self.views, view)(Request("GET", "/", {}, query))

    def page(self, view: str = "status", query: str = "") -> str:
        response = self.ask(view, query)
        assert response.status == 200, response.body
        return response.body.decode()


def target(name: str, *buckets: str, **settings: object) -> TargetSettings:
    return TargetSettings(name, StoreKind.S3, tuple(map(BucketSettings, buckets)), **settings)


class _Cells(HTMLParser):
    """Collects the texts of table cells, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._inside += 1
        elif tag == "title":
            self._inside -= 1

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._inside -= 1
        elif tag == "title":
            self._inside += 1

    def handle_data(self, data: str) -> None:
        if self._inside > 0 and self.rows:
            self.rows[-1][-1] += data


def rows(page: str) -> list[list[str]]:
    """Return the texts of the cells of a page's table, its head left out."""
    cells = _Cells()
    cells.feed(page[page.index("<table") : page.index("</table>")] if "<table" in page else "")
    return [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in cells.rows[1:]]
