"""How a body begins: blank lines, byte order marks, and UTF-16, which is read as if it were UTF-8."""

from __future__ import annotations

import re

# what some servers send before a document, though XML does not allow it: blank lines, a mark behind them
_BLANK_HEAD = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)+(?=<)")
# the same before UTF-16, in bytes of its own or of ASCII; four bytes a character are UTF-32
_UTF_16_LE = re.compile(rb"[ \t\r\n]*?(?:\xff\xfe|[ \t\r\n]\0)*+(?=<\0(?!\0\0))")
_UTF_16_BE = re.compile(rb"(?:[ \t\r\n]*+\xfe\xff)?(?:\xfe\xff|\0[ \t\r\n])*+(?=\0<)")
# UTF-16 is declared by some who write UTF-8
_DECLARES_OTHER = re.compile(
    rb"<\?xml\s[^>]{0,200}?\sencoding\s*=\s*[\"'](?!(?i:utf-?8|utf-?16|us-ascii)[\"'])", re.ASCII
)


def document_in(body: bytes) -> tuple[bytes, bool]:
    """Return the document in a body, without blank lines and marks before it.

    True says that it is in UTF-8 whatever it declares, as it came in UTF-16. Raises ValueError where UTF-16
    is damaged.
    """
    for head, encoding in ((_UTF_16_LE, "utf-16-le"), (_UTF_16_BE, "utf-16-be")):
        if found := head.match(body):
            return body[found.end() :].decode(encoding).encode(), True
    blank = _BLANK_HEAD.match(body)
    return (body[blank.end() :] if blank else body), False


def may_be_utf_8(document: bytes) -> bool:
    """Whether a document declares no other encoding, or is UTF-8 all the same."""
    if not _DECLARES_OTHER.match(document):
        return True
    try:
        document.decode()
    except UnicodeDecodeError:
        return False
    return True
