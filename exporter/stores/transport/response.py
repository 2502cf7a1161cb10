"""What came back over HTTP: collected piece by piece, then status, headers and body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

BODY_CAP_BYTES = 64 * 1024 * 1024
"""A page is refused beyond this; a page of 1,000 uploads with the longest keys has 3 MiB."""


class Answer(NamedTuple):
    """What came back: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def moment(self, default: float) -> float:
        """Return the server's clock (its Date header) in Unix seconds, or `default` where it gave none."""
        text = self.headers.get("date")
        moment = _moment(text) if text else None
        return default if moment is None else moment


class Headers(Mapping[str, str]):
    """Headers by lower-case name, looked for when asked for; of a repeated one the last."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the lines as they came: the heads of interim answers and of proxies may come first."""
        head = b"".join(lines)
        self._head = head[head.rfind(b"\nHTTP/") + 1 :]

    def __getitem__(self, name: str) -> str:
        """Return a header's value; raises KeyError."""
        head, sought = self._head.lower(), name.encode("latin-1")
        start = head.rfind(b"\n%b:" % sought)
        if start < 0:
            if name.isascii() and sought not in head:  # spares reading all for what most answers lack
                raise KeyError(name)
            return self._all()[name]
        line = self._head[start + 1 : self._head.index(b"\n", start + 1)]
        return line[len(name) + 1 :].strip().decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._all())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all())

    def _all(self) -> dict[str, str]:
        """Read every line, those too whose names no server should send."""
        lines = (line.partition(":") for line in self._head.decode("latin-1").split("\n")[1:])
        return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


class Reply:
    """Collects what libcurl hands over: of the head at most 300 KiB, its own limit; of the body our cap."""

    __slots__ = ("_body", "_body_bytes", "_lines", "header")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lines: list[bytes] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        self.header = self._lines.append
        """Takes a line of the head."""

    def write(self, data: bytes) -> int | None:
        """Take a piece of the body; 0 refuses it."""
        self._body_bytes += len(data)
        if self._body_bytes > BODY_CAP_BYTES:
            return 0
        self._body.append(data)
        return None

    def answer(self, status: int) -> Answer:
        """Return the whole, and begin again with nothing."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer = Answer(status, Headers(self._lines), body)
        self._lines.clear()
        self._body.clear()
        self._body_bytes = 0
        return answer


@lru_cache(maxsize=32)
def _moment(text: str) -> float | None:
    """Read an HTTP date; a server's changes once a second."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
