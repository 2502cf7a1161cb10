"""What memory documents take while they are read: estimated before they are parsed, and waited for.

Elements that no store sends are what makes a small document large: libxml2 takes a hundred bytes for `<a/>`.
"""

from __future__ import annotations

import re
import time
from collections import Counter

from exporter.stores.transport.memory import MIB, READING, Lease

MAX_COST = READING.total
"""A document that would take more is refused: 60,000 elements with a text each take a fifth of it."""
MAX_KINDS_OF_TAGS = 2000
"""A large document with more different start tags is refused; an answer of a store has some thirty."""
MAX_WAIT_SECONDS = 60.0
"""Reading goes on after that, whatever others hold: so that nobody waits for ever."""
_LOOK_SECONDS = 0.005
_SMALL_BYTES = 8 * 1024
_COUNTED_BYTES = 256 * 1024
_PER_BYTE = 40
"""The most that a document takes for a byte of its own: for attributes without a value."""
_PER_ELEMENT = 120
_PER_TEXT = 80
_PER_ELEMENT_AT_MOST = 400
"""With a text, and a name that no other has."""
_NOT_COUNTED_COST = 8 * MIB
"""Documents that take less for certain are not looked at closer; a page of 1,000 uploads takes half of it."""
_PER_ATTRIBUTE = 220
# attributes may hold `>`, and nothing but CDATA and comments may hold `<`: so every start tag matches
_START_TAG = re.compile(rb"<([A-Za-z_:\x80-\xff](?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+)>")
_SHARE = READING.share()


class TooLargeError(Exception):
    """A document is made of more than any answer of a store."""


def document_cost(body: bytes, *, is_utf_8: bool) -> int:
    """Return the bytes that the tree of a document takes at most. Raises TooLargeError."""
    if len(body) <= _COUNTED_BYTES or not is_utf_8:
        cost = len(body) * _PER_BYTE
    else:
        elements = body.count(b"<") - body.count(b"</")
        at_most = 2 * len(body) + elements * _PER_ELEMENT_AT_MOST + body.count(b"=") * _PER_ATTRIBUTE
        if at_most <= _NOT_COUNTED_COST:
            return at_most
        if elements * _PER_ELEMENT > MAX_COST:
            raise TooLargeError
        kinds = Counter(_START_TAG.findall(body))
        if len(kinds) > MAX_KINDS_OF_TAGS:
            raise TooLargeError
        attributes = sum(number * kind.count(b"=") for kind, number in kinds.items() if b"=" in kind)
        cost = 2 * len(body) + kinds.total() * (_PER_ELEMENT + _PER_TEXT) + attributes * _PER_ATTRIBUTE
    if cost > MAX_COST:
        raise TooLargeError
    return cost


def memory_for(cost: int) -> Lease | None:
    """Wait until so many bytes may be taken; returns what holds them, None where they are few."""
    if cost <= _SMALL_BYTES * _PER_BYTE:
        return None
    lease, end = _SHARE.lease(), time.monotonic() + MAX_WAIT_SECONDS
    while not lease.grow(cost) and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    return lease


def text_cost(body: bytes) -> int:
    """Return the bytes that a page takes which is read as a text."""
    return 8 * len(body) if len(body) > MIB // 2 else 0
