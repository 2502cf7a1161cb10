"""What is watched now, for pages and metrics: targets, their buckets, when each is scanned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.errors import Failure


class Turn(NamedTuple):
    """When a bucket is scanned next, and since when it is being scanned; Unix seconds."""

    due: float
    running_since: float | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What came of asking for the list of buckets last; `success` is None before the first answer.

    `last_success` is Unix seconds.
    """

    success: bool | None = None
    failure: Failure | None = None
    last_success: float | None = None


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """A target as it is watched now. `discovery` is None where its buckets are listed in the config."""

    settings: TargetSettings
    buckets: tuple[BucketSettings, ...]
    signing_region: str = ""
    turns: Mapping[str, Turn] = field(default_factory=dict)
    discovery: Discovery | None = None
