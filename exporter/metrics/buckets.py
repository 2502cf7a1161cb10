"""Board to metric families: the state of each bucket, as of its last scan."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.utils import floatToGoString

from exporter.config.durations import duration_text
from exporter.metrics.breakdown import breakdown, labels_of
from exporter.metrics.bucket_info import bucket_info
from exporter.metrics.definition import BUCKET_LABELS, Definition, Kind
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric
    from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily

    from exporter.model.results import Summary
    from exporter.state.board import Board, Entry

T = TypeVar("T")

# A value of None makes no sample.
_SUMMARY: dict[Definition, Callable[[Summary], float | None]] = {
    Definition(
        "mpu_uploads_in_progress",
        "Uploads that were initiated and neither completed nor aborted, as of the last scan.",
    ): lambda summary: summary.uploads,
    Definition(
        "mpu_pending_bytes",
        "Bytes of the parts of uploads in progress, without the uploads whose bytes are not known.",
    ): lambda summary: summary.bytes,
    Definition(
        "mpu_pending_parts",
        "Parts of uploads in progress, without the uploads whose bytes are not known.",
        on_dashboard=False,
    ): lambda summary: summary.parts,
    Definition(
        "mpu_fullest_upload_parts",
        "Parts of the upload in progress that has the most, without the uploads whose bytes are not known.",
        see="#parts-of-one-upload",
    ): lambda summary: summary.fullest_upload_parts,
    Definition(
        "mpu_oldest_initiated_timestamp_seconds",
        "When the oldest upload in progress was initiated; no sample when there is none. Azure tells no "
        "times: when it was first listed, so that it is at least that old.",
        see="#first-sight",
    ): lambda summary: summary.oldest_initiated,
    Definition(
        "mpu_oldest_activity_timestamp_seconds",
        "Last activity (newest part, else initiation) of the upload in progress that has been idle longest; "
        "no sample when there is none. Azure: when its blocks were last seen to change.",
    ): lambda summary: summary.oldest_activity,
    Definition(
        "mpu_stale_uploads",
        "Uploads in progress without activity for stale_after. Azure: no sample where a command scans.",
    ): lambda summary: summary.stale,
    Definition(
        "mpu_stale_bytes", "Bytes of the parts of stale uploads, without those whose bytes are not known."
    ): lambda summary: summary.stale_bytes,
    Definition(
        "mpu_empty_uploads",
        "Uploads in progress without parts: not billed, but on some stores the bucket cannot be deleted.",
    ): lambda summary: summary.empty,
    Definition(
        "mpu_unsized_uploads",
        "Uploads in progress whose bytes are not known: asking for their parts was refused, failed, or had "
        "no time left.",
    ): lambda summary: summary.unsized if summary.parts_known else None,
    Definition(
        "mpu_recheck_overdue_uploads",
        "Uploads in progress whose parts were not listed again in time: their bytes are older than promised.",
        see="performance.md#how-old-sizes-may-be",
    ): lambda summary: summary.overdue if summary.parts_known else None,
    Definition(
        "mpu_undated_uploads",
        "Uploads in progress whose initiation time is missing or implausible; left out of every age. Azure: "
        "all of them where a command scans, as it sees them for the first time.",
    ): lambda summary: summary.undated,
    Definition(
        "mpu_store_reported_uploads",
        "Uploads in progress by the store's own count, which is to equal mpu_uploads_in_progress; only with "
        "ceph_admin.",
        see="stores.md#ceph",
        on_dashboard=False,
    ): lambda summary: summary.reported,
}
_ASKED_BY_NAME: dict[Definition, Callable[[Summary], float | None]] = {
    Definition(
        "mpu_unlisted_uploads",
        "Uploads in progress that the store has though its listing of the bucket lacks them; counted in all "
        "other metrics.",
        see="#what-a-listing-hides",
    ): lambda summary: summary.unlisted if summary.parts_known else None,
    Definition(
        "mpu_denied_uploads",
        "Uploads that the store lists and then denies when asked by name; counted in no other metric.",
    ): lambda summary: summary.denied if summary.parts_known else None,
}
_AGES = Definition(
    "mpu_upload_age_seconds",
    "Ages of uploads in progress at the start of the last scan (Azure: at least these); a snapshot, never "
    "rate() it.",
    kind=Kind.GAUGE_HISTOGRAM,
    see="#ages",
)
_OLDER = Definition(
    "mpu_uploads_older_than",
    "Uploads in progress that were older at the start of the last scan (Azure: at least so many); with "
    "ages_as: gauges, in place of the histogram.",
    labels=(*BUCKET_LABELS, "age"),
    see="#ages",
)
_CLASSES = Definition(
    "mpu_pending_bytes_by_class",
    "The same bytes as mpu_pending_bytes by storage class; at most 20 classes, the rest as other.",
    labels=(*BUCKET_LABELS, "storage_class"),
)
_SCAN: dict[Definition, Callable[[Entry], float | None]] = {
    Definition(
        "mpu_scan_success",
        "1 if the bucket's last scan finished, else 0; no sample until a first scan has ended.",
    ): lambda entry: entry.success,
    Definition(
        "mpu_scan_complete",
        "1 if the bucket's last scan finished, left no upload unsized, found none unlisted or denied, and "
        "was not kept from looking for such, else 0; no sample until a first scan has ended.",
    ): lambda entry: None if entry.success is None else entry.complete,
    Definition("mpu_scan_duration_seconds", "Duration of the bucket's last scan."): lambda entry: (
        entry.duration
    ),
    Definition(
        "mpu_scan_last_success_timestamp_seconds",
        "When the bucket's last successful scan ended: all its values are as of then.",
    ): lambda entry: entry.last_success,
}
_FAILING = Definition(
    "mpu_scan_failing",
    "1 while the bucket's last scan failed, by reason; else no sample.",
    labels=(*BUCKET_LABELS, "reason"),
)
OF_UPLOADS = (*_SUMMARY, *_ASKED_BY_NAME, _AGES, _OLDER, _CLASSES)
OF_SCANS = (*_SCAN, _FAILING)


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
            *_gauges(_SUMMARY, _summaries(entries)),
            *_gauges(
                _ASKED_BY_NAME, _summaries(each for each in entries if store_type(each.store).lists_by_key)
            ),
            _ages(entries),
            _older(entries),
            _classes(entries),
            *breakdown(entries),
            bucket_info(entries),
            *_gauges(_SCAN, ((entry, entry) for entry in entries)),
            _failing(entries),
        ):
            if family.samples:
                yield family


def _summaries(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Summary]]:
    return ((entry, entry.summary) for entry in entries if entry.summary)


def _gauges(
    values: Mapping[Definition, Callable[[T], float | None]], rows: Iterable[tuple[Entry, T]]
) -> Iterator[GaugeMetricFamily]:
    rows = list(rows)
    for definition, value_of in values.items():
        family = definition.gauges()
        for entry, subject in rows:
            value = value_of(subject)
            if value is not None:
                family.add_metric(labels_of(entry), float(value))
        yield family


def _ages(entries: Iterable[Entry]) -> GaugeHistogramMetricFamily:
    family = _AGES.gauge_histograms()
    for entry in entries:
        if entry.summary and entry.summary.age_counts and entry.ages_as == "histogram":
            counts = zip(_bounds(entry.ages), map(float, entry.summary.age_counts), strict=True)
            family.add_metric(labels_of(entry), list(counts), entry.summary.age_sum)
    return family


def _older(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = _OLDER.gauges()
    for entry in entries:
        if entry.summary and entry.summary.age_counts and entry.ages_as == "gauges":
            *at_most, dated = entry.summary.age_counts
            for age, count in zip(entry.ages, at_most, strict=True):
                family.add_metric((*labels_of(entry), duration_text(age)), float(dated - count))
    return family


@lru_cache(maxsize=8)
def _bounds(ages: tuple[float, ...]) -> tuple[str, ...]:
    return (*(floatToGoString(age) for age in ages), "+Inf")  # type: ignore[no-untyped-call]


def _classes(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = _CLASSES.gauges()
    for entry in entries:
        for storage_class, size in entry.summary.bytes_by_class if entry.summary else ():
            family.add_metric((*labels_of(entry), storage_class), float(size))
    return family


def _failing(entries: Iterable[Entry]) -> GaugeMetricFamily:
    family = _FAILING.gauges()
    for entry in entries:
        if entry.failure:
            family.add_metric((*labels_of(entry), entry.failure.reason), 1.0)
    return family
