"""Bodies of requests, most of them broken: on real sockets, with a password and without."""

import base64
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from unit.example_app import ExampleApp
from unit.web_clients import answer_200, connect, errors, read_answer, read_to_end, serving

from exporter.web.auth.config import WebConfig
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.auth.passwords import PasswordChecker
from exporter.web.request_body import MAX_BYTES
from exporter.web.server.server import WebServer

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = b"ZZ\r\nnot a chunk\r\n"
END = b""
"""In place of a piece: nothing more is sent."""
USERS = WebConfig(users={"ann": b"$2b$04$hash"})
RIGHT = b"Authorization: Basic " + base64.b64encode(b"ann:right") + b"\r\n"


def head(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode()


class Example(ExampleApp):
    """An application behind a password."""

    @property
    def done(self) -> list[Any]:
        """What requests have had done."""
        return [*self.scans, *self.reloads]

    def forget(self) -> None:
        self.scans.clear()
        self.reloads.clear()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[WebServer, Example]]:
    example = Example()
    passwords = PasswordChecker(lambda password, _: password == b"right")
    with serving(AuthMiddleware(example.app, lambda: USERS, passwords)) as web:
        yield web, example


@pytest.fixture
def web(served: tuple[WebServer, Example]) -> WebServer:
    return served[0]


@pytest.fixture
def example(served: tuple[WebServer, Example]) -> Example:
    served[1].forget()
    return served[1]


def ask(web: WebServer, *pieces: bytes) -> bytes:
    """Return all that is answered."""
    with connect(web) as client:
        for piece in pieces:
            if piece is END:
                client.shutdown(socket.SHUT_WR)
            else:
                client.sendall(piece)
        return read_to_end(client)


@pytest.mark.parametrize("path", ["/-/reload", "/-/scan"])
class TestWhatHasSomethingDone:
    @pytest.mark.parametrize(
        "pieces",
        [
            [CHUNKED + BROKEN],
            [CHUNKED, BROKEN],
            [CHUNKED + b"4\r\nabcd\r\n", BROKEN],
            [CHUNKED + b"4\r\nabcd\r\n0\r\nno trailer\r\n\r\n"],
            [CHUNKED + b"4\r\nab", END],
            [CHUNKED + b"4\r\nabcd\r\n", END],
            [b"Content-Length: 4\r\n\r\nabc", END],
        ],
        ids=["first", "later", "further", "trailer", "cut chunk", "no last chunk", "cut"],
    )
    def test_a_broken_body_is_400_and_nothing_is_done(
        self, web: WebServer, example: Example, caplog: Any, path: str, pieces: list[bytes]
    ):
        answer = ask(web, head("POST", path) + RIGHT + pieces[0], *pieces[1:])
        assert (answer[:13], example.done, errors(caplog)) == (b"HTTP/1.1 400 ", [], [])

    def test_before_the_password_is_checked_likewise(
        self, web: WebServer, example: Example, caplog: Any, path: str
    ):
        answer = ask(web, head("POST", path) + CHUNKED + BROKEN)
        assert (answer[:13], example.done, errors(caplog)) == (b"HTTP/1.1 400 ", [], [])

    @pytest.mark.parametrize(
        "body",
        [
            f"Content-Length: {MAX_BYTES + 1}\r\nExpect: 100-continue\r\n\r\n".encode(),
            CHUNKED + b"%x\r\n%s\r\n" % (MAX_BYTES + 1, bytes(MAX_BYTES + 1)),
        ],
        ids=["by its length", "in chunks"],
    )
    def test_a_body_that_is_too_long_is_413(self, web: WebServer, example: Example, path: str, body: bytes):
        with connect(web) as client:
            client.sendall(head("POST", path) + RIGHT + body)
            assert read_answer(client).startswith(b"HTTP/1.1 413 ")
        assert example.done == []

    def test_nothing_is_done_before_the_request_is_complete(
        self, web: WebServer, example: Example, path: str
    ):
        with connect(web) as client:
            client.sendall(head("POST", path) + RIGHT + CHUNKED + b"4\r\nabcd\r\n")
            ask(web, head("GET", "/-/healthy") + b"Connection: close\r\n\r\n")
            assert example.done == []
            client.sendall(b"0\r\n\r\n")
            status = read_answer(client)[9:12]
        takes_a_body = path == "/-/reload"
        assert (status, len(example.done)) == ((b"200", 1) if takes_a_body else (b"400", 0))


class TestOtherRequests:
    """What is wrong behind a request's head is its client's mistake, and told to nobody else."""

    @pytest.mark.parametrize("piece", [b"", b"4\r\nabcd\r\n", b"4\r\x00GET / HTTP/1.\n\x02"])
    @pytest.mark.parametrize("pieces", [1, 2])
    def test_head_is_answered_without_a_body(self, web: WebServer, caplog: Any, pieces: int, piece: bytes):
        sent = [head("HEAD", "/-/scan") + CHUNKED + piece, BROKEN]
        answer = ask(web, *([b"".join(sent)] if pieces == 1 else sent))
        assert (answer[:9], answer.partition(b"\r\n\r\n")[2]) == (b"HTTP/1.1 ", b"")
        assert errors(caplog) == []

    def test_a_broken_head_after_a_head_request_is_told(self, web: WebServer):
        answer = ask(web, head("HEAD", "/") + b"\r\n" + b"no request\r\n\r\n")
        assert b"\r\nInvalid HTTP request received.\r\n" in answer

    def test_while_the_application_is_at_work_it_is_400(self, caplog: pytest.LogCaptureFixture):
        at_work, ended = threading.Event(), threading.Event()

        async def app(_scope: dict[str, Any], receive: Any, send: Any) -> None:
            at_work.set()
            message = await receive()
            await answer_200(send)
            assert message == {"type": "http.disconnect"}
            ended.set()

        with serving(app) as web, connect(web) as client:
            client.sendall(head("GET", "/") + CHUNKED)
            assert at_work.wait(5)
            client.sendall(BROKEN)
            assert read_to_end(client).startswith(b"HTTP/1.1 400 ")
            assert ended.wait(5)
        assert errors(caplog) == []

    @pytest.mark.parametrize(
        "sent",
        [
            head("GET", "/-/healthy") + b"Content-Length: 5\r\n" + CHUNKED,
            head("POST", "/-/scan") + RIGHT + b"Content-Length: 5\r\n" + CHUNKED,
            head("POST", "/-/scan").replace(b"1.1", b"1.0") + RIGHT + CHUNKED,
            head("GET", "/-/healthy") + b"\r\n" + head("GET", "/") + b"Content-Length: 5\r\n" + CHUNKED,
        ],
        ids=["a page", "what has something done", "HTTP/1.0", "behind another"],
    )
    def test_what_a_proxy_may_see_another_end_of_is_400_and_the_last(
        self, web: WebServer, example: Example, sent: bytes
    ):
        answers = ask(web, sent + b"0\r\n\r\n" + head("GET", "/") + b"\r\n")
        assert b"Transfer-Encoding beside Content-Length or in HTTP/1.0\n" in answers
        _, *before, refused = answers.split(b"HTTP/1.1 ")
        assert (len(before), refused[:3]) == (sent.count(b" HTTP") - 1, b"400")
        assert example.done == []

    @pytest.mark.parametrize("behind", [b"", b"0\r\n\r\n"], ids=["in the body", "in the next head"])
    def test_after_the_answer_the_connection_ends(self, web: WebServer, behind: bytes, caplog: Any):
        with connect(web) as client:
            client.sendall(head("GET", "/") + CHUNKED)
            assert read_answer(client).startswith(b"HTTP/1.1 401 ")
            client.sendall(behind + BROKEN + b"\r\n")
            assert read_to_end(client)[:13] == (b"HTTP/1.1 400 " if behind else b"")
        assert errors(caplog) == []
