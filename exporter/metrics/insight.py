"""Board to metric families: who is to blame, who will clean up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from exporter.board import Entry
    from exporter.summary import Summary

BUCKET_LABELS = ("target", "store", "bucket")

_ABORT: tuple[tuple[str, str, Callable[[Summary], float | None]], ...] = (
    (
        "mpu_abort_scheduled_uploads",
        "Uploads in progress of which the store said when a lifecycle rule will abort them.",
        lambda summary: summary.abort_scheduled,
    ),
    (
        "mpu_abort_overdue_uploads",
        "Uploads in progress that a lifecycle rule should have aborted more than 2 days ago.",
        lambda summary: summary.abort_overdue,
    ),
)


def insights(entries: Sequence[Entry]) -> Iterator[GaugeMetricFamily]:
    """Yield the families, those without samples too."""
    rows = [(entry, entry.summary) for entry in entries if entry.summary]
    yield from _aborts(rows)


def labels_of(entry: Entry) -> tuple[str, str, str]:
    """Return the values of BUCKET_LABELS."""
    return entry.target, entry.store, entry.bucket


def _aborts(rows: Iterable[tuple[Entry, Summary]]) -> Iterator[GaugeMetricFamily]:
    for name, text, value_of in _ABORT:
        family = GaugeMetricFamily(name, text, labels=BUCKET_LABELS)
        for entry, summary in rows:
            value = value_of(summary)
            if value is not None and entry.store == "s3":  # no other store says it
                family.add_metric(labels_of(entry), float(value))
        yield family
