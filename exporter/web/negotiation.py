"""What a client would rather have: Accept headers in, a choice out."""

from __future__ import annotations


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header likes OpenMetrics at least as well as plain text."""
    weights = _weights(accept)
    plain = next((weights[name] for name in ("text/plain", "text/*", "*/*") if name in weights), 0.0)
    return weights.get("application/openmetrics-text", 0.0) > 0 and (
        weights["application/openmetrics-text"] >= plain
    )


def wants_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weights(header: str) -> dict[str, float]:
    """Return the best quality of each thing a header names, 1 where it states none, 0 an unreadable one."""
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = (text.strip() for text in item.split(";"))
        quality = next((text.partition("=")[2] for text in parameters if text.startswith("q=")), "1")
        weights[name] = max(weights.get(name, 0.0), _number(quality))
    return weights


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
