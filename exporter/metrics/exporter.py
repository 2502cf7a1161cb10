"""Counters of the exporter's own requests and failures, and metrics of its process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from exporter import __version__
from exporter.config.sharding import UNSHARDED, Shard
from exporter.metrics.definition import Definition, Kind
from exporter.model.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.settings import TargetSettings
    from exporter.stores.base import Store


_FAILURES = Definition("mpu_scan_failures_total", "Scans that failed.", ("target", "reason"), Kind.COUNTER)
_REQUESTS = Definition(
    "mpu_api_requests_total",
    "HTTP requests sent to the store, retries included: an upper bound of what is billed.",
    ("target", "operation"),
    Kind.COUNTER,
)
_REQUEST_FAILURES = Definition(
    "mpu_api_request_failures_total",
    "HTTP requests to the store that failed; an upload that ended meanwhile is no failure.",
    ("target", "operation", "reason"),
    Kind.COUNTER,
)
_SAVED = Definition(
    "mpu_api_requests_saved_total",
    "Calls for the parts of an upload not sent, because it was not due to be asked about again.",
    ("target",),
    Kind.COUNTER,
)
_STATE_FAILURES = Definition(
    "mpu_state_failures_total",
    "Reads and writes of the state file that failed; new data is kept in memory until a write succeeds.",
    (),
    Kind.COUNTER,
)
_HALVED = Definition(
    "mpu_concurrency_halved_total",
    "Times a bucket's calls in flight were halved because the store throttled.",
    ("target",),
    Kind.COUNTER,
)
_RESTORED = Definition(
    "mpu_concurrency_restored_total",
    "Times a bucket's calls in flight were back at scan.concurrency after throttling.",
    ("target",),
    Kind.COUNTER,
)
_RELOADED = Definition(
    "mpu_config_last_reload_successful", "1 if the config could be used when it was last read, else 0.", ()
)
_RELOADED_AT = Definition(
    "mpu_config_last_reload_success_timestamp_seconds", "When the config was last read and used.", ()
)
_SHARDS = Definition(
    "mpu_shards",
    "Number of processes that share the buckets; 1 where there is only this one.",
    (),
    see="operations.md#shards",
)
_SHARD_ORDINAL = Definition("mpu_shard_ordinal", "Number of this process among them, counted from 0.", ())
_BUILD = Definition(
    "mpu_exporter_build_info", "Always 1; the version of this exporter.", ("version",), Kind.INFO
)
DEFINITIONS = (
    *(_FAILURES, _REQUESTS, _REQUEST_FAILURES, _SAVED, _STATE_FAILURES, _HALVED, _RESTORED),
    *(_RELOADED, _RELOADED_AT, _SHARDS, _SHARD_ORDINAL, _BUILD),
)


class ExporterMetrics:
    """Counters of the exporter's own requests and failures. Safe to use from many threads.

    Only targets that were `preset` are counted for: what scans of a target that is no longer watched still
    do is not.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counters."""
        self._failures = _FAILURES.counter(registry)
        self._requests = _REQUESTS.counter(registry)
        self._request_failures = _REQUEST_FAILURES.counter(registry)
        self._saved = _SAVED.counter(registry)
        self._state_failures = _STATE_FAILURES.counter(registry)
        self._halved = _HALVED.counter(registry)
        self._restored = _RESTORED.counter(registry)
        self._reloaded = _RELOADED.gauge(registry)
        self._reloaded_at = _RELOADED_AT.gauge(registry)
        self._requests_of = cache(self._requests.labels)  # a lookup takes 1 µs, and a call should take 40
        self._counted: frozenset[str] = frozenset()
        """Names of the targets that are watched now."""

    def preset(self, targets: Iterable[tuple[TargetSettings, Store]]) -> None:
        """Begin the counters of these targets at zero, so that a first increase can be seen."""
        targets = list(targets)
        self._counted |= {target.name for target, _ in targets}
        for target, store in targets:
            for reason in Reason:
                self._failures.labels(target.name, reason)
            for operation in store.operations:
                self._requests.labels(target.name, operation)
            self._saved.labels(target.name)
            self._halved.labels(target.name)
            self._restored.labels(target.name)

    def forget(self, target: str) -> None:
        """Drop a target's counters, until `preset` begins them again."""
        self._counted -= {target}
        for counter in (
            *(self._failures, self._requests, self._request_failures),
            *(self._saved, self._halved, self._restored),
        ):
            counter.remove_by_labels({"target": target})
        self._requests_of.cache_clear()

    def config_read(self, *, used: bool, now: float) -> None:
        """Set whether the config that was read at `now` (Unix seconds) could be used."""
        self._reloaded.set(used)
        if used:
            self._reloaded_at.set(now)

    def scan_failed(self, target: str, reason: Reason) -> None:
        """Count a failed scan."""
        if target in self._counted:
            self._failures.labels(target, reason).inc()

    def request_sent(self, target: str, operation: str, requests: int = 1) -> None:
        """Count requests."""
        if target in self._counted:
            self._requests_of(target, operation).inc(requests)

    def request_failed(self, target: str, operation: str, reason: Reason) -> None:
        """Count a failed request."""
        if target in self._counted:
            self._request_failures.labels(target, operation, reason).inc()

    def requests_saved(self, target: str, count: int) -> None:
        """Count calls that were not sent."""
        if target in self._counted:
            self._saved.labels(target).inc(count)

    def state_failed(self) -> None:
        """Count a failed use of the state file."""
        self._state_failures.inc()

    def concurrency_halved(self, target: str) -> None:
        """Count a halving of a bucket's calls in flight."""
        if target in self._counted:
            self._halved.labels(target).inc()

    def concurrency_restored(self, target: str) -> None:
        """Count that a bucket's calls in flight are as many as configured again."""
        if target in self._counted:
            self._restored.labels(target).inc()


@dataclass(frozen=True, slots=True)
class RequestCounter:
    """Counts one target's requests; made for the `traffic` of its transport."""

    target: str
    metrics: ExporterMetrics

    def sent(self, operation: str, requests: int = 1) -> None:
        """Count requests."""
        self.metrics.request_sent(self.target, operation, requests)

    def failed(self, operation: str, reason: Reason) -> None:
        """Count a failed request."""
        self.metrics.request_failed(self.target, operation, reason)


def process_registry(shard: Shard = UNSHARDED) -> CollectorRegistry:
    """Return a new registry with the metrics of the process, its version and its shard."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    _BUILD.info(registry).info({"version": __version__})
    _SHARDS.gauge(registry).set(shard.total)
    _SHARD_ORDINAL.gauge(registry).set(shard.ordinal)
    return registry


def run_registry(targets: Iterable[str]) -> CollectorRegistry:
    """Return a new registry of a run that ends and scanned these targets: its version.

    It has nothing of the process, of reloads and of shards. The version has a series for each target: of a
    series without, a node_exporter could read only one file.
    """
    registry = CollectorRegistry()
    build = _BUILD.info(registry, "target")
    for target in targets:
        build.labels(target).info({"version": __version__})
    return registry
