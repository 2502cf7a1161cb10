"""Texts of flags in, values out; each raises argparse.ArgumentTypeError where it cannot be one."""

from __future__ import annotations

import argparse
import re

from exporter.config.durations import parse_duration

TYPE_CHECKING = False  # as in main.py
if TYPE_CHECKING:
    from pathlib import Path

    from exporter.web.hosts import Host

_SIZE = r"(\d{1,18}(?:\.\d{1,6})?) ?([kmgtp]i?b?|b)?"
_POWERS = " kmgtp"
_PATH = r"/[A-Za-z0-9._~/-]+"


def file_name(text: str) -> Path:
    """Return the path that a flag names."""
    from pathlib import Path  # noqa: PLC0415 - --help does without

    return Path(text)


def no_standard_input(text: str) -> Path:
    """Return the path of a file that is not standard input."""
    if text == "-":
        raise argparse.ArgumentTypeError("must be a file: standard input is for --config.file")
    return file_name(text)


def duration(text: str) -> float:
    """Return the seconds of `90s`, `1h30m`, `7d`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def size(text: str) -> int:
    """Return the bytes of `1GiB`, `500MB`, `1k` or `1000`; k, M, … without an i are thousands."""
    found = re.fullmatch(_SIZE, text.strip(), re.IGNORECASE)
    if not found:
        raise argparse.ArgumentTypeError("must be a size such as 1GiB, 500MB or 1000")
    from decimal import Decimal  # noqa: PLC0415 - --help does without

    unit = (found[2] or "").lower()
    base = 1024 if "i" in unit else 1000
    return int(Decimal(found[1]) * base ** max(0, _POWERS.find(unit[:1] or " ")))


def limit(text: str) -> int:
    """Return a maximum number, 0 for none."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("must be a whole number, 0 for all")
    return int(text)


def whole_number(text: str) -> int:
    """Return a number of at most nine digits."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)


def path(text: str) -> str:
    """Return the path of a URL that no other page has."""
    if not re.fullmatch(_PATH, text) or text.startswith("/-/"):
        raise argparse.ArgumentTypeError("has to be / and then letters, digits or any of ._~/- but not /-/")
    return text


def allowed_hosts(text: str) -> list[Host]:
    """Return the hosts of a list that is separated by commas."""
    from exporter.web.hosts import parse_allowed_host  # noqa: PLC0415 - --help does without

    try:
        return [parse_allowed_host(each.strip()) for each in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
