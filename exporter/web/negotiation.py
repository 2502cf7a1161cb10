"""Content negotiation: Accept headers in, format and encoding out."""

from __future__ import annotations

from typing import NamedTuple

from exporter.metrics.exposition import CONTENT_TYPE_OPENMETRICS, CONTENT_TYPE_TEXT, CONTENT_TYPE_TEXT_1

_OPENMETRICS, _TEXT = "application/openmetrics-text", "text/plain"
_NAMES_UNCHANGED = ("underscores", "allow-utf-8", "values")
"""Escaping schemes that leave the names of our metrics and labels as they are; the first is the default."""


class MediaRange(NamedTuple):
    """One item of an Accept header: its name, its quality from 0 to 1, and its other parameters."""

    name: str
    quality: float
    parameters: dict[str, str]


class MetricsFormat(NamedTuple):
    """The format in which metrics are sent, with the Content-Type that says so."""

    openmetrics: bool
    content_type: str


def metrics_format(accept: str) -> MetricsFormat:
    """Return OpenMetrics where an Accept header gives it at least the quality of plain text.

    From version 1.0.0 on both formats have to name the escaping of their names: the one that the header asks
    for, or `underscores`.
    """
    ranges = _media_ranges(accept)
    if _wants_openmetrics(ranges):
        return MetricsFormat(openmetrics=True, content_type=_escaped(CONTENT_TYPE_OPENMETRICS, ranges))
    plain = max((each for each in ranges if each.name == _TEXT), key=lambda each: each.quality, default=None)
    if plain and plain.quality > 0 and plain.parameters.get("version") == "1.0.0":
        return MetricsFormat(openmetrics=False, content_type=_escaped(CONTENT_TYPE_TEXT_1, ranges))
    return MetricsFormat(openmetrics=False, content_type=CONTENT_TYPE_TEXT)


def wants_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    qualities = _qualities(_media_ranges(accept_encoding))
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _wants_openmetrics(ranges: list[MediaRange]) -> bool:
    qualities = _qualities(ranges)
    plain = next((qualities[name] for name in (_TEXT, "text/*", "*/*") if name in qualities), 0.0)
    return qualities.get(_OPENMETRICS, 0.0) > 0 and qualities[_OPENMETRICS] >= plain


def _escaped(content_type: str, ranges: list[MediaRange]) -> str:
    """Return the Content-Type with the escaping that the best range of its name and version asks for."""
    name, version = content_type.split(";", maxsplit=1)[0], "1.0.0"
    asked = [each for each in ranges if each.name == name and each.parameters.get("version") == version]
    best = max(asked, key=lambda each: each.quality, default=None)
    escaping = best.parameters.get("escaping") if best else None
    return f"{content_type}; escaping={escaping if escaping in _NAMES_UNCHANGED else _NAMES_UNCHANGED[0]}"


def _qualities(ranges: list[MediaRange]) -> dict[str, float]:
    """Return the highest quality of each name."""
    qualities: dict[str, float] = {}
    for name, quality, _ in ranges:
        qualities[name] = max(qualities.get(name, 0.0), quality)
    return qualities


def _media_ranges(header: str) -> list[MediaRange]:
    """Return what a header lists; the quality is 1 where none is given, 0 if unreadable."""
    ranges: list[MediaRange] = []
    for item in header.lower().split(","):
        name, *rest = (text.strip() for text in item.split(";"))
        parameters = {
            key.strip(): value.strip(' "') for key, _, value in (text.partition("=") for text in rest)
        }
        ranges.append(MediaRange(name, _number(parameters.pop("q", "1")), parameters))
    return ranges


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
