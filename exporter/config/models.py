"""The pydantic models of the config file, made of the settings: the same sections, as they are written."""

from __future__ import annotations

import types
import typing
from dataclasses import is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, create_model

from exporter.config import credentials, field_types, settings
from exporter.config.credentials import Secret
from exporter.config.field_types import FileName, Price, SecretText, Section
from exporter.config.key_definition import REQUIRED, list_keys
from exporter.config.settings import BucketSettings, Prices, Settings

if TYPE_CHECKING:
    import dataclasses
    from collections.abc import Callable

    from pydantic import SecretStr
    from pydantic.fields import FieldInfo

    from exporter.config.key_definition import Key

_NAMES = vars(credentials) | vars(settings) | vars(field_types) | {"Path": Path}
"""What annotations of settings may name: at run time the settings do not import their field types."""


def _make_secret(text: SecretStr) -> Secret:
    return Secret(text.get_secret_value())


def _make_secret_file(name: str) -> Secret:
    return Secret(file=Path(name))


_PATH = Annotated[FileName, AfterValidator(lambda name: Path(name))]  # noqa: PLW0108 - pydantic reads its signature
_SECRET = Annotated[SecretText, AfterValidator(_make_secret)]
_SECRET_FILE = Annotated[FileName, AfterValidator(_make_secret_file)]


class SettingsSection(Section):
    """A section of the config file that fills a class of the settings."""

    settings_class: ClassVar[type]


class _PriceSection(SettingsSection):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Price]


class _FileSection(SettingsSection):
    model_config = ConfigDict(json_schema_extra={"patternProperties": {"^x-": {}}})


_BASES: dict[type, type[SettingsSection]] = {Prices: _PriceSection, Settings: _FileSection}


@cache
def make_model(section: type) -> type[SettingsSection]:
    """Return the model of the section of the file that fills `section`."""
    hints = typing.get_type_hints(section, localns=_NAMES, include_extras=True)
    keys: dict[str, Any] = {
        name: (_written(hints[filled.name], name, nullable=key.default is None), _make_field(filled, key))
        for filled, name, key in list_keys(section)
    }
    base = _BASES.get(section, SettingsSection)
    name = section.__name__.removesuffix("Settings") or "File"
    model: type[SettingsSection] = create_model(name, __base__=base, __doc__=section.__doc__, **keys)
    model.settings_class = section
    return model


def _make_field(filled: dataclasses.Field[object], key: Key) -> FieldInfo:
    about: dict[str, Any] = {"description": key.full_description, "repr": filled.repr, **key.bounds}
    if is_dataclass(key.default):
        about["default_factory"] = make_model(key.default.__class__)
    elif key.default is not REQUIRED:
        about["default"] = key.default
    made: FieldInfo = Field(**about)
    return made


def _written(hint: Any, name: str, *, nullable: bool = False) -> Any:  # noqa: ANN401 - a type
    """Return the type of a value in the file, from which pydantic makes one of the type `hint`."""
    kind, parts = get_origin(hint), get_args(hint)
    if nullable:
        return _written(hint, name) | None
    if kind in {Union, types.UnionType}:
        return Union[tuple(_written(part, name) for part in parts)]  # noqa: UP007 - made of values
    if kind is tuple:
        return _written_list(parts[0], name)
    if hint is Secret:
        return _SECRET_FILE if name.endswith("_file") else _SECRET
    return _written_class(hint) if isinstance(hint, type) else hint


def _written_list(item: Any, name: str) -> Any:  # noqa: ANN401 - a type
    """Return a list, or for pairs a mapping."""
    if get_origin(item) is not tuple:
        return list[_written(item, name)]  # type: ignore[misc]
    closed = Field(json_schema_extra={"additionalProperties": False})
    return Annotated[dict[get_args(item)], closed]  # type: ignore[misc]


def _member_of(kinds: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Return a function, as pydantic reads the signature, which enumerations hide from Python 3.12 on."""
    return lambda value: kinds(value)  # noqa: PLW0108 - a function has one


def _written_class(hint: type) -> Any:  # noqa: ANN401 - a type
    if issubclass(hint, StrEnum):
        return Annotated[Literal[tuple(kind.value for kind in hint)], AfterValidator(_member_of(hint))]
    if hint is BucketSettings:
        model = make_model(hint)
        return Annotated[model, BeforeValidator(_read_bucket, json_schema_input_type=str | model)]
    if is_dataclass(hint):
        return make_model(hint)
    return _PATH if hint is Path else hint


def _read_bucket(value: object) -> object:
    """Read a bare name as a bucket without settings of its own."""
    if not isinstance(value, str | dict):
        raise ValueError("must be a name or a mapping with a name: put quotes around a number")  # noqa: TRY004 (pydantic reads ValueError)
    return {"name": value} if isinstance(value, str) else value


File = make_model(Settings)
