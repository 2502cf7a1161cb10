"""Numbers, sizes, spans and moments as people read them; a dash stands for what is not known."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "–"  # noqa: RUF001 - a dash for people
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPANS = (("d", 86400), ("h", 3600), ("m", 60))


def human_count(number: int | None) -> str:
    """Return a whole number with its thousands apart: `1,234`."""
    return NOTHING if number is None else f"{number:,}"


def human_bytes(size: int | None) -> str:
    """Return a size in binary units: `1.5 GiB`."""
    if size is None:
        return NOTHING
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - a KiB
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} B"


def human_seconds(seconds: float | None) -> str:
    """Return a span in its two largest units: `12d 3h`, `5m 20s`, `4.2s`."""
    if seconds is None:
        return NOTHING
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f}s"
    rest = int(seconds)
    shown: list[str] = []
    for name, length in (*_SPANS, ("s", 1)):
        number, rest = divmod(rest, length)
        if number or shown:
            shown.append(f"{number}{name}")
    return " ".join(shown[:2])


def moment(seconds: float | None) -> str:
    """Return a moment in UTC: `2026-01-31 12:00:00`."""
    if seconds is None:
        return NOTHING
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
