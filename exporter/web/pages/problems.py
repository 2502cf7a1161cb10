"""What is wrong apart from single buckets: a config that cannot be used, buckets that cannot be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import age_at
from exporter.text.humanize import human_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.model.targets import DroppedBucket, TargetStatus


class DiscoveryProblem(NamedTuple):
    """A target whose buckets cannot be listed: why, and when they last could."""

    target: str
    last_success: str
    reason: str


class Unmatched(NamedTuple):
    """A target whose discovery leaves no bucket: number of those seen, and what drops the first ones."""

    target: str
    seen: int
    dropped: Sequence[DroppedBucket]


class Problems(NamedTuple):
    """What was wrong with the config when it was last read, and with lists of buckets."""

    config: Sequence[str] = ()
    discovery: Sequence[DiscoveryProblem] = ()
    unmatched: Sequence[Unmatched] = ()


def find_problems(targets: Iterable[TargetStatus], config_problems: Sequence[str], now: float) -> Problems:
    """Return what is wrong; `now` is Unix seconds."""
    targets = list(targets)
    failed = list(filter(None, (_of_discovery(each, now) for each in targets)))
    return Problems(config_problems, failed, [found for each in targets for found in _unmatched(each)])


def _unmatched(status: TargetStatus) -> Iterator[Unmatched]:
    """Yield what there is to tell of a target whose last list of buckets was read, and left none."""
    selection = status.discovery.selection if status.discovery and status.discovery.success else None
    if selection and selection.problem:
        yield Unmatched(status.settings.name, selection.seen, selection.dropped)


def _of_discovery(status: TargetStatus, now: float) -> DiscoveryProblem | None:
    discovery = status.discovery
    if discovery is None or discovery.success is not False:
        return None
    last = "never read so far"
    if discovery.last_success is not None:
        last = f"last had {human_seconds(age_at(now, discovery.last_success))} ago"
    return DiscoveryProblem(status.settings.name, last, str(discovery.failure or ""))
