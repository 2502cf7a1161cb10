"""Board to metric families: the only file with metric names. Values are as of each bucket's last scan."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.utils import floatToGoString

from exporter import __version__
from exporter.model import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from exporter.board import Board, Entry
    from exporter.config.settings import TargetSettings
    from exporter.stores.base import Store
    from exporter.summary import Summary

T = TypeVar("T")

BUCKET_LABELS = ("target", "store", "bucket")

_STATE: tuple[tuple[str, str, Callable[[Summary], float | None]], ...] = (
    (
        "mpu_uploads_in_progress",
        "Multipart uploads in progress, as of the last scan.",
        lambda summary: summary.uploads,
    ),
    (
        "mpu_pending_bytes",
        "Bytes of the parts of uploads in progress, where known, as of the last scan.",
        lambda summary: summary.bytes,
    ),
    (
        "mpu_pending_parts",
        "Parts of uploads in progress, where known, as of the last scan.",
        lambda summary: summary.parts,
    ),
    (
        "mpu_oldest_initiated_timestamp_seconds",
        "When the oldest upload in progress was initiated.",
        lambda summary: summary.oldest_initiated,
    ),
    (
        "mpu_oldest_activity_timestamp_seconds",
        "The least recent last activity (newest part, else initiation) of any upload in progress.",
        lambda summary: summary.oldest_activity,
    ),
    (
        "mpu_stale_uploads",
        "Uploads in progress without activity for the target's stale_after.",
        lambda summary: summary.stale,
    ),
    (
        "mpu_stale_bytes",
        "Bytes of the parts of stale uploads, where known.",
        lambda summary: summary.stale_bytes,
    ),
    ("mpu_empty_uploads", "Uploads in progress that have no parts.", lambda summary: summary.empty),
    (
        "mpu_unsized_uploads",
        "Uploads in progress whose bytes are not known.",
        lambda summary: summary.unsized if summary.parts_known else None,
    ),
    (
        "mpu_recheck_overdue_uploads",
        "Uploads in progress that were not asked about again in time: their bytes are older than promised.",
        lambda summary: summary.overdue if summary.parts_known else None,
    ),
    (
        "mpu_undated_uploads",
        "Uploads in progress whose initiation is not known; they are left out of every age.",
        lambda summary: summary.undated,
    ),
)
_SCAN: tuple[tuple[str, str, Callable[[Entry], float | None]], ...] = (
    (
        "mpu_scan_success",
        "Whether the bucket's last scan finished.",
        lambda entry: None if entry.success is None else float(entry.success),
    ),
    (
        "mpu_scan_complete",
        "Whether the bucket's last scan finished and left no upload unsized.",
        lambda entry: None if entry.success is None else float(entry.complete),
    ),
    ("mpu_scan_duration_seconds", "How long the bucket's last scan took.", lambda entry: entry.duration),
    (
        "mpu_scan_last_success_timestamp_seconds",
        "When the bucket's last successful scan ended: the age of all its values.",
        lambda entry: entry.last_success,
    ),
)


class BoardCollector:
    """Builds the families of all buckets afresh; a vanished bucket's series vanish by themselves."""

    def __init__(self, board: Board, ages: Sequence[float]) -> None:
        """Make a collector; `ages` are the bounds of the age histogram in seconds."""
        self.board = board
        self._bounds = [*(floatToGoString(age) for age in ages), "+Inf"]  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """Yield every family with the samples of all buckets."""
        yield from self.families(self.board.entries())

    def families(self, entries: Sequence[Entry]) -> Iterator[Metric]:
        """Yield every family with the samples of `entries`; a family without samples is left out."""
        for family in (
            *_gauges(_STATE, ((entry, entry.summary) for entry in entries if entry.summary)),
            self._ages(entries),
            _classes(entries),
            *_gauges(_SCAN, ((entry, entry) for entry in entries)),
            _failing(entries),
        ):
            if family.samples:
                yield family

    def _ages(self, entries: Sequence[Entry]) -> GaugeHistogramMetricFamily:
        family = GaugeHistogramMetricFamily(
            "mpu_upload_age_seconds",
            "Ages of uploads in progress at the start of the last scan. A snapshot: never rate() it.",
            labels=BUCKET_LABELS,
        )
        for entry in entries:
            if entry.summary and entry.summary.age_counts:
                counts = zip(self._bounds, map(float, entry.summary.age_counts), strict=True)
                family.add_metric(_labels(entry), list(counts), entry.summary.age_sum)
        return family


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


class OwnWork:
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
        self._requests_of = cache(self._requests.labels)  # a lookup takes 1 µs, and a call should take 40

    def preset(self, targets: Iterable[tuple[TargetSettings, Store]]) -> None:
        """Set the counters of these targets to zero: what has not happened yet is known, too."""
        for target, store in targets:
            for reason in Reason:
                self._failures.labels(target.name, reason)
            for operation in store.operations:
                self._requests.labels(target.name, operation)
            self._saved.labels(target.name)
            self._halved.labels(target.name)
            self._restored.labels(target.name)

    def scan_failed(self, target: str, reason: Reason) -> None:
        """Count a failed scan."""
        self._failures.labels(target, reason).inc()

    def request_sent(self, target: str, operation: str) -> None:
        """Count a request."""
        self._requests_of(target, operation).inc()

    def request_failed(self, target: str, operation: str, reason: Reason) -> None:
        """Count a failed request."""
        self._request_failures.labels(target, operation, reason).inc()

    def requests_saved(self, target: str, count: int) -> None:
        """Count calls that were not needed."""
        self._saved.labels(target).inc(count)

    def state_failed(self) -> None:
        """Count a failed use of the state file."""
        self._state_failures.inc()

    def concurrency_halved(self, target: str) -> None:
        """Count a halving of a bucket's calls in flight."""
        self._halved.labels(target).inc()

    def concurrency_restored(self, target: str) -> None:
        """Count that a bucket's calls in flight are as many as configured again."""
        self._restored.labels(target).inc()


def process_registry() -> CollectorRegistry:
    """Return a fresh registry with what the process says of itself."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    build = Info("mpu_exporter_build", "The version of this exporter.", registry=registry)
    build.info({"version": __version__})
    return registry


def _gauges(
    table: Iterable[tuple[str, str, Callable[[T], float | None]]], rows: Iterable[tuple[Entry, T]]
) -> Iterator[GaugeMetricFamily]:
    rows = list(rows)
    for name, text, value_of in table:
        family = GaugeMetricFamily(name, text, labels=BUCKET_LABELS)
        for entry, subject in rows:
            value = value_of(subject)
            if value is not None:
                family.add_metric(_labels(entry), float(value))
        yield family


def _classes(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "mpu_pending_bytes_by_class",
        "Bytes of the parts of uploads in progress by storage class, where known.",
        labels=(*BUCKET_LABELS, "storage_class"),
    )
    for entry in entries:
        for storage_class, size in entry.summary.bytes_by_class if entry.summary else ():
            family.add_metric((*_labels(entry), storage_class), float(size))
    return family


def _failing(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "mpu_scan_failing",
        "1 while the bucket's last scan failed, with the reason; else no sample.",
        labels=(*BUCKET_LABELS, "reason"),
    )
    for entry in entries:
        if entry.reason:
            family.add_metric((*_labels(entry), entry.reason), 1.0)
    return family


def _labels(entry: Entry) -> tuple[str, str, str]:
    return entry.target, entry.store, entry.bucket


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
