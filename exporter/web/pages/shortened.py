"""Long names, keys and ids for one line: the browser leaves out the middle where there is no room for it.

The whole text stands in the page, so that it is found, selected and copied as a whole. The style cuts the
head, never the tail, which has a fixed number of columns.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from exporter.text.quoting import one_line

_TAIL_COLUMNS = 12
"""Columns of the tail; the style leaves room for as many."""
_SHORT_COLUMNS = 18
"""Texts up to this width have room anywhere."""


class Shortened(NamedTuple):
    """A text on one line in two parts; `tail` is '' where it is short."""

    head: str
    tail: str = ""

    @property
    def whole(self) -> str:
        """Both parts."""
        return self.head + self.tail


def shortened(text: str) -> Shortened:
    """Return a text for one line, with what nobody could see in it made visible."""
    shown = one_line(text)
    if len(shown) <= _SHORT_COLUMNS and sum(map(_columns, shown)) <= _SHORT_COLUMNS:
        return Shortened(shown)
    start, left = len(shown), _TAIL_COLUMNS
    while start and (left := left - _columns(shown[start - 1])) >= 0:
        start -= 1
    return Shortened(shown[:start], shown[start:])


def _columns(char: str) -> int:
    """Return how many columns of a fixed-width font a character takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
