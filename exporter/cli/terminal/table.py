"""Rows as an aligned table that fits a terminal: long names are cut in the middle, nothing wraps."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from exporter.cli.columns import count_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = "  "
_ELLIPSIS = "…"
_MIN_CUT_WIDTH = 12
"""Names are not cut below this width."""
_MAX_CUT_WIDTH = 80
"""Width of names where no terminal sets a limit; the other formats have them in full."""
_MAX_PAD_WIDTH = 200
"""Other cells are padded to no more than this: a single long one would else be paid for in every row."""


class Column(NamedTuple):
    """A column: title, right alignment, whether its cells may be cut, and whether it may be left out.

    Where the table is too wide, the last column with `spare` is left out first.
    """

    title: str
    right: bool = False
    cut: bool = False
    spare: bool = False


def terminal_width() -> int | None:
    """Return the width of the terminal in characters; None where standard output is none."""
    return count_columns() if sys.stdout and sys.stdout.isatty() else None


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return head and rows, a line each, no wider than `width`.

    A row with fewer cells than there are columns ends with one that spans the rest. Cells are one line each.
    """
    shown = list(range(len(columns)))
    while width is not None and _least(columns, rows, shown) > width:
        spare = [number for number in shown if columns[number].spare]
        if not spare:
            break
        shown.remove(spare[-1])
    titles = [column.title for column in columns]
    widths = _widths(columns, [titles, *rows], shown, width)
    lines = (_line(row, columns, shown, widths) for row in (titles, *rows))
    return "\n".join(line if width is None else cut(line, width, at_end=True) for line in lines)


def cells(text: str) -> int:
    """Return the width of a text in terminal cells."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def cut(text: str, width: int, *, at_end: bool = False) -> str:
    """Return the text within `width` terminal cells, an ellipsis in its middle (or at its end) where cut."""
    if cells(text) <= width:
        return text
    room = max(0, width - 1)
    last = 0 if at_end else room // 2
    tail = _fitting(text[::-1], last)[::-1]
    return _fitting(text, room - last) + _ELLIPSIS + tail


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _fitting(text: str, room: int) -> str:
    """Return as much of the text's beginning as fits."""
    for number, char in enumerate(text):
        room -= _cells(char)
        if room < 0:
            return text[:number]
    return text


def _least(columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    widths = _widths(columns, [[column.title for column in columns], *rows], shown, 0)
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _widths(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], shown: Sequence[int], width: int | None
) -> dict[int, int]:
    """Return each shown column's width; what may be cut gives way, the widest first."""
    widths = {number: max(_own_cells(row, number, len(columns)) for row in rows) for number in shown}
    if width is None:
        bounds = {number: _MAX_CUT_WIDTH if columns[number].cut else _MAX_PAD_WIDTH for number in shown}
        return {number: min(own, bounds[number]) for number, own in widths.items()}
    excess = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        wide = [number for number in shown if columns[number].cut and widths[number] > _MIN_CUT_WIDTH]
        if not wide:
            break
        widest = max(wide, key=lambda number: widths[number])
        others = [widths[number] for number in wide if widths[number] < widths[widest]]
        step = min(excess, widths[widest] - max([*others, _MIN_CUT_WIDTH]) or 1)
        widths[widest] -= step
        excess -= step
    return widths


def _own_cells(row: Sequence[str], number: int, columns: int) -> int:
    """Return the width of a cell; 0 for one that spans the rest of its row."""
    spans = len(row) < columns and number >= len(row) - 1
    return 0 if spans else cells(row[number])


def _line(row: Sequence[str], columns: Sequence[Column], shown: Sequence[int], widths: dict[int, int]) -> str:
    return _GAP.join(_filled(row, columns, shown, widths)).rstrip()


def _filled(
    row: Sequence[str], columns: Sequence[Column], shown: Sequence[int], widths: dict[int, int]
) -> Iterator[str]:
    last = len(row) - 1 if len(row) < len(columns) else len(columns)
    for number in shown:
        if number >= last:
            yield row[last]
            return
        cell = cut(row[number], widths[number]) if columns[number].cut else row[number]
        space = " " * (widths[number] - cells(cell))
        yield space + cell if columns[number].right else cell + space
