"""Targets to metric families: what is known of them from the config."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from exporter.config.settings import TargetSettings
    from exporter.stores.base import Store


class TargetCollector:
    """What is known of the targets from the config."""

    def __init__(self, targets: Sequence[tuple[TargetSettings, Store]]) -> None:
        """Make a collector of these targets."""
        self._targets = targets

    def collect(self) -> Iterator[Metric]:
        """Yield the families of all targets."""
        yield _per_target(
            "mpu_scan_interval_seconds",
            "Time from the start of one scan of a bucket to the start of the next, as configured.",
            ((target.name, target.scan.interval) for target, _ in self._targets),
        )
        yield _per_target(
            "mpu_stale_after_seconds",
            "Time without activity after which an upload is stale, as configured for the target.",
            ((target.name, target.stale_after) for target, _ in self._targets),
        )
        yield _per_target(
            "mpu_target_buckets",
            "Buckets or vaults that are watched.",
            ((target.name, len(target.buckets)) for target, _ in self._targets),
        )
        info = InfoMetricFamily("mpu_target", "A target, with the labels given to it in the config.")
        for target, store in self._targets:
            info.add_metric([], _target_info(target, store))
        yield info


def _per_target(name: str, text: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["target"])
    for target, value in values:
        family.add_metric([target], float(value))
    return family


def _target_info(target: TargetSettings, store: Store) -> dict[str, str]:
    url = urlsplit(target.endpoint_url or "")
    return {
        "target": target.name,
        "store": target.store.value,
        "endpoint_url": f"{url.scheme}://{url.netloc}" if url.netloc else "",
        "signing_region": store.signing_region,
        **dict(target.labels),
    }
