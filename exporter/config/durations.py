"""Durations as they are written in the config: `90s`, `5m`, `1h30m`, `7d`."""

from __future__ import annotations

import re

PATTERN = "^([0-9]{1,9}[smhdw])+$"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MAX_DAYS = 36500


def parse_duration(value: object) -> float:
    """Return the seconds of a duration text. Raises ValueError with what to write instead."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("a duration needs a unit: write 90s, 5m, 1h30m or 7d, not a bare number")  # noqa: TRY004 - a fault of the file
    if not isinstance(value, str) or not re.fullmatch(PATTERN, value):
        raise ValueError(
            "must be a duration such as 90s, 5m, 1h30m or 7d (whole numbers; units s, m, h, d, w)"
        )
    counts = re.findall("([0-9]+)([smhdw])", value)
    if len({unit for _, unit in counts}) < len(counts):
        raise ValueError("names a unit twice: write it as one number, 2h rather than 1h1h")
    seconds = sum(int(count) * _UNITS[unit] for count, unit in counts)
    if seconds > _MAX_DAYS * _UNITS["d"]:
        raise ValueError(f"must be at most {_MAX_DAYS}d")
    return float(seconds)


def duration_text(seconds: float) -> str:
    """Return whole seconds as the config has them, in the largest units from days down: `1d12h`."""
    text, rest = "", int(seconds)
    for unit in "dhms":
        count, rest = divmod(rest, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_positive_duration(value: object) -> float:
    """Return the seconds of a duration text. Raises ValueError, for zero too."""
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("must be at least 1s")
    return seconds
