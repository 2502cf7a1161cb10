"""Sends requests as they are, over kept connections: nothing is normalised, repeated or followed."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass


class RefusedError(Exception):
    """The server refused a request; the text is its answer."""


@dataclass(frozen=True)
class Answer:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Sender:
    """Kept connections to one server, for several threads."""

    def __init__(self, host_and_port: str) -> None:
        self._server = host_and_port
        self._idle: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Return the answer, an error too."""
        try:
            return self._exchange(self._idle.pop(), method, target, headers, body)
        except (IndexError, http.client.RemoteDisconnected, ConnectionError):  # a kept one had ended
            fresh = http.client.HTTPConnection(self._server, timeout=30)
            return self._exchange(fresh, method, target, headers, body)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.headers.items()}
            answer = Answer(response.status, named, response.read())
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer
