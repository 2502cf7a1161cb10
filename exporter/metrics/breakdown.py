"""Board to metric families: uploads by cost, by abort rule, by prefix and by initiator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.definition import BUCKET_LABELS, Definition
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.core import GaugeMetricFamily

    from exporter.model.results import Group, Summary
    from exporter.state.board import Entry

    Rows = Sequence[tuple[Entry, Summary]]

_COST = Definition(
    "mpu_estimated_monthly_cost",
    "Monthly cost of the bytes of uploads in progress at the target's own prices; "
    "no sample where any of them has no price.",
    labels=(*BUCKET_LABELS, "currency"),
    see="#cost",
)
_RULE_PRESENT = Definition(
    "mpu_abort_rule_present",
    "1 if an enabled lifecycle rule aborts all watched uploads (scope bucket) or some of them (scope "
    "prefix), else 0; only with lifecycle: true. 1 with scope store: the store removes uploads by itself, as "
    "the config says with cleanup, and as azure does.",
    labels=(*BUCKET_LABELS, "scope"),
    see="#abort-rules-of-the-store",
)
_RULE_SECONDS = Definition(
    "mpu_abort_rule_seconds",
    "Time after which the shortest such rule, or the store itself, aborts an upload; no sample without one.",
    labels=(*BUCKET_LABELS, "scope"),
)
_ABORTS: dict[Definition, Callable[[Summary], float | None]] = {
    Definition(
        "mpu_abort_scheduled_uploads",
        "Uploads in progress for which the store announced when a lifecycle rule will abort them; s3 only.",
        see="#abort-rules-of-the-store",
    ): lambda summary: summary.abort_scheduled,
    Definition(
        "mpu_abort_overdue_uploads",
        "Uploads in progress that a lifecycle rule should have aborted more than 2 days ago; s3 only.",
    ): lambda summary: summary.abort_overdue,
}


def _of_groups(by: str, what: str) -> tuple[Definition, Definition]:
    labels, rest = (*BUCKET_LABELS, by), "one series per largest group, all others under an empty name"
    return (
        Definition(f"mpu_{by}_uploads", f"Uploads in progress by {what}: {rest}.", labels, see="#groups"),
        Definition(
            f"mpu_{by}_bytes",
            f"Bytes of the parts of uploads in progress, where known, by {what}: {rest}.",
            labels,
        ),
    )


_PREFIXES = _of_groups("prefix", "the folder they are in")
_INITIATORS = _of_groups("initiator", "who started them")
DEFINITIONS = (_COST, _RULE_PRESENT, _RULE_SECONDS, *_ABORTS, *_PREFIXES, *_INITIATORS)


def breakdown(entries: Sequence[Entry]) -> Iterator[GaugeMetricFamily]:
    """Yield the families, those without samples too."""
    rows = [(entry, entry.summary) for entry in entries if entry.summary]
    yield _cost(rows)
    yield from _rules(rows)
    yield from _aborts(rows)
    yield from _groups(_PREFIXES, rows, lambda summary: summary.prefixes)
    yield from _groups(_INITIATORS, rows, lambda summary: summary.initiators)


def labels_of(entry: Entry) -> tuple[str, str, str]:
    """Return the values of BUCKET_LABELS."""
    return entry.target, entry.store, entry.bucket


def _cost(rows: Rows) -> GaugeMetricFamily:
    family = _COST.gauges()
    for entry, summary in rows:
        cost = None
        if entry.price_list and summary.bytes is not None:
            cost = entry.price_list.monthly(summary.bytes_by_class)
        if entry.price_list and cost is not None:
            family.add_metric((*labels_of(entry), entry.price_list.currency), cost)
    return family


def _rules(rows: Rows) -> Iterator[GaugeMetricFamily]:
    present, seconds = _RULE_PRESENT.gauges(), _RULE_SECONDS.gauges()
    for entry, summary in rows:
        rules = summary.abort_rules._asdict() if summary.abort_rules else {}
        if entry.cleanup_after is not None:
            rules["store"] = entry.cleanup_after
        for scope, after in rules.items():
            present.add_metric((*labels_of(entry), scope), float(after is not None))
            if after is not None:
                seconds.add_metric((*labels_of(entry), scope), after)
    yield present
    yield seconds


def _groups(
    definitions: tuple[Definition, Definition],
    rows: Rows,
    groups_of: Callable[[Summary], tuple[Group, ...] | None],
) -> Iterator[GaugeMetricFamily]:
    uploads, size = (definition.gauges() for definition in definitions)
    for entry, summary in rows:
        for group in groups_of(summary) or ():
            uploads.add_metric((*labels_of(entry), group.name), float(group.uploads))
            if group.bytes is not None:
                size.add_metric((*labels_of(entry), group.name), float(group.bytes))
    yield uploads
    yield size


def _aborts(rows: Rows) -> Iterator[GaugeMetricFamily]:
    for definition, value_of in _ABORTS.items():
        family = definition.gauges()
        for entry, summary in rows:
            value = value_of(summary)
            if value is not None and store_type(entry.store).has_abort_dates:
                family.add_metric(labels_of(entry), float(value))
        yield family
