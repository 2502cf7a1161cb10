"""Numbers as pages write them: sizes, part numbers and the markers that are one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.uploads import MAX_NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.stores.base import Marker

_MAX_DIGITS = len(str(MAX_NUMBER))
_CERTAIN_DIGITS = _MAX_DIGITS - 1
"""A number of so many digits is never above MAX_NUMBER."""
_FIRST = list(map(str, range(1, 1001)))
"""How the numbers of nearly all pages of parts are written: without gaps, from the first on."""
_FEW = 20
"""Up to so many texts, reading each is fastest."""


def integers(texts: Sequence[str]) -> list[int | None]:
    """Read whole numbers; None for what is none, or above MAX_NUMBER."""
    if texts == _FIRST[: len(texts)]:
        return list(range(1, len(texts) + 1))
    if len(texts) <= _FEW:
        return [
            int(text) if text.isdigit() and text.isascii() and len(text) <= _CERTAIN_DIGITS else integer(text)
            for text in texts
        ]
    distinct = set(texts)
    if len(distinct) <= len(texts) // 2:  # as sizes of parts are, nearly all alike
        known = {text: integer(text) for text in distinct}
        return list(map(known.__getitem__, texts))
    together = "".join(texts)
    if together.isascii() and together.isdigit() and all(texts) and max(map(len, texts)) <= _CERTAIN_DIGITS:
        return list(map(int, texts))
    return [integer(text) for text in texts]


def integer(text: str) -> int | None:
    """Read a whole number up to MAX_NUMBER, None for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    number = int(text)
    return number if number <= MAX_NUMBER else None


def part_marker(text: str) -> Marker | None:
    """Return a marker as given; some servers say 0, or nothing, where they mean no marker."""
    return (text.strip(),) if integer(text) else None
