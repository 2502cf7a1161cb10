"""HTTP responses: collected piece by piece as libcurl receives them; then status, headers and body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A larger body is refused; a page of 1,000 uploads with the longest keys has 3 MiB."""


class Response(NamedTuple):
    """A complete response: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def server_time(self, default: float) -> float:
        """Return the Date header in Unix seconds, `default` where it is missing or unreadable."""
        text = self.headers.get("date")
        time = _parse_date(text) if text else None
        return default if time is None else time


class Headers(Mapping[str, str]):
    """Headers by lower-case name, parsed on access; of a repeated header the last one counts."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the lines as received: heads of interim responses and of proxies may come first."""
        head = b"".join(lines)
        self._head = head[head.rfind(b"\nHTTP/") + 1 :]

    def __getitem__(self, name: str) -> str:
        """Return a header's value; raises KeyError."""
        head, sought = self._head.lower(), name.encode("latin-1")
        start = head.rfind(b"\n%b:" % sought)
        if start < 0:
            if name.isascii() and sought not in head:  # saves parsing all for what most responses lack
                raise KeyError(name)
            return self._all()[name]
        line = self._head[start + 1 : self._head.index(b"\n", start + 1)]
        return line[len(name) + 1 :].strip().decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._all())

    def __len__(self) -> int:
        """Return the number of headers."""
        return len(self._all())

    def _all(self) -> dict[str, str]:
        """Parse every line, also those with malformed names."""
        lines = (line.partition(":") for line in self._head.decode("latin-1").split("\n")[1:])
        return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


class ResponseBuffer:
    """Collects a response from libcurl's callbacks; libcurl itself limits the head to 300 KiB."""

    __slots__ = ("_body", "_lines", "header", "received_bytes")

    def __init__(self) -> None:
        """Begin empty."""
        self._lines: list[bytes] = []
        self._body: list[bytes] = []
        self.received_bytes = 0
        """Bytes of the body received so far."""
        self.header = self._lines.append
        """HEADERFUNCTION: takes a line of the head."""

    @property
    def received_lines(self) -> int:
        """Lines of the head received so far."""
        return len(self._lines)

    def write(self, data: bytes) -> int | None:
        """WRITEFUNCTION: takes a piece of the body; 0 makes libcurl fail."""
        self.received_bytes += len(data)
        if self.received_bytes > MAX_BODY_BYTES:
            return 0
        self._body.append(data)
        return None

    def finish(self, status: int) -> Response:
        """Return the response and begin again empty."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        response = Response(status, Headers(self._lines), body)
        self._lines.clear()
        self._body.clear()
        self.received_bytes = 0
        return response


@lru_cache(maxsize=32)
def _parse_date(text: str) -> float | None:
    """Return an HTTP date in Unix seconds; cached, as a server's Date changes once a second."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
