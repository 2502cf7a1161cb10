"""What a target's store does about unfinished uploads by itself, as no request can tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from exporter.config.key_definition import Key, as_metadata

if TYPE_CHECKING:
    from exporter.config.field_types import Duration


@dataclass(frozen=True, slots=True)
class CleanupSettings:
    """A clean-up of unfinished uploads that is part of the store, and in no lifecycle rule of the buckets."""

    by: Literal["store"] = field(metadata=as_metadata(Key("Who cleans up: the store.")))
    after: Duration = field(metadata=as_metadata(Key("Age at which it removes an unfinished upload: 31d.")))
