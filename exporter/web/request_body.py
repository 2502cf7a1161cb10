"""The body of a request that has something done: it is read to its end before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 64 * 1024
"""A longer body is refused; nothing that is read needs any."""


class BodyTooLargeError(Exception):
    """A body of more than MAX_BYTES."""


async def is_complete(headers: Mapping[str, str], receive: Any) -> bool:  # noqa: ANN401 - ASGI
    """Read a body; return whether it came to its end: false where it is broken or its client gone.

    Raises BodyTooLargeError, before the client has sent anything where it says how much that will be.
    """
    if int(headers.get("content-length", "0")) > MAX_BYTES:
        raise BodyTooLargeError
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return False
        size, more = size + len(message["body"]), message["more_body"]
        if size > MAX_BYTES:
            raise BodyTooLargeError
    return True
