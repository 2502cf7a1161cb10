"""Progress of a command: one line on a terminal, redrawn while the command runs, erased at its end."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TextIO

from exporter.cli.terminal.table import cut
from exporter.text.humanize import human_bytes, human_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.errors import Reason
    from exporter.model.uploads import CountedUpload

REDRAW_SECONDS = 0.2
_ERASE = "\r\x1b[K"
_FALLBACK_WIDTH = 80


@dataclass(slots=True)
class _Count:
    """Counts of one bucket so far."""

    uploads: int = 0
    parts: int = 0
    bytes: int = 0

    def add(self, found: CountedUpload) -> None:
        self.uploads += not found.denied
        self.parts += found.parts or 0
        self.bytes += found.bytes or 0


@dataclass
class Progress:
    """Counts buckets, uploads and pages, and shows the counts while entered if `stream` is a terminal.

    As a `Traffic` of transports it counts their pages. Log lines appear above the progress line.
    """

    stream: TextIO
    monotonic: Callable[[], float] = time.monotonic
    buckets: int = 0
    done: int = 0
    pages: int = 0
    _counts: dict[tuple[str, str], _Count] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _drawn: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _handlers: list[logging.StreamHandler[TextIO]] = field(default_factory=list)

    def sent(self, operation: str, requests: int = 1) -> None:
        """Count requested pages."""
        if operation.startswith("List"):
            with self._lock:
                self.pages += requests

    def failed(self, operation: str, reason: Reason) -> None:
        """Ignore a failed request: failures are reported at the end."""

    def expect(self, buckets: int) -> None:
        """Add to the number of buckets."""
        with self._lock:
            self.buckets += buckets

    def finish(self) -> None:
        """Count one bucket as done."""
        with self._lock:
            self.done += 1

    def watch(self, target: str, bucket: str) -> Callable[[CountedUpload], None]:
        """Return a function that counts the bucket's uploads, beginning from 0."""
        count = self._counts[target, bucket] = _Count()
        return count.add

    def line(self, since: float) -> str:
        """Return the progress line of a command that began at `since` (monotonic clock, seconds)."""
        with self._lock:
            counts = list(self._counts.values())
        seconds = max(self.monotonic() - since, 0.001)
        return "  ".join(
            (
                f"{self.done:,}/{self.buckets:,} buckets",
                f"{sum(count.uploads for count in counts):,} uploads",
                f"{sum(count.parts for count in counts):,} parts",
                human_bytes(sum(count.bytes for count in counts)),
                f"{self.pages:,} pages",
                f"{self.pages / seconds:,.0f}/s",
                human_seconds(int(seconds)).removesuffix(".0s") + ("s" if seconds < 60 else ""),  # noqa: PLR2004
            )
        )

    def write(self, text: str) -> int:
        """Write a log line above the progress line."""
        with self._lock:
            if self._drawn:
                self.stream.write(_ERASE)
                self._drawn = False
            return self.stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    def __enter__(self) -> Self:
        """Start drawing if the stream is a terminal."""
        if self.stream and self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._handlers = [
                handler
                for handler in logging.getLogger().handlers
                if isinstance(handler, logging.StreamHandler) and handler.stream is self.stream
            ]
            for handler in self._handlers:
                handler.setStream(self)  # type: ignore[arg-type] # all that it uses is there
            self._thread = threading.Thread(target=self._draw_loop, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing and erase the line."""
        self._ended.set()
        if self._thread:
            self._thread.join()
            for handler in self._handlers:
                handler.setStream(self.stream)
            self.write("")
            self.flush()

    def _draw_loop(self) -> None:
        since = self.monotonic()
        while not self._ended.wait(REDRAW_SECONDS):
            line = self.line(since)
            with self._lock:
                self.stream.write(_ERASE + cut(line, self._width() - 1, at_end=True))
                self.stream.flush()
                self._drawn = True

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or _FALLBACK_WIDTH
        except OSError:
            return _FALLBACK_WIDTH
