"""Pages of a known shape, read by patterns instead of a parser.

Why this is right: a page is read only if it is, from its first character to its last, markup that the
parser has proven, in the same order and each element at most once, with nothing but character data between a
start tag and its end tag (`page_text` says of which characters). XML leaves such a document one reading only,
so the parser would find the same texts. Whatever deviates in one character is left to the parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.stores.parsing.markup import beside_items
from exporter.stores.parsing.page_text import resolved

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.stores.parsing.fields import PageKind
    from exporter.stores.parsing.markup import Markup, Unit

# possessive: what is passed is never tried again, so that the time is linear in the size
_VALUE = "[^<]*+"
_OPTION = "(?:"
_ATTRIBUTE = re.compile(r'(?<=[ \t\n])(?!xmlns)([A-Za-z][\w-]*)=""', re.ASCII)
_ATTRIBUTE_VALUE = '[^"<&\t\n]*+'
_Pattern = tuple[str, list[str]]
"""A pattern, and what its groups are, in their order."""


class ShapedPage:
    """The fields of a page that was read by its shape; see `PageFields`."""

    __slots__ = ("_pieces", "_shape", "fields")
    is_repaired = False
    torn = ()

    def __init__(self, shape: PageShape, fields: dict[str, str | None], pieces: list[str]) -> None:
        """Take the fields below the root, and the texts of the items."""
        self._shape = shape
        self.fields = fields
        self._pieces = pieces

    @property
    def has_items(self) -> bool:
        """Whether it lists anything; where it does not, a parser has to prove it (`required`)."""
        return len(self._pieces) > 1

    def text(self, name: str) -> str:
        """Return the text of a field below the root."""
        return self.fields.get(name) or ""

    def all_texts(self, name: str) -> list[str]:
        """Return the text of the field of this name below the root, if there is one with a start tag."""
        text = self.fields.get(name)
        return [] if text is None else [text]

    def has_text_in(self, name: str, inner: str) -> bool:  # noqa: ARG002
        """Return false: a field of a shape that is read has text and no elements."""
        return False

    def columns(self, item: str, *names: str) -> list[list[str]]:  # noqa: ARG002 - there is one kind of item
        """Return for each name the texts of all items' fields, in the order of the items."""
        pieces, step, places = self._pieces, self._shape.step, self._shape.places
        return [
            pieces[places[name] :: step] if name in places else [""] * ((len(pieces) - 1) // step)
            for name in names
        ]

    def nested_column(self, item: str, outer: str, name: str) -> list[str]:
        """Return the texts of the field `name` within all items' field `outer`."""
        return self.columns(item, f"{outer}/{name}")[0]


class PageShape:
    """The markup of a page, apart from how many items it has. Safe to use from many threads.

    A page is split at its items. What is left is what comes before the first and behind the last, which have
    to match completely, and nothing between two.
    """

    def __init__(self, kind: PageKind, markup: Markup) -> None:
        """Make the patterns of this markup."""
        self.markup = markup
        (head, names), (tail, tail_names) = _around_items(kind, markup)
        self._names = (*names, *tail_names)
        self._start = _ATTRIBUTE.split(markup.before, maxsplit=1)[0]
        self._head, self._tail, self._without_items = map(re.compile, (head, tail, head + tail))
        self._constant_tail = markup.after if tail == re.escape(markup.after) else None
        self._item: re.Pattern[str] | None = None
        self.places: dict[str, int] = {}
        """Where the fields of the first item are in the pieces that a page is split into."""
        self._lacks_fields = False
        item = next((unit for unit in beside_items(markup.units, kind) if unit.name == kind.item), None)
        if item:
            pattern, columns = _pattern(item.children or (), kind.columns)
            self._item = re.compile(_element(item, pattern))
            self.places = {name: 1 + number for number, name in enumerate(columns)}
            self._lacks_fields = _OPTION in pattern
        self.step = 1 + len(self.places)
        """How far those of the next item are from them."""

    def read(self, text: str, *, has_references: bool) -> ShapedPage | None:
        """Return the fields of a page as `page_text` returns it, None unless it has this shape throughout."""
        if not text.startswith(self._start):  # at once, where several stores take turns
            return None
        pieces = self._item.split(text) if self._item else [text]
        if any(pieces[self.step : -1 : self.step]):
            return None
        is_empty = len(pieces) == 1
        head = (self._without_items if is_empty else self._head).fullmatch(pieces[0])
        if not head:
            return None
        texts: Sequence[str | None] = head.groups()
        if not is_empty and pieces[-1] != self._constant_tail:
            tail = self._tail.fullmatch(pieces[-1])
            if not tail:
                return None
            texts = head.groups() + tail.groups()
        if self._lacks_fields:
            pieces = [piece or "" for piece in pieces]
        if has_references and "&" in "".join(pieces):
            texts = [text and resolved(text) for text in texts]
            pieces = [resolved(piece) if "&" in piece else piece for piece in pieces]
        return ShapedPage(self, dict(zip(self._names, texts, strict=True)), pieces)


def _around_items(kind: PageKind, markup: Markup) -> tuple[_Pattern, _Pattern]:
    """Return the patterns of what stands before the first item, and behind the last."""
    head, names = _root(markup.before, kind.fields)
    tail, tail_names = re.escape(markup.after), list[str]()
    units = markup.units
    for name in filter(None, (kind.within, kind.item)):
        place = next((n for n, unit in enumerate(units) if unit.name == name), len(units))
        before, names_before = _pattern(units[:place], kind.fields)
        behind, names_behind = _pattern(units[place + 1 :], kind.fields)
        head, names = head + before, names + names_before
        tail, tail_names = behind + tail, names_behind + tail_names
        outer = units[place] if place < len(units) and name == kind.within else None
        if outer:
            head += f"{re.escape(outer.gap)}<{name}>"
            tail = f"{re.escape(outer.end_gap)}</{name}>{tail}"
        units = (outer and outer.children) or ()
    return (head, names), (tail, tail_names)


def _root(before: str, read: Collection[str]) -> _Pattern:
    """Return the pattern of what comes before the units below the root, with any values of its attributes."""
    pattern, names = "", []
    *pieces, last = _ATTRIBUTE.split(before)
    for text, name in zip(pieces[::2], pieces[1::2], strict=True):
        is_read = f"@{name}" in read
        value = f"({_ATTRIBUTE_VALUE})" if is_read else _ATTRIBUTE_VALUE
        pattern += f'{re.escape(text)}{re.escape(name)}="{value}"'
        names += [f"@{name}"] if is_read else []
    return pattern + re.escape(last), names


def _pattern(units: tuple[Unit, ...], read: Collection[str], outer: str = "") -> _Pattern:
    """Return a pattern of units, and the names of those that it has a group for, in their order."""
    pattern, names = "", []
    for unit in units:
        name = outer + unit.name
        if unit.children is not None:
            inside, inner_names = _pattern(unit.children, read, f"{name}/")
            names += inner_names
        elif name in read:
            inside = f"({_VALUE})"
            names.append(name)
        else:
            inside = _VALUE
        element = _element(unit, inside)
        pattern += f"{_OPTION}{element})?" if unit.optional else element
    return pattern, names


def _element(unit: Unit, inside: str) -> str:
    name, gap, end_gap = map(re.escape, (unit.name, unit.gap, unit.end_gap))
    rest = f">{inside}{end_gap}</{name}>"
    return f"{gap}<{name}{_OPTION}{rest}| ?/>)" if unit.may_be_empty else f"{gap}<{name}{rest}"
