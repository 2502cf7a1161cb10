"""HTTP responses: status, headers and body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from exporter.stores.transport.listing_body import ListingBody


class Response(NamedTuple):
    """A complete response: status, headers by lower-case name, body.

    A `listing` is a body that is too large to be one: `body` is empty then. `lease` is the memory that the
    body holds, which is given back with the response.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    listing: ListingBody | None = None
    lease: object = None

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return len(self.body) if self.listing is None else self.listing.size

    def server_time(self, default: float) -> float:
        """Return the Date header in Unix seconds, `default` where it is missing or unreadable."""
        text = self.headers.get("date")
        time = _parse_date(text) if text else None
        return default if time is None else time


class Headers(Mapping[str, str]):
    """Headers by lower-case name, parsed on access; of a repeated header the last one counts."""

    __slots__ = ("_head", "_lowered", "size")

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """Take the head as received: those of interim responses and of proxies may come first."""
        head = b"".join(pieces)
        self.size = len(head)
        """Bytes that were received."""
        self._head = head[head.rfind(b"\nHTTP/") + 1 :]
        self._lowered = b""

    @property
    def lowered(self) -> bytes:
        """The lines in lower case."""
        if not self._lowered:
            self._lowered = self._head.lower()
        return self._lowered

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
        head = self._lowered or self.lowered
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
