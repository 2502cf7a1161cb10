"""The markup of a page as units: taken from its text, and merged with that of others."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from exporter.stores.parsing.fields import PageKind

MAX_UNITS = 100
"""A page with more different elements is left to the parser."""
_MAX_BEFORE = 1000
_MAX_DEPTH = 3
# in UTF-8 for certain, with or without a namespace
_BEFORE = re.compile(
    r"(?:<\?xml[ \t\n]+version=[\"']1\.0[\"'](?:[ \t\n]+encoding=[\"'](?i:utf-8)[\"'])?"
    r"(?:[ \t\n]+standalone=[\"'](?:yes|no)[\"'])?[ \t\n]*\?>)?"
    r"[ \t\n]*<([A-Za-z]\w*)(?:[ \t\n]+xmlns=(?:\"[^\"<&]*\"|'[^'<&]*'))?"
    r"((?:[ \t\n]+(?!xmlns)[A-Za-z][\w-]*=\"[^\"<&\t\n]*\")*)>",
    re.ASCII,
)
_START = re.compile(r"([ \t\n]{0,99})<([A-Za-z][\w.-]{0,99})(?:(>)(?:([^<]*+)</\2>)?|( ?/>))", re.ASCII)
_TEXT = re.compile(r">[ \t\n]*+[^< \t\n][^<]*+<")
_ATTRIBUTE_VALUE = re.compile('="[^"]*"')
_END = re.compile(r"([ \t\n]{0,99})</([A-Za-z][\w.-]{0,99})>", re.ASCII)
_AFTER = re.compile(r"[ \t\n]{0,99}</\w+>[ \t\n]{0,99}", re.ASCII)


class NoShapeError(Exception):
    """A page has no shape that a pattern could be made of, or none in common with another's."""


@dataclass(frozen=True, slots=True)
class Unit:
    """An element in a shape.

    `gap` and `end_gap` are the white space before its start tag and its end tag. `children` are None where it
    holds text. `optional` says that it may be missing, `may_be_empty` that it may be written as `<Name/>`.
    """

    gap: str
    name: str
    children: tuple[Unit, ...] | None = None
    end_gap: str = ""
    optional: bool = False
    may_be_empty: bool = False


class Markup(NamedTuple):
    """What comes before the units below the root, these, and what comes after them.

    The attributes of the root, other than its namespace, are without their values.
    """

    before: str
    units: tuple[Unit, ...]
    after: str

    def merged(self, other: Markup, kind: PageKind) -> Markup:
        """Return the markup that covers both. Raises NoShapeError."""
        if (self.before, self.after) != (other.before, other.after):
            raise NoShapeError
        units = _merged(self.units, other.units)
        _check_number(units)
        _check_items(units, kind)
        return self._replace(units=units)


def markup_of(text: str, kind: PageKind) -> Markup:
    """Return the markup of a page that has been parsed. Raises NoShapeError."""
    text = _outline(text, kind)
    before = _BEFORE.match(text)
    if not before or before[1] != kind.root or len(before[0]) > _MAX_BEFORE:
        raise NoShapeError
    if before[2] and not kind.has_attributes:
        raise NoShapeError
    units, end = _units(text, before.end(), kind)
    after = _AFTER.fullmatch(text, end)
    if not after:
        raise NoShapeError
    item = next((unit for unit in beside_items(units, kind) if unit.name == kind.item), Unit("", "", ()))
    _check_texts(units, kind.fields)
    _check_texts(item.children, kind.columns)
    _check_number(units)
    _check_items(units, kind)
    attributes = _ATTRIBUTE_VALUE.sub('=""', before[2])
    return Markup(f"{text[: before.start(2)]}{attributes}>", units, after[0])


def _outline(text: str, kind: PageKind) -> str:
    """Return a page without texts, and with one item of each markup: thousands are alike."""
    start = f"<{kind.item}>"
    head, *items = _TEXT.sub("><", text).split(start)
    items = [*dict.fromkeys(items[:-1]), *items[-1:]]  # the last one has the end of the page in it
    return start.join([head, *items])


def beside_items(units: tuple[Unit, ...], kind: PageKind) -> tuple[Unit, ...]:
    """Return the units among which the items are: those below the root, or those in the element `within`."""
    if not kind.within:
        return units
    return next((unit.children or () for unit in units if unit.name == kind.within), ())


def _units(
    text: str, position: int, kind: PageKind, depth: int = 0, outer: str = ""
) -> tuple[tuple[Unit, ...], int]:
    """Return the units from `position` on, which are in the element `outer`, and where they end."""
    units: dict[str, Unit] = {}
    last, may_be_items = "", outer == kind.within and depth == bool(kind.within)
    while start := _START.match(text, position):
        name = start[2]
        if name == kind.item and not may_be_items:
            raise NoShapeError
        unit, position = _unit(text, start, kind, depth)
        if name in units:
            if not (may_be_items and last == name == kind.item):
                raise NoShapeError
            unit = _merged_unit(units[name], unit)
        units[name], last = unit, name
    return tuple(units.values()), position


def _unit(text: str, start: re.Match[str], kind: PageKind, depth: int) -> tuple[Unit, int]:
    gap, name, has_start_tag, value, _ = start.groups()
    if name == kind.item and (not has_start_tag or value is not None):
        raise NoShapeError
    if not has_start_tag:
        return Unit(gap, name, may_be_empty=True), start.end()
    if value is not None:
        return Unit(gap, name), start.end()
    if depth == _MAX_DEPTH:
        raise NoShapeError
    children, position = _units(text, start.end(), kind, depth + 1, name)
    end = _END.match(text, position)
    if not end or end[2] != name:
        raise NoShapeError
    return Unit(gap, name, children, end[1]), end.end()


def _merged(known: tuple[Unit, ...], units: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Return units that cover both sequences: what only one of them has is optional."""
    merged: list[Unit] = []
    rest = list(known)
    for unit in units:
        place = next((n for n, each in enumerate(rest) if each.name == unit.name), None)
        if place is None:
            merged.append(replace(unit, optional=True))
            continue
        merged += [replace(each, optional=True) for each in rest[:place]]
        merged.append(_merged_unit(rest[place], unit))
        rest = rest[place + 1 :]
    merged += [replace(each, optional=True) for each in rest]
    if len({unit.name for unit in merged}) < len(merged):  # in another order
        raise NoShapeError
    return tuple(merged)


def _merged_unit(known: Unit, unit: Unit) -> Unit:
    if unit == known:
        return known
    if unit.gap != known.gap:
        raise NoShapeError
    merged = replace(
        known if unit.children is None else unit,
        optional=known.optional or unit.optional,
        may_be_empty=known.may_be_empty or unit.may_be_empty,
    )
    if known.children is not None and unit.children is not None:
        if unit.end_gap != known.end_gap:
            raise NoShapeError
        return replace(merged, children=_merged(known.children, unit.children))
    for each in (known, unit):
        if each.children is None and merged.children is not None and not each.may_be_empty:
            raise NoShapeError
    return merged


def _check_texts(units: tuple[Unit, ...] | None, read: Collection[str], outer: str = "") -> None:
    """Raise NoShapeError where a field that is read has elements in it."""
    for unit in units or ():
        if unit.children is not None:
            if outer + unit.name in read:
                raise NoShapeError
            _check_texts(unit.children, read, f"{outer}{unit.name}/")


def _check_items(units: tuple[Unit, ...], kind: PageKind, *, of_item: bool = False) -> None:
    """Raise NoShapeError where anything but the items below the root may have the fields of one."""
    if not of_item and {unit.name for unit in units}.issuperset(kind.marks):
        raise NoShapeError
    for unit in units:
        _check_items(unit.children or (), kind, of_item=unit.name == kind.item)


def _check_number(units: tuple[Unit, ...]) -> None:
    if _number(units) > MAX_UNITS:
        raise NoShapeError


def _number(units: tuple[Unit, ...]) -> int:
    return sum(1 + _number(unit.children or ()) for unit in units)
