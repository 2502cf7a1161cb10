"""Parses the timestamps that stores write; implausible ones are None."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

EARLIEST = datetime(2006, 1, 1, tzinfo=UTC).timestamp()
"""Unix seconds before which no store existed: Amazon S3 opened in March 2006."""
MAX_SKEW_SECONDS = 15 * 60
"""Maximum time that a past timestamp may lie ahead of the store's own clock."""
CENTURY_SECONDS = 36525 * 86400
"""Maximum time that a future timestamp may lie ahead."""

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?"
)
_DAY, _MONTH = r"[A-Za-z]{3,9}", "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE, _TIME = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:[01]?\d|2[0-3]):[0-5]?\d:(?:[0-5]?\d|60)"
# what has another form is not parsed: to find out that it is no date takes the parsers long
_OTHER_FORMATS = {
    "%Y/%m/%d %H:%M:%S": re.compile(rf"\d{{4}}/(?:0?[1-9]|1[012])/{_DATE}\s+{_TIME}", re.ASCII),
    "%a %b %d %H:%M:%S %Y": re.compile(rf"{_DAY}\s+{_MONTH}\s+{_DATE}\s+{_TIME}\s+\d{{4}}", re.ASCII),
}
_HTTP = re.compile(
    rf"(?:{_DAY},?\s*+)?{_DATE}[\s-]+{_MONTH}[\s-]+\d{{2,4}}\s+{_TIME}(?:\s*+[-+(A-Za-z][^<>]{{0,20}})?",
    re.ASCII,
)
_MAX_LENGTH = 64
_AMAZON_FORMAT = "0000-00-00T00:00:00.000Z"
_FEW = 20
_DIGITS_TO_ZERO = str.maketrans("123456789", "000000000")


def parse(text: str | None) -> float | None:
    """Return the Unix seconds of a timestamp, None where `text` is none.

    Takes ISO 8601 with up to nine fraction digits and any offset, RFC 1123, asctime and the OBS SDK's
    `YYYY/MM/DD HH:MM:SS`; without a zone the time is UTC.
    """
    text = (text or "").strip()
    if not text or len(text) > _MAX_LENGTH:
        return None
    try:
        return _moment(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def parse_past(text: str | None, store_now: float) -> float | None:
    """Parse a moment that has been: None if before 2006, or ahead of the store's clock by over 15 minutes."""
    seconds = parse(text)
    if seconds is None or not EARLIEST <= seconds <= store_now + MAX_SKEW_SECONDS:
        return None
    return seconds


def parse_future(text: str | None, store_now: float) -> float | None:
    """Parse a moment that may be to come: None if before 2006 or over a century ahead."""
    seconds = parse(text)
    return seconds if seconds is not None and EARLIEST <= seconds <= store_now + CENTURY_SECONDS else None


def parse_past_column(texts: Sequence[str], store_now: float) -> list[float | None]:
    """Parse each text as `parse_past` does; faster where all are as Amazon S3 writes them, or many equal."""
    distinct = list(set(texts)) if len(texts) > _FEW else []
    if distinct and len(distinct) <= len(texts) // 2:
        known = dict(zip(distinct, parse_past_column(distinct, store_now), strict=True))
        return list(map(known.__getitem__, texts))
    if texts and "".join(texts).translate(_DIGITS_TO_ZERO) == _AMAZON_FORMAT * len(texts):
        try:
            moments: list[Any] = list(map(datetime.timestamp, map(datetime.fromisoformat, texts)))
        except ValueError:  # no timestamp, or texts that look like timestamps only when joined
            moments = [0.0]
        if min(moments) >= EARLIEST and max(moments) <= store_now + MAX_SKEW_SECONDS:
            return moments
    return [parse_past(text, store_now) for text in texts]


def _moment(text: str) -> float:
    if match := _ISO.fullmatch(text):
        return _iso(match)
    for form, pattern in _OTHER_FORMATS.items():
        if pattern.fullmatch(text):
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    if not _HTTP.fullmatch(text):
        raise ValueError
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(match: re.Match[str]) -> float:
    zone = (match["zone"] or "Z").upper().replace("Z", "+00:00")
    whole = datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}").timestamp()
    return whole + (float(f"0.{match['fraction']}") if match["fraction"] else 0.0)
