"""Content negotiation: Accept headers in, format and encoding out."""

from __future__ import annotations


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header gives OpenMetrics at least the quality of plain text."""
    qualities = _qualities(accept)
    plain = next((qualities[name] for name in ("text/plain", "text/*", "*/*") if name in qualities), 0.0)
    return qualities.get("application/openmetrics-text", 0.0) > 0 and (
        qualities["application/openmetrics-text"] >= plain
    )


def wants_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    qualities = _qualities(accept_encoding)
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _qualities(header: str) -> dict[str, float]:
    """Return the highest quality of each name in a header: 1 where none is given, 0 if unreadable."""
    qualities: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = (text.strip() for text in item.split(";"))
        quality = next((text.partition("=")[2] for text in parameters if text.startswith("q=")), "1")
        qualities[name] = max(qualities.get(name, 0.0), _number(quality))
    return qualities


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
