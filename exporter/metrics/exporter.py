"""Counters of the exporter's own work, and what the process says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from exporter import __version__
from exporter.config.sharding import ALONE, Shard
from exporter.model.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.settings import TargetSettings
    from exporter.stores.base import Store


class ExporterMetrics:
    """Counters of the exporter's own work."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counters."""
        counter = partial(Counter, registry=registry)
        self._failures = counter("mpu_scan_failures", "Scans that failed.", ["target", "reason"])
        self._requests = counter(
            "mpu_api_requests", "HTTP requests sent to the store, retries included.", ["target", "operation"]
        )
        self._request_failures = counter(
            "mpu_api_request_failures",
            "HTTP requests to the store that failed.",
            ["target", "operation", "reason"],
        )
        self._saved = counter(
            "mpu_api_requests_saved",
            "ListParts calls that were not needed, since nothing can have changed for long.",
            ["target"],
        )
        self._state_failures = counter(
            "mpu_state_failures",
            "Uses of the state file that failed; what is new waits in memory.",
        )
        self._halved = counter(
            "mpu_concurrency_halved",
            "Times a bucket's calls in flight were halved because the store throttled.",
            ["target"],
        )
        self._restored = counter(
            "mpu_concurrency_restored",
            "Times a bucket's calls in flight were back at scan.concurrency after throttling.",
            ["target"],
        )
        self._reloaded = Gauge(
            "mpu_config_last_reload_successful",
            "Whether the config could be used when it was last read.",
            registry=registry,
        )
        self._reloaded_at = Gauge(
            "mpu_config_last_reload_success_timestamp_seconds",
            "When the config was last read and used.",
            registry=registry,
        )
        self._requests_of = cache(self._requests.labels)  # a lookup takes 1 µs, and a call should take 40
        self._forgotten: frozenset[str] = frozenset()

    def preset(self, targets: Iterable[tuple[TargetSettings, Store]]) -> None:
        """Set the counters of these targets to zero: what has not happened yet is known, too."""
        targets = list(targets)
        self._forgotten -= {target.name for target, _ in targets}
        for target, store in targets:
            for reason in Reason:
                self._failures.labels(target.name, reason)
            for operation in store.operations:
                self._requests.labels(target.name, operation)
            self._saved.labels(target.name)
            self._halved.labels(target.name)
            self._restored.labels(target.name)

    def forget(self, target: str) -> None:
        """Drop a target's counters; what is still counted for it makes no new ones."""
        self._forgotten |= {target}
        for counter in (
            *(self._failures, self._requests, self._request_failures),
            *(self._saved, self._halved, self._restored),
        ):
            counter.remove_by_labels({"target": target})
        self._requests_of.cache_clear()

    def config_read(self, *, used: bool, now: float) -> None:
        """Note whether the config that was read at `now` (Unix seconds) could be used."""
        self._reloaded.set(used)
        if used:
            self._reloaded_at.set(now)

    def scan_failed(self, target: str, reason: Reason) -> None:
        """Count a failed scan."""
        if target not in self._forgotten:
            self._failures.labels(target, reason).inc()

    def request_sent(self, target: str, operation: str) -> None:
        """Count a request."""
        if target not in self._forgotten:
            self._requests_of(target, operation).inc()

    def request_failed(self, target: str, operation: str, reason: Reason) -> None:
        """Count a failed request."""
        if target not in self._forgotten:
            self._request_failures.labels(target, operation, reason).inc()

    def requests_saved(self, target: str, count: int) -> None:
        """Count calls that were not needed."""
        if target not in self._forgotten:
            self._saved.labels(target).inc(count)

    def state_failed(self) -> None:
        """Count a failed use of the state file."""
        self._state_failures.inc()

    def concurrency_halved(self, target: str) -> None:
        """Count a halving of a bucket's calls in flight."""
        if target not in self._forgotten:
            self._halved.labels(target).inc()

    def concurrency_restored(self, target: str) -> None:
        """Count that a bucket's calls in flight are as many as configured again."""
        if target not in self._forgotten:
            self._restored.labels(target).inc()


@dataclass(frozen=True, slots=True)
class RequestCounter:
    """Counts one target's requests; made for the `traffic` of its transport."""

    target: str
    metrics: ExporterMetrics

    def sent(self, operation: str) -> None:
        """Count a request."""
        self.metrics.request_sent(self.target, operation)

    def failed(self, operation: str, reason: Reason) -> None:
        """Count a failed request."""
        self.metrics.request_failed(self.target, operation, reason)


def process_registry(shard: Shard = ALONE) -> CollectorRegistry:
    """Return a fresh registry with what the process says of itself, and which shard it is."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    build = Info("mpu_exporter_build", "The version of this exporter.", registry=registry)
    build.info({"version": __version__})
    shards = Gauge("mpu_shards", "So many processes share the buckets.", registry=registry)
    shards.set(shard.total)
    ordinal = Gauge("mpu_shard_ordinal", "Which of them this process is, counted from 0.", registry=registry)
    ordinal.set(shard.ordinal)
    return registry
