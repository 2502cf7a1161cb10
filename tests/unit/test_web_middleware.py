"""Who is let through to the application, and which headers answers get."""

import asyncio
import base64
import threading
from typing import Any

import bcrypt
import pytest

from exporter.web.auth.config import WebConfig
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.auth.passwords import PasswordChecker, TooManyChecksError

ACCESS = WebConfig(
    users={"ann": bcrypt.hashpw(b"se:cret", bcrypt.gensalt(4)), "zoë": bcrypt.hashpw(b"", bcrypt.gensalt(4))},
    public_paths=frozenset({"/-/healthy"}),
)


async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    headers = [(b"x-frame-options", b"DENY"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


class NeverInTime(PasswordChecker):
    async def verify(self, *_: object) -> bool:
        raise TooManyChecksError


def ask(
    web_config: WebConfig,
    *authorization: bytes,
    path: str = "/metrics",
    passwords: PasswordChecker | None = None,
):
    """Return status, headers and body of an answer."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"x"), *((b"authorization", value) for value in authorization)]
    scope = {"type": "http", "path": path, "headers": headers, "client": ("10.0.0.1", 1)}
    guard = AuthMiddleware(app, lambda: web_config, passwords or PasswordChecker())
    asyncio.run(guard(scope, None, send))
    start, body = sent
    return start["status"], start["headers"], body["body"]


def basic(credentials: bytes, scheme: bytes = b"Basic") -> bytes:
    return scheme + b" " + base64.b64encode(credentials)


def test_where_the_system_has_no_thread_for_a_check_the_next_request_is_checked(
    monkeypatch: pytest.MonkeyPatch,
):
    start, passwords = threading.Thread.start, PasswordChecker()

    def fail(thread: threading.Thread) -> None:
        if thread.name == "password":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        status, _, body = ask(ACCESS, basic(b"ann:se:cret"), passwords=passwords)
    assert (status, b"too few threads" in body) == (503, True)
    assert ask(ACCESS, basic(b"ann:se:cret"), passwords=passwords)[0] == 200


def test_without_users_everyone_is_let_through():
    assert ask(WebConfig())[0] == 200


@pytest.mark.parametrize(
    "value", [basic(b"ann:se:cret"), basic(b"ann:se:cret", b"BASIC"), basic("zoë:".encode())]
)
def test_users_are_let_through(value: bytes):
    assert ask(ACCESS, value)[0] == 200


@pytest.mark.parametrize(
    "values",
    [
        (),
        (b"",),
        (b"Basic",),
        (b"Basic !!!",),
        (b"Basic YW5u",),
        (basic(b"ann:secret"),),
        (basic(b"eve:se:cret"),),
        (basic(b"\xff:se:cret"),),
        (basic(b"ann:se:cret", b"Bearer"),),
        (b"ann:se:cret",),
        (basic(b"ann:se:cret"), basic(b"ann:se:cret")),
    ],
    ids=repr,
)
def test_others_are_asked_for_their_password(values: tuple[bytes, ...]):
    status, headers, body = ask(ACCESS, *values)
    assert (status, body) == (401, b"401 user and password, please\n")
    assert dict(headers)[b"www-authenticate"] == b'Basic realm="mpu-exporter", charset="UTF-8"'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/-/healthy", 200),
        ("/-/healthy/", 401),
        ("/-/ready", 401),
        ("/-/healthy/../../metrics", 401),
        ("", 401),
    ],
)
def test_open_paths_are_exact(path: str, status: int):
    assert ask(ACCESS, path=path)[0] == status


def test_too_many_at_once_are_told_to_come_again():
    status, headers, _ = ask(ACCESS, basic(b"ann:x"), passwords=NeverInTime())
    assert (status, dict(headers)[b"retry-after"]) == (429, b"1")


def test_who_waits_while_the_server_stops_is_told_so():
    class Stopping(PasswordChecker):
        async def verify(self, *_: object) -> bool:
            raise asyncio.CancelledError

    assert ask(ACCESS, basic(b"ann:x"), passwords=Stopping())[0] == 503


@pytest.mark.parametrize("users", [{}, ACCESS.users])
def test_headers_replace_those_of_the_application_and_blank_ones_take_them_away(users: dict[str, bytes]):
    own = ((b"x-frame-options", b"sameorigin"), (b"x-content-type-options", b""), (b"x-xss-protection", b"0"))
    headers = ask(WebConfig(users=users, headers=own))[1]
    names = [name for name, _ in headers]
    assert dict(headers)[b"x-frame-options"] == b"sameorigin"
    assert (names.count(b"x-frame-options"), names.count(b"x-content-type-options")) == (1, 0)
    assert dict(headers)[b"x-xss-protection"] == b"0"


def test_what_is_not_http_is_left_alone():
    asyncio.run(AuthMiddleware(app, lambda: ACCESS)({"type": "lifespan"}, None, None))
