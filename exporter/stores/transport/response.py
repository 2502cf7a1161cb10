"""HTTP responses: collected piece by piece as libcurl receives them; then status, headers and body."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A larger body is refused; a page of 1,000 uploads with the longest keys has 3 MiB."""
MAX_LISTING_BYTES = 512 * 1024 * 1024
"""A larger listing is refused; MinIO's page of a million uploads has 390 MiB."""
_MAX_BYTES_PER_ITEM = 64 * 1024
"""A body over the first limit has to be made of items no larger than that: zeros are no listing."""
JOINED_BYTES = 8 * 1024 * 1024
"""Larger bodies are collected in one buffer, not in pieces whose joining takes their memory twice."""


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

    __slots__ = ("_head", "_lowered")

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the lines as received: heads of interim responses and of proxies may come first."""
        head = b"".join(lines)
        self._head = head[head.rfind(b"\nHTTP/") + 1 :]
        self._lowered = b""

    def __getitem__(self, name: str) -> str:
        """Return a header's value; raises KeyError."""
        value = self._find(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - of the same type as in Mapping
        """Return a header's value, or the default; without the exception that Mapping's own takes."""
        value = self._find(name)
        return default if value is None else value

    def _find(self, name: str) -> str | None:
        """Return a header's value, None without it."""
        head = self._lowered
        if not head:
            head = self._lowered = self._head.lower()
        line_start = _line_start(name)
        start = head.rfind(line_start)
        if start < 0:
            if name.isascii() and line_start[1:-1] not in head:  # most responses lack it: not all is parsed
                return None
            return self._all().get(name)
        value = self._head[start + len(line_start) : self._head.index(b"\n", start + 1)]
        return value.strip().decode("latin-1")

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

    __slots__ = ("_body", "_large", "_last_item", "_lines", "header", "item", "received_bytes", "too_large")

    def __init__(self) -> None:
        """Begin empty."""
        self._lines: list[bytes] = []
        self._body: list[bytes] = []
        self._large: io.BytesIO | None = None
        self._last_item = 0
        self.item = b""
        """What begins each item of a listing, which may be large; empty: the answer is none."""
        self.too_large = False
        """Whether the body was refused."""
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
        if self.received_bytes > MAX_BODY_BYTES and not self._may_grow(data):
            self.too_large = True
            return 0
        if self.received_bytes <= JOINED_BYTES:
            self._body.append(data)
            return None
        if self._large is None:
            self._large = io.BytesIO()
            self._large.writelines(self._body)
            self._body.clear()
        self._large.write(data)
        return None

    @property
    def limit(self) -> int:
        """The bytes that a body may have, seen from what was received."""
        return MAX_LISTING_BYTES if self._last_item else MAX_BODY_BYTES

    def items(self) -> int:
        """Return the number of items received so far."""
        return self._joined().count(self.item) if self.item else 0

    def finish(self, status: int) -> Response:
        """Return the response and begin again empty."""
        response = Response(status, Headers(self._lines), self._joined())
        self._lines.clear()
        self._body.clear()
        self._large = None
        self.received_bytes = self._last_item = 0
        self.too_large = False
        return response

    def _joined(self) -> bytes:
        if self._large is not None:
            return self._large.getvalue()
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def _may_grow(self, data: bytes) -> bool:
        """Whether a body over the limit of all others is a listing, as far as `data`."""
        if not self.item or self.received_bytes > MAX_LISTING_BYTES:
            return False
        if self.item in data:
            self._last_item = self.received_bytes
        elif not self._last_item and self.item in self._end():
            self._last_item = self.received_bytes - len(data)
        return 0 < self._last_item >= self.received_bytes - _MAX_BYTES_PER_ITEM

    def _end(self) -> bytes:
        """Return the end of what was received before, which has an item if it is a listing."""
        if self._large is None:
            return b"".join(self._body)[-_MAX_BYTES_PER_ITEM:]
        with self._large.getbuffer() as view:
            return bytes(view[-_MAX_BYTES_PER_ITEM:])


@lru_cache(maxsize=64)
def _line_start(name: str) -> bytes:
    """Return what a header's line begins with, and the end of the line before it."""
    return b"\n%b:" % name.encode("latin-1")


@lru_cache(maxsize=32)
def _parse_date(text: str) -> float | None:
    """Return an HTTP date in Unix seconds; cached, as a server's Date changes once a second."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
