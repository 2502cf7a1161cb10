"""What a config key is: stated once, as metadata of the dataclass field that it fills."""

from __future__ import annotations

from dataclasses import field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from exporter.config.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from dataclasses import Field

Setting = TypeVar("Setting")

REQUIRED: Final = object()
"""In place of a default."""
_METADATA = "keys"


class Key(NamedTuple):
    """A key of the config file. `name` is the setting's name, unless it has its own.

    `default` is written as in the file. `stores` are the kinds of store that take the key, () for all;
    `instead` is what to do on another. `bounds` are `ge` and `le` of a number, or
    `min_length` and `max_length` of a list.
    """

    description: str
    default: object = REQUIRED
    name: str = ""
    stores: tuple[str, ...] = ()
    instead: str = ""
    bounds: Mapping[str, float] = MappingProxyType({})

    @property
    def store_names(self) -> str:
        """The kinds of store that take the key: `s3 and obs`."""
        return " and ".join(filter(None, (", ".join(self.stores[:-1]), *self.stores[-1:])))

    @property
    def full_description(self) -> str:
        """The description, and the stores that take the key."""
        return f"{self.description} {self.store_names} only." if self.stores else self.description


def key(
    default: Setting,
    description: str,
    *,
    written: object = REQUIRED,
    stores: tuple[str, ...] = (),
    **bounds: float,
) -> Setting:
    """Define a setting with one key, of its own name. `written` is the default in the file, if it differs."""
    if written is REQUIRED:
        written = list(default) if isinstance(default, tuple) else default
    return setting(default, Key(description, written, stores=stores, bounds=bounds))


def duration_key(default: str, description: str) -> float:
    """Define a setting in seconds that is written as a duration: `5m`."""
    return key(parse_duration(default), description, written=default)


def setting(default: Setting, *keys: Key, show: bool = True) -> Setting:
    """Define a setting that has the value of the first of `keys` that is not null. `show`: in the repr."""
    made: Setting = field(default=default, repr=show, metadata=as_metadata(*keys))
    return made


def as_metadata(*keys: Key) -> Mapping[str, tuple[Key, ...]]:
    """Return the metadata of a field that has the value of the first of `keys` that is not null."""
    return {_METADATA: keys}


def list_keys(section: type) -> Iterator[tuple[Field[object], str, Key]]:
    """Yield every key of a class of the settings: the field that it fills, its name and the key."""
    for filled in fields(section):
        for found in filled.metadata.get(_METADATA, ()):
            yield filled, found.name or filled.name, found
