"""A request in, a response out: the records of both, and how they travel over ASGI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Scope = dict[str, Any]

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Header names are lower-case; `query` is as it was sent, without its `?`."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Request:
        """Read an ASGI scope; of a header sent several times, the values become one list."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        query = scope.get("query_string", b"").decode("latin-1")
        return cls(scope["method"], scope["path"], headers, query)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. Its own headers take the place of the usual ones."""

    status: int
    body: bytes
    content_type: str = PLAIN
    headers: tuple[tuple[bytes, bytes], ...] = ()


async def send_response(send: Any, response: Response, *, with_body: bool) -> None:  # noqa: ANN401 - ASGI
    """Send it, with headers that keep browsers careful."""
    headers = {
        b"content-type": response.content_type.encode(),
        b"content-length": str(len(response.body)).encode(),
        b"cache-control": b"no-store",
        **_SECURITY_HEADERS,
        **dict(response.headers),
    }
    start = {"type": "http.response.start", "status": response.status, "headers": list(headers.items())}
    await send(start)
    await send({"type": "http.response.body", "body": response.body if with_body else b""})
