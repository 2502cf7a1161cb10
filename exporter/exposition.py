"""The text of /metrics: each bucket's lines rendered once per change, joined at every scrape."""

from __future__ import annotations

import re
import threading
import zlib
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry, Metric

    from exporter.board import Entry
    from exporter.metrics import BoardCollector

CONTENT_TYPE_TEXT = CONTENT_TYPE_PLAIN_0_0_4
CONTENT_TYPE_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_EOF = "# EOF\n"
_BLOCK = re.compile(r"^(?=# HELP )", re.MULTILINE)
_GZIP = 16 + zlib.MAX_WBITS

Lines = dict[str, str]
"""The samples of one bucket, by the head (HELP and TYPE) they stand under."""


class Exposition:
    """Renders the board and the exporter's own registry in one of the two formats."""

    def __init__(
        self, collector: BoardCollector, registry: CollectorRegistry, *, openmetrics: bool = False
    ) -> None:
        """Make a renderer; the library's own encoders write every line."""
        self.content_type = CONTENT_TYPE_OPENMETRICS if openmetrics else CONTENT_TYPE_TEXT
        self._collector = collector
        self._registry = registry
        self._encode = partial(generate_openmetrics) if openmetrics else partial(generate_latest)
        self._end = _EOF if openmetrics else ""
        self._lock = threading.Lock()
        self._rendered: dict[tuple[str, str], tuple[Entry, Lines]] = {}

    def render(self) -> bytes:
        """Return the whole exposition as UTF-8."""
        buckets = self._buckets()
        heads = dict.fromkeys(head for lines in buckets for head in lines)
        pieces: list[str] = []
        for head in heads:
            pieces.append(head)
            pieces.extend(lines[head] for lines in buckets if head in lines)
        own = self._encode(self._registry)  # ends with the format's end mark
        return "".join(pieces).encode() + own

    def _buckets(self) -> list[Lines]:
        """Return the lines of every bucket, rendering those whose entry was replaced."""
        with self._lock:
            before, self._rendered = self._rendered, {}
            for entry in self._collector.board.entries():
                key = (entry.target, entry.bucket)
                known = before.get(key)
                rendered = known if known and known[0] is entry else (entry, self._lines(entry))
                self._rendered[key] = rendered
            return [lines for _, lines in self._rendered.values()]

    def _lines(self, entry: Entry) -> Lines:
        text = self._encode(_Families(self._collector.families([entry]))).decode().removesuffix(self._end)
        return dict(_split(block) for block in _BLOCK.split(text) if block)


class _Families:
    """A collector of families made already."""

    def __init__(self, families: Iterator[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families


def _split(block: str) -> tuple[str, str]:
    """Return a family's head (the lines that begin with #) and its samples."""
    end_of_head = block.index("\n", block.index("\n") + 1) + 1
    return block[:end_of_head], block[end_of_head:]


def gzip(body: bytes) -> bytes:
    """Return `body` compressed, fast rather than small: an exposition repeats itself anyway."""
    compressor = zlib.compressobj(level=1, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()


def pick(accept: str, text: Exposition, openmetrics: Exposition) -> Exposition:
    """Return the format that an Accept header asks for."""
    types: Sequence[str] = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return openmetrics if "application/openmetrics-text" in types else text
