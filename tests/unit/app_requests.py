"""Requests to an ASGI application, without a server."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from exporter.web.app import App


@dataclass
class Answer:
    """What an application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def ask(app: App, target: str = "/metrics", *headers: tuple[str, str], method: str = "GET") -> Answer:
    answer = Answer()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    path, _, query = target.partition("?")
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": query.encode()}
    asyncio.run(app(scope, receive, send))
    return answer
