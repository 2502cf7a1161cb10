"""The text of /metrics: each bucket's lines rendered once per change, joined at every scrape."""

from __future__ import annotations

import threading
import zlib
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from prometheus_client import Metric
from prometheus_client.exposition import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CONTENT_TYPE_PLAIN_1_0_0,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.samples import Sample

    from exporter.metrics.buckets import BoardCollector
    from exporter.state.board import Entry

CONTENT_TYPE_TEXT = CONTENT_TYPE_PLAIN_0_0_4
CONTENT_TYPE_TEXT_1 = CONTENT_TYPE_PLAIN_1_0_0
"""Of the same text: the versions differ in names that are not ours."""
CONTENT_TYPE_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_EOF = b"# EOF\n"
_GZIP = 16 + zlib.MAX_WBITS

BucketLines = list[bytes]
"""The sample lines of one bucket, one item for each header (HELP and TYPE), in the order of the headers."""


class Exposition:
    """Renders the board and the exporter's own registry in one of the two formats."""

    def __init__(
        self, collector: BoardCollector, registry: CollectorRegistry, *, openmetrics: bool = False
    ) -> None:
        """Make a renderer."""
        self._collector = collector
        self._registry = registry
        self._openmetrics = openmetrics
        self._encode: Callable[[Any], bytes] = generate_openmetrics if openmetrics else generate_latest
        self._lock = threading.Lock()
        self._headers: dict[str, bytes] = {}
        self._rendered: dict[tuple[str, str], tuple[Entry, BucketLines]] = {}

    def render(self) -> bytes:
        """Return the whole exposition as UTF-8."""
        with self._lock:
            buckets = self._lines_of_buckets()
            headers = list(self._headers.values())
        pieces: list[bytes] = []
        for header, lines in zip(headers, zip_longest(*buckets, fillvalue=b""), strict=False):
            if any(lines):
                pieces += (header, *lines)
        pieces.append(self._encode(self._registry))  # ends with the format's end mark
        return b"".join(pieces)

    def _lines_of_buckets(self) -> list[BucketLines]:
        """Return the lines of every bucket; only a bucket whose entry was replaced is rendered."""
        before, self._rendered = self._rendered, {}
        for entry in self._collector.board.entries():
            key = (entry.target, entry.bucket)
            known = before.get(key)
            rendered = known if known and known[0] is entry else (entry, self._lines(entry))
            self._rendered[key] = rendered
        return [lines for _, lines in self._rendered.values()]

    def _lines(self, entry: Entry) -> BucketLines:
        texts: dict[str, str] = {}
        for family in self._collector.families([entry]):
            for sample in family.samples:
                name = self._header(family, sample.name)
                texts[name] = texts.get(name, "") + _line(sample)
        return [texts.get(name, "").encode() for name in self._headers]

    def _header(self, family: Metric, sample: str) -> str:
        """Return the name of the header that a sample belongs under; a new header is rendered."""
        # text 0.0.4 has no gauge histogram: its count and sum are gauges of their own
        is_gauge = (
            family.type == "gaugehistogram" and not self._openmetrics and not sample.endswith("_bucket")
        )
        name, kind = (sample, "gauge") if is_gauge else (family.name, family.type)
        if name not in self._headers:
            empty = _Collector([Metric(name, family.documentation, kind)])
            self._headers[name] = self._encode(empty).removesuffix(_EOF)
        return name


class _Collector:
    """A collector of given families, for the library's encoders."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _line(sample: Sample) -> str:
    """Return a sample as both formats write it; the library's encoders take four times as long."""
    labels = ",".join([f'{name}="{_escaped(value)}"' for name, value in sorted(sample.labels.items())])
    return f"{sample.name}{{{labels}}} {floatToGoString(sample.value)}\n"  # type: ignore[no-untyped-call]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def gzip(body: bytes) -> bytes:
    """Return `body` compressed at the fastest level: an exposition repeats itself and shrinks anyway."""
    compressor = zlib.compressobj(level=1, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()
