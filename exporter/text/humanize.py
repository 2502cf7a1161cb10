"""Counts, sizes, durations and times as text for people; a dash stands for an unknown value."""

from __future__ import annotations

from datetime import UTC, datetime

DASH = "–"  # noqa: RUF001 - a dash for people
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DURATION_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def human_count(number: int | None) -> str:
    """Return a whole number with separators of thousands: `1,234`."""
    return DASH if number is None else f"{number:,}"


def human_bytes(size: int | None) -> str:
    """Return a size in binary units: `1.5 GiB`."""
    if size is None:
        return DASH
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - a KiB
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} B"


def human_seconds(seconds: float | None) -> str:
    """Return a duration in its two largest units: `12d 3h`, `5m 20s`, `4.2s`."""
    if seconds is None:
        return DASH
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f}s"
    rest = int(seconds)
    shown: list[str] = []
    for name, length in (*_DURATION_UNITS, ("s", 1)):
        number, rest = divmod(rest, length)
        if number or shown:
            shown.append(f"{number}{name}")
    return " ".join(shown[:2])


def human_age(seconds: float | None, *, at_least: bool = False) -> str:
    """Return a duration, marked where it is the least that it may be: `≥ 12d 3h`."""
    return f"≥ {human_seconds(seconds)}" if at_least and seconds is not None else human_seconds(seconds)


def utc_text(seconds: float | None) -> str:
    """Return a time, given in seconds since 1970, in UTC: `2026-01-31 12:00:00`."""
    if seconds is None:
        return DASH
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
