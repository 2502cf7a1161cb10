"""Board to metric families: what is spent, who is to blame, who will clean up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.model.results import Group, Summary
    from exporter.state.board import Entry

    Rows = Sequence[tuple[Entry, Summary]]

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
    yield _cost(rows)
    yield from _rules(rows)
    yield from _aborts(rows)
    yield from _groups("prefix", rows, lambda summary: summary.prefixes)
    yield from _groups("initiator", rows, lambda summary: summary.initiators)


def labels_of(entry: Entry) -> tuple[str, str, str]:
    """Return the values of BUCKET_LABELS."""
    return entry.target, entry.store, entry.bucket


def _cost(rows: Rows) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "mpu_estimated_monthly_cost",
        "What the parts of uploads in progress cost a month at the target's own prices, where known.",
        labels=(*BUCKET_LABELS, "currency"),
    )
    for entry, summary in rows:
        cost = None
        if entry.tariff and summary.bytes is not None:
            cost = entry.tariff.monthly(summary.bytes_by_class)
        if entry.tariff and cost is not None:
            family.add_metric((*labels_of(entry), entry.tariff.currency), cost)
    return family


def _rules(rows: Rows) -> Iterator[GaugeMetricFamily]:
    labels = (*BUCKET_LABELS, "scope")
    present = GaugeMetricFamily(
        "mpu_abort_rule_present",
        "Whether an enabled lifecycle rule aborts all uploads watched (bucket), or some of them (prefix).",
        labels=labels,
    )
    seconds = GaugeMetricFamily(
        "mpu_abort_rule_seconds",
        "After what time the shortest such rule aborts an upload.",
        labels=labels,
    )
    for entry, summary in rows:
        rules = summary.abort_rules._asdict() if summary.abort_rules else {}
        for scope, after in rules.items():
            present.add_metric((*labels_of(entry), scope), float(after is not None))
            if after is not None:
                seconds.add_metric((*labels_of(entry), scope), after)
    yield present
    yield seconds


def _groups(
    by: str, rows: Rows, groups_of: Callable[[Summary], tuple[Group, ...] | None]
) -> Iterator[GaugeMetricFamily]:
    labels, rest = (*BUCKET_LABELS, by), "the largest groups, and all others as ''"
    uploads = GaugeMetricFamily(f"mpu_{by}_uploads", f"Uploads in progress by {by}: {rest}.", labels=labels)
    size = GaugeMetricFamily(
        f"mpu_{by}_bytes",
        f"Bytes of the parts of uploads in progress, where known, by {by}: {rest}.",
        labels=labels,
    )
    for entry, summary in rows:
        for group in groups_of(summary) or ():
            uploads.add_metric((*labels_of(entry), group.name), float(group.uploads))
            if group.bytes is not None:
                size.add_metric((*labels_of(entry), group.name), float(group.bytes))
    yield uploads
    yield size


def _aborts(rows: Rows) -> Iterator[GaugeMetricFamily]:
    for name, text, value_of in _ABORT:
        family = GaugeMetricFamily(name, text, labels=BUCKET_LABELS)
        for entry, summary in rows:
            value = value_of(summary)
            if value is not None and store_type(entry.store).has_abort_dates:
                family.add_metric(labels_of(entry), float(value))
        yield family
