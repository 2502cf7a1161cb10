"""Requests of a Multi to a server on loopback that answers as told: what its tests share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from servers.standin import Reply

from exporter.stores.transport.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servers.standin import Request, StandIn

    from exporter.stores.transport.multi import MultiTransport

SOON = 10.0


class Answering:
    """Answers with the path, or with what `replies` has for it."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.default = Reply()

    def __call__(self, request: Request) -> Reply:
        reply = self.replies.get(request.path, self.default)
        return replace(reply, body=reply.body or request.path.encode())


def start(multi: MultiTransport, server: StandIn, *paths: str, seconds: float = SOON) -> None:
    for path in paths:
        multi.start(f"{server.url}{path}", [], seconds, path)


def outcomes(multi: MultiTransport, number: int) -> dict[Any, tuple[int, bytes] | int]:
    """Return status and body, or libcurl's error, of the requests that end next, by label."""
    found: dict[Any, tuple[int, bytes] | int] = {}
    while len(found) < number:
        done = multi.completed(SOON)
        assert done
        for label, outcome, _ in done:
            assert label not in found
            fine = isinstance(outcome, Response)
            found[label] = (outcome.status, outcome.body) if fine else outcome.args[0]
    return found


def fine(paths: Iterable[str]) -> dict[str, tuple[int, bytes]]:
    return {path: (200, path.encode()) for path in paths}


def paths(number: int, of: str = "request") -> list[str]:
    return [f"/{of}-{each}" for each in range(number)]
