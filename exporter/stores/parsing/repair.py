"""Keeps the characters of keys, markers, prefixes and names that an XML document cannot hold.

Keys may hold any character. Servers write those that XML 1.0 forbids all the same, raw or as references, and
a raw carriage return, which a parser has to read as a line feed. In other fields such characters are damage:
an id, a date or a number that has one is torn, and its page is not believed.
"""

from __future__ import annotations

import re

MAX_REPAIRS = 4_000_000
"""Four times what a page of 1,000 keys of control characters only needs; 64 MiB of zeros exceed it."""
NAMES = frozenset(
    {
        *("Key", "KeyMarker", "NextKeyMarker", "Prefix", "ListMultipartUploadsResult.Prefix"),
        "MatchesPrefix",
        *("UploadIdMarker", "NextUploadIdMarker", "ContinuationToken", "NextMarker"),
        *("Bucket", "Name", "ID", "DisplayName", "Code", "Message"),
    }
)
"""The fields in which the repair is undone: keys, markers, prefixes, names, and texts for people."""
CLASSES = frozenset({"StorageClass"})
"""The fields of which any text will do, as it stands for one that is not known: it need only be storable."""

_ESCAPE = "\ue000"
_FORBIDDEN_RAW = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_FORBIDDEN = re.compile(
    "&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));"  # a reference; forbidden if its character is
    f"|([{_ESCAPE}{_FORBIDDEN_RAW}])"
)
_DAMAGED = re.compile(f"[{_FORBIDDEN_RAW}]")
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{6}})")
_LAST_CODE_POINT = 0x10FFFF
_KEY_NAMES = rb"(?:[A-Za-z_][\w.-]*+:)?+(?:ListMultipartUploadsResult\.Prefix|Prefix|(?:Next)?KeyMarker|Key)"
# A carriage return that is not between two tags; it may be if it is in a key, or in a CDATA section.
_IN_A_TEXT = re.compile(rb"\r(?![ \t\r\n]{0,64}+<(?![!?]|/" + _KEY_NAMES + rb"[\s>]))")
# An element that holds a key: its start tag, and what comes before the next tag. What has no end ends with
# the body and nothing is tried twice, so that the time is linear in the size.
_KEYS = re.compile(
    rb"<" + _KEY_NAMES + rb"(?:\s[^<>]*+)?+>"
    rb"((?:[^<]++|<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z))*+)",
    re.DOTALL,
)
_SECTIONS = re.compile(rb"(<!\[CDATA\[.*?(?:\]\]>|\Z))|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|\r", re.DOTALL)


class TooManyRepairsError(Exception):
    """The document has more to repair than any page."""


def escape_forbidden(text: str) -> str:
    """Replace the characters that XML 1.0 forbids reversibly; see `restore_name`."""
    return _FORBIDDEN.sub(_escape, text, count=MAX_REPAIRS)


def restore_name(text: str) -> str:
    """Return the text of an escaped document as the store sent it."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def restore_class(text: str) -> str:
    """Return the text of a field with U+FFFD for each forbidden character: text that can be stored."""
    return _DAMAGED.sub("\ufffd", restore_name(text))


def restore_value(text: str) -> str | None:
    """Return the text of a field that has no forbidden characters, None where it has: it is torn."""
    restored = restore_name(text)
    return None if _DAMAGED.search(restored) else restored


def keep_carriage_returns(body: bytes) -> bytes:
    """Write the raw carriage returns in keys as references, which a parser does not turn into line feeds.

    Those between elements stay: there a document may have lines that end in CR and LF. Raises
    TooManyRepairsError.
    """
    if b"\r" not in body or not (_IN_A_TEXT.search(body) or b"<![CDATA[" in body):
        return body
    keys = [match.span(1) for match in _KEYS.finditer(body) if b"\r" in match[1]]
    if sum(body.count(b"\r", *span) for span in keys) > MAX_REPAIRS:
        raise TooManyRepairsError
    pieces: list[bytes] = []
    end = 0
    for start, next_end in keys:
        pieces += body[end:start], _SECTIONS.sub(_as_reference, body[start:next_end])
        end = next_end
    return b"".join([*pieces, body[end:]]) if keys else body


def _as_reference(match: re.Match[bytes]) -> bytes:
    if match[0] == b"\r":
        return b"&#13;"
    return match[0].replace(b"\r", b"]]>&#13;<![CDATA[") if match[1] else match[0]


def _escape(match: re.Match[str]) -> str:
    """Replace a character that XML 1.0 forbids, or the escape character, by the escape and six hex digits."""
    hexadecimal, decimal, raw = match.groups()
    point = ord(raw) if raw else int(hexadecimal or decimal, 16 if hexadecimal else 10)
    if point > _LAST_CODE_POINT or (not raw and _is_allowed(point)):
        return match.group()
    return f"{_ESCAPE}{point:06x}"


def _is_allowed(point: int) -> bool:
    return _FORBIDDEN.fullmatch(chr(point)) is None
