"""Targets to metric families: what is known of them apart from their scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from exporter.model.targets import TargetStatus


class TargetCollector:
    """What is known of the targets apart from their scans."""

    def __init__(self, watched: Callable[[], Sequence[TargetStatus]]) -> None:
        """Make a collector of the targets that `watched` returns."""
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        """Yield the families of all targets."""
        watched = self._watched()
        yield _per_target(
            "mpu_scan_interval_seconds",
            "Time from the start of one scan of a bucket to the start of the next, as configured.",
            ((each.settings.name, each.settings.scan.interval) for each in watched),
        )
        yield _per_target(
            "mpu_stale_after_seconds",
            "Time without activity after which an upload is stale, as configured for the target.",
            ((each.settings.name, each.settings.stale_after) for each in watched),
        )
        yield _per_target(
            "mpu_target_buckets",
            "Buckets or vaults that this shard watches.",
            ((each.settings.name, len(each.buckets)) for each in watched),
        )
        yield _per_target(
            "mpu_discovery_success",
            "Whether the target's list of buckets could be had when it was last asked for.",
            (
                (each.settings.name, each.discovery.success)
                for each in watched
                if each.discovery and each.discovery.success is not None
            ),
        )
        info = InfoMetricFamily("mpu_target", "A target, with the labels given to it in the config.")
        for each in watched:
            info.add_metric([], _target_info(each))
        yield info


def _per_target(name: str, text: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["target"])
    for target, value in values:
        family.add_metric([target], float(value))
    return family


def _target_info(watched: TargetStatus) -> dict[str, str]:
    target = watched.settings
    return {
        "target": target.name,
        "store": target.store.value,
        "endpoint_url": ",".join(watched.endpoints),
        "signing_region": watched.signing_region,
        **dict(target.labels),
    }
