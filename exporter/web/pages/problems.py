"""What is wrong apart from single buckets: a config that cannot be used, buckets that cannot be listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import age_at
from exporter.text.humanize import human_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.model.targets import TargetStatus


class DiscoveryProblem(NamedTuple):
    """A target whose buckets cannot be listed: why, and when they last could."""

    target: str
    last_success: str
    reason: str


class Problems(NamedTuple):
    """What was wrong with the config when it was last read, and with lists of buckets."""

    config: Sequence[str] = ()
    discovery: Sequence[DiscoveryProblem] = ()


def find_problems(targets: Iterable[TargetStatus], config_problems: Sequence[str], now: float) -> Problems:
    """Return what is wrong; `now` is Unix seconds."""
    return Problems(config_problems, list(filter(None, (_of_discovery(each, now) for each in targets))))


def _of_discovery(status: TargetStatus, now: float) -> DiscoveryProblem | None:
    discovery = status.discovery
    if discovery is None or discovery.success is not False:
        return None
    last = "never read so far"
    if discovery.last_success is not None:
        last = f"last had {human_seconds(age_at(now, discovery.last_success))} ago"
    return DiscoveryProblem(status.settings.name, last, str(discovery.failure or ""))
