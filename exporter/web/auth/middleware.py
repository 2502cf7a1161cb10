"""ASGI middleware: checks user and password, and adds the configured headers to responses."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.model.scarcity import TOO_LITTLE, is_scarcity
from exporter.web.auth.passwords import PasswordChecker, TooManyChecksError
from exporter.web.refusal import refuse
from exporter.web.server.connections import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.web.auth.config import WebConfig

Scope = dict[str, Any]
Header = tuple[bytes, bytes]

_CHALLENGE = (b"www-authenticate", b'Basic realm="mpu-exporter", charset="UTF-8"')
_RETRY_AFTER = (b"retry-after", b"1")


@dataclass(slots=True)
class AuthMiddleware:
    """Passes requests that the current web config allows to `app`; responds 401, 429 or 503 to others."""

    app: Any
    web_config: Callable[[], WebConfig]
    passwords: PasswordChecker = field(default_factory=PasswordChecker)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Respond to one request, or pass it on."""
        if scope["type"] != "http":
            return
        web_config = self.web_config()
        if web_config.headers:
            send = _with_headers(send, web_config.headers)
        try:
            allowed = await self._allows(web_config, scope)
        except TooManyChecksError:
            await refuse(send, 429, b"429 too many passwords at once; try again\n", _RETRY_AFTER)
            return
        except RuntimeError as error:  # the system has no thread for the check
            if not is_scarcity(error):
                raise
            await refuse(send, 503, f"503 {TOO_LITTLE}\n".encode(), _RETRY_AFTER)
            return
        except asyncio.CancelledError:  # the server stops while a password is checked
            await refuse(send, 503, b"503 the exporter is about to stop\n", _RETRY_AFTER)
            return
        if allowed:
            await self.app(scope, receive, send)
        else:
            await refuse(send, 401, b"401 user and password, please\n", _CHALLENGE)

    async def _allows(self, web_config: WebConfig, scope: Scope) -> bool:
        if not web_config.users or scope["path"] in web_config.public_paths:
            return True
        credentials = _credentials(scope)
        if credentials is None:
            return False
        client = client_of(scope["client"][0]) if scope.get("client") else None
        return await self.passwords.verify(web_config.users, *credentials, client)


def _credentials(scope: Scope) -> tuple[str, bytes] | None:
    """Return user and password of a request, None unless it has exactly one readable pair."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, encoded = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon and scheme.lower() == b"basic" else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _with_headers(send: Any, own: tuple[Header, ...]) -> Any:  # noqa: ANN401 - ASGI
    """Return a `send` that sets these headers of each response; an empty value removes the header."""
    names = {name for name, _ in own}

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [header for header in message["headers"] if header[0] not in names]
            message = {**message, "headers": [*kept, *(header for header in own if header[1])]}
        await send(message)

    return sending
