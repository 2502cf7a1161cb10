"""The shape of a config file, made of the settings: sections, lists and mappings, down to single values."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from exporter.config import checks, cleanup, credentials, field_types, settings, target_sections
from exporter.config.credentials import Secret
from exporter.config.field_types import FILE_NAME, FLAG, Leaf, choice, number, text, whole_number
from exporter.config.key_definition import list_keys
from exporter.config.settings import BucketSettings
from exporter.config.target_sections import Prices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.key_definition import Key

_SETTINGS = (cleanup, credentials, settings, target_sections, field_types)
_NAMES = {name: each for module in _SETTINGS for name, each in vars(module).items()} | {"Path": Path}
"""What annotations of settings may name: at run time the settings do not import their field types."""


class ListOf(NamedTuple):
    """A list of at least `least` and at most `most` items; None where there is no such bound."""

    item: Shape
    least: float | None
    most: float | None


class MappingOf(NamedTuple):
    """A mapping of any number of keys; it becomes pairs."""

    key: Leaf
    value: Leaf


class Section(NamedTuple):
    """A mapping of known keys that fills a class of the settings.

    `others` is the shape of further keys, None where there are none. A text may stand for the whole section
    where `bare` names the key that it then gives.
    """

    settings_class: type
    keys: Mapping[str, SectionKey]
    others: Leaf | None
    bare: str

    @property
    def name(self) -> str:
        """What the JSON Schema calls it."""
        return self.settings_class.__name__.removesuffix("Settings") or "File"


class SectionKey(NamedTuple):
    """A key of a section, and the setting that it fills.

    `required`: it has to be there; `nullable`: it may be null.
    """

    setting: str
    key: Key
    shape: Shape
    required: bool
    nullable: bool


Shape = Leaf | ListOf | MappingOf | Section

_TYPES: dict[Any, Leaf] = {
    str: text(str),
    bool: FLAG,
    Path: Leaf(lambda name: Path(str(FILE_NAME.read(name))), **FILE_NAME.schema),
}
_SECRET = text(lambda secret: Secret(checks.check_secret(secret)), minLength=1)
_SECRET_FILE = Leaf(lambda name: Secret(file=Path(str(FILE_NAME.read(name)))), **FILE_NAME.schema)
_NUMBERS = {int: whole_number, float: number}


@cache
def make_section(settings_class: type) -> Section:
    """Return the section of the file that fills a class of the settings."""
    hints = typing.get_type_hints(settings_class, localns=_NAMES, include_extras=True)
    keys = {
        name: SectionKey(
            filled.name,
            key,
            _make_shape(hints[filled.name], name, key),
            filled.default is MISSING,
            key.default is None,
        )
        for filled, name, key in list_keys(settings_class)
    }
    others = _make_leaf(field_types.Price, "", {}) if settings_class is Prices else None
    return Section(settings_class, keys, others, "name" if settings_class is BucketSettings else "")


def list_sections(top: Section, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Section]]:
    """Yield every section of a file with its path, list positions left out: `targets.scan`."""
    yield ".".join(path), top
    for name, known in top.keys.items():
        inner = known.shape.item if isinstance(known.shape, ListOf) else known.shape
        if isinstance(inner, Section):
            yield from list_sections(inner, (*path, name))


def _make_shape(hint: Any, name: str, key: Key) -> Shape:  # noqa: ANN401 - a type
    """Return the shape of what is written for a setting of the type `hint`."""
    parts = get_args(hint)
    if get_origin(hint) in {Union, types.UnionType}:
        return _make_shape(parts[0], name, key)  # the other one is None
    if get_origin(hint) is not tuple:
        return _make_item(hint, name, key.bounds)
    if get_origin(parts[0]) is tuple:
        pair = (_make_leaf(part, name, {}) for part in get_args(parts[0]))
        return MappingOf(*pair)
    least, most = key.bounds.get("min_length"), key.bounds.get("max_length")
    return ListOf(_make_item(parts[0], name, {}), least, most)


def _make_item(hint: Any, name: str, bounds: Mapping[str, float]) -> Shape:  # noqa: ANN401 - a type
    is_section = is_dataclass(hint) and hint is not Secret
    return make_section(hint) if is_section else _make_leaf(hint, name, bounds)


def _make_leaf(hint: Any, name: str, bounds: Mapping[str, float]) -> Leaf:  # noqa: ANN401 - a type
    if get_origin(hint) is Annotated:
        leaf: Leaf = hint.__metadata__[0]
        return leaf
    if get_origin(hint) is Literal:
        return choice(get_args(hint))
    if hint is Secret:
        return _SECRET_FILE if name.endswith("_file") else _SECRET
    if hint in _NUMBERS:
        return _NUMBERS[hint](**bounds)
    if issubclass(hint, StrEnum):
        return choice([kind.value for kind in hint], hint)
    return _TYPES[hint]
