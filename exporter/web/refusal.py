"""Responses of a line of text to requests that are not passed on."""

from __future__ import annotations

from typing import Any


async def refuse(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:  # noqa: ANN401 - ASGI
    """Send a status and a line that says why."""
    sent = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})
