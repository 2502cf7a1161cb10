"""Reads the dates that stores write, and tells which of them can be believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

EARLIEST = datetime(2006, 1, 1, tzinfo=UTC).timestamp()
"""No store is older: Amazon S3 opened in March 2006."""
TOLERANCE_SECONDS = 15 * 60
"""How far past the store's own clock a date may lie."""
CENTURY_SECONDS = 36525 * 86400
"""No rule is believed that waits for longer."""

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?"
)
_OTHER_FORMATS = ("%Y/%m/%d %H:%M:%S", "%a %b %d %H:%M:%S %Y")
_LONGEST = 64
_USUAL = "0000-00-00T00:00:00.000Z"
_TO_ZEROS = str.maketrans("123456789", "000000000")


def read(text: str | None) -> float | None:
    """Return the Unix seconds that `text` says, None where it is no date.

    Takes ISO 8601 with up to nine fraction digits and any offset, RFC 1123, asctime and the OBS SDK's
    `YYYY/MM/DD HH:MM:SS`; without a zone the time is UTC.
    """
    text = (text or "").strip()
    if not text or len(text) > _LONGEST:
        return None
    try:
        return _moment(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def read_believable(text: str | None, store_now: float) -> float | None:
    """Return what `read` does, but None for a date before 2006 or past the store's clock by 15 minutes."""
    seconds = read(text)
    if seconds is None or not EARLIEST <= seconds <= store_now + TOLERANCE_SECONDS:
        return None
    return seconds


def read_coming(text: str | None, store_now: float) -> float | None:
    """Return what `read` does, but None for a date before 2006 or a century past the store's clock."""
    seconds = read(text)
    return seconds if seconds is not None and EARLIEST <= seconds <= store_now + CENTURY_SECONDS else None


def read_column(texts: Sequence[str], store_now: float) -> list[float | None]:
    """Return what `read_believable` does for each text; faster where all are as Amazon S3 writes them."""
    if texts and "".join(texts).translate(_TO_ZEROS) == _USUAL * len(texts):
        try:
            moments = list(map(datetime.timestamp, map(datetime.fromisoformat, texts)))
        except ValueError:  # no date, or texts that only together look like dates
            moments = [0.0]
        if min(moments) >= EARLIEST and max(moments) <= store_now + TOLERANCE_SECONDS:
            return cast("list[float | None]", moments)
    return [read_believable(text, store_now) for text in texts]


def _moment(text: str) -> float:
    if match := _ISO.fullmatch(text):
        return _iso(match)
    for form in _OTHER_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(match: re.Match[str]) -> float:
    zone = (match["zone"] or "Z").upper().replace("Z", "+00:00")
    whole = datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}").timestamp()
    return whole + (float(f"0.{match['fraction']}") if match["fraction"] else 0.0)
