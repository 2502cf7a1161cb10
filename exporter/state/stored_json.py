"""JSON in, records out: each value has to be of the type that the record's field has."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

Record = TypeVar("Record")

_JSON_TYPES: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
    tuple: (list,),
    frozenset: (list,),
}
"""The types that JSON gives for each type of a field."""


def read_record(kind: type[Record], values: object) -> Record:
    """Return a NamedTuple or dataclass of its fields' values. Raises ValueError where they are not its own.

    A NamedTuple may be a list, too. Only fields with a default may be missing.
    """
    hints, required = _list_fields(kind)  # type: ignore[arg-type] # classes are hashable
    if isinstance(values, list) and len(values) <= len(hints) and not is_dataclass(kind):
        values = dict(zip(hints, values, strict=False))
    if not isinstance(values, dict) or not required <= values.keys() <= hints.keys():
        raise ValueError(f"not the fields of {kind.__name__}")
    return kind(**{name: _read(hints[name], value) for name, value in values.items()})


@cache
def _list_fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:  # noqa: ANN401 - a class
    """Return the type of each field, and the fields that have no default."""
    hints = typing.get_type_hints(kind)
    if is_dataclass(kind):
        return hints, frozenset(field.name for field in fields(kind) if field.default is MISSING)
    return hints, frozenset(hints) - kind._field_defaults.keys()


def _read(hint: Any, value: object) -> object:  # noqa: ANN401 - a type
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in {Union, types.UnionType}:
        return None if value is None else _read(parts[0], value)  # the other one is None
    if kind not in _JSON_TYPES:
        return read_record(kind, value)
    if type(value) not in _JSON_TYPES[kind]:
        raise ValueError(f"no {kind.__name__}")
    return kind(_read_items(parts, value)) if isinstance(value, list) else kind(value)


def _read_items(parts: tuple[Any, ...], values: list[object]) -> list[object]:
    """Read the items of a tuple of fixed length, or of any other collection, whose items are of one type."""
    if len(parts) == 1 or parts[1] is Ellipsis:
        return [_read(parts[0], value) for value in values]
    return [_read(part, value) for part, value in zip(parts, values, strict=True)]
