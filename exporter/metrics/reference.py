"""Every metric of the exporter's own; those of the process and of Python are the client library's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics import breakdown, bucket_info, buckets, exporter, targets

if TYPE_CHECKING:
    from exporter.metrics.definition import Definition

DEFINITIONS: tuple[Definition, ...] = (
    *buckets.OF_UPLOADS,
    *breakdown.DEFINITIONS,
    *bucket_info.DEFINITIONS,
    *buckets.OF_SCANS,
    *targets.DEFINITIONS,
    *exporter.DEFINITIONS,
)
"""In the order of the table in docs/metrics.md."""
