"""Board to metric families: the state of each bucket, as of its last scan."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.utils import floatToGoString

from exporter.metrics.breakdown import BUCKET_LABELS, insights, labels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from exporter.model.results import Summary
    from exporter.state.board import Board, Entry

T = TypeVar("T")

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

    def __init__(self, board: Board) -> None:
        """Make a collector."""
        self.board = board

    def collect(self) -> Iterator[Metric]:
        """Yield every family with the samples of all buckets."""
        yield from self.families(self.board.entries())

    def families(self, entries: Sequence[Entry]) -> Iterator[Metric]:
        """Yield every family with the samples of `entries`; a family without samples is left out."""
        for family in (
            *_gauges(_STATE, ((entry, entry.summary) for entry in entries if entry.summary)),
            _ages(entries),
            _classes(entries),
            *insights(entries),
            *_gauges(_SCAN, ((entry, entry) for entry in entries)),
            _failing(entries),
        ):
            if family.samples:
                yield family


def _gauges(
    table: Iterable[tuple[str, str, Callable[[T], float | None]]], rows: Iterable[tuple[Entry, T]]
) -> Iterator[GaugeMetricFamily]:
    rows = list(rows)
    for name, text, value_of in table:
        family = GaugeMetricFamily(name, text, labels=BUCKET_LABELS)
        for entry, subject in rows:
            value = value_of(subject)
            if value is not None:
                family.add_metric(labels_of(entry), float(value))
        yield family


def _ages(entries: Iterable[Entry]) -> GaugeHistogramMetricFamily:
    family = GaugeHistogramMetricFamily(
        "mpu_upload_age_seconds",
        "Ages of uploads in progress at the start of the last scan. A snapshot: never rate() it.",
        labels=BUCKET_LABELS,
    )
    for entry in entries:
        if entry.summary and entry.summary.age_counts:
            counts = zip(_bounds(entry.ages), map(float, entry.summary.age_counts), strict=True)
            family.add_metric(labels_of(entry), list(counts), entry.summary.age_sum)
    return family


@lru_cache(maxsize=8)
def _bounds(ages: tuple[float, ...]) -> tuple[str, ...]:
    return (*(floatToGoString(age) for age in ages), "+Inf")  # type: ignore[no-untyped-call]


def _classes(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "mpu_pending_bytes_by_class",
        "Bytes of the parts of uploads in progress by storage class, where known.",
        labels=(*BUCKET_LABELS, "storage_class"),
    )
    for entry in entries:
        for storage_class, size in entry.summary.bytes_by_class if entry.summary else ():
            family.add_metric((*labels_of(entry), storage_class), float(size))
    return family


def _failing(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "mpu_scan_failing",
        "1 while the bucket's last scan failed, with the reason; else no sample.",
        labels=(*BUCKET_LABELS, "reason"),
    )
    for entry in entries:
        if entry.failure:
            family.add_metric((*labels_of(entry), entry.failure.reason), 1.0)
    return family
