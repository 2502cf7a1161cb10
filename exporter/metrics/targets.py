"""Targets to metric families: what is known of them apart from their scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.definition import Definition, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client import Metric

    from exporter.model.targets import TargetStatus

# A value of None makes no sample.
_STATUS: dict[Definition, Callable[[TargetStatus], float | None]] = {
    Definition(
        "mpu_scan_interval_seconds",
        "scan.interval of the config: time from the start of one scan of a bucket to the start of the next.",
        ("target",),
    ): lambda status: status.settings.scan.interval,
    Definition(
        "mpu_stale_after_seconds",
        "stale_after of the target; a bucket may have its own.",
        ("target",),
        on_dashboard=False,
    ): lambda status: status.settings.stale_after,
    Definition(
        "mpu_target_buckets",
        "Buckets, containers or vaults that this shard watches.",
        ("target",),
        on_dashboard=False,  # which counts the buckets that were scanned
    ): lambda status: len(status.buckets),
    Definition(
        "mpu_discovery_success",
        "1 if the last request for the list of buckets succeeded, else 0; only with discover.",
        ("target",),
    ): lambda status: status.discovery.success if status.discovery else None,
}
_INFO = Definition(
    "mpu_target_info",
    "Always 1; the target's own labels from the config stand here too, for joins.",
    ("target", "store", "endpoint_url", "signing_region"),
    Kind.INFO,
)
DEFINITIONS = (*_STATUS, _INFO)


class TargetCollector:
    """Builds the families of all targets."""

    def __init__(self, statuses: Callable[[], Sequence[TargetStatus]]) -> None:
        """Make a collector of the targets that `statuses` returns."""
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        """Yield the families of all targets."""
        statuses = self._statuses()
        for definition, value_of in _STATUS.items():
            family = definition.gauges()
            for status in statuses:
                value = value_of(status)
                if value is not None:
                    family.add_metric([status.settings.name], float(value))
            yield family
        info = _INFO.infos()
        for status in statuses:
            info.add_metric([], _info(status))
        yield info


def _info(status: TargetStatus) -> dict[str, str]:
    target = status.settings
    return {
        "target": target.name,
        "store": target.store.value,
        "endpoint_url": ",".join(status.endpoints),
        "signing_region": status.signing_region,
        **dict(target.labels),
    }
