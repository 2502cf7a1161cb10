"""Board to metric families: the tags of buckets that the config names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.checks import tag_label
from exporter.metrics.breakdown import labels_of
from exporter.metrics.definition import BUCKET_LABELS, Definition, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import InfoMetricFamily

    from exporter.state.board import Entry

_INFO = Definition(
    "mpu_bucket_info",
    "Always 1; the bucket's tags that the config names stand here, for joins; only with tags.",
    (*BUCKET_LABELS, "tag_NAME"),
    kind=Kind.INFO,
    see="#tags-of-buckets",
    on_dashboard=False,
)
DEFINITIONS = (_INFO,)


def bucket_info(entries: Iterable[Entry]) -> InfoMetricFamily:
    """Return the family; a bucket whose tags are not known has no sample."""
    family = _INFO.infos()
    for entry in entries:
        if entry.summary and entry.summary.tags is not None:
            tags = {tag_label(key): value for key, value in entry.summary.tags}
            family.add_metric([], dict(zip(BUCKET_LABELS, labels_of(entry), strict=True)) | tags)
    return family
