"""POST /-/scan: a query in; status and text of the answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.targets import UnknownNameError
from exporter.web.query import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.model.targets import ScanRequest
    from exporter.web.query import Query

    RequestScans = Callable[[Collection[str], Collection[str]], ScanRequest]


def request_scans(query: Query, request: RequestScans, *, has_body: bool) -> tuple[int, str]:
    """Have the buckets of a query scanned now: of each `target`, each `bucket`; without any, all."""
    if has_body:
        return 400, "400 target and bucket belong into the query: ?target=NAME&bucket=NAME\n"
    try:
        query.only("target", "bucket")
        requested = request(query.texts("target"), query.texts("bucket"))
    except QueryError as error:
        return 400, f"400 {error}\n"
    except UnknownNameError as error:
        return 404, f"404 {error}\n"
    return 202, _described(requested)


def _described(requested: ScanRequest) -> str:
    texts = [f"Scans requested: buckets {requested.buckets:,}, of targets {requested.targets:,}."]
    if requested.running:
        texts.append(f"Being scanned already, and again after that: buckets {requested.running:,}.")
    if requested.lists:
        texts.append(f"Read anew: lists of buckets {requested.lists:,}.")
    return "\n".join((*texts, ""))
