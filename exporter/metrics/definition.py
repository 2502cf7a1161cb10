"""The definition of one metric, from which /metrics and the table in docs/metrics.md are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Info
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, InfoMetricFamily

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

BUCKET_LABELS = ("target", "store", "bucket")


class Kind(StrEnum):
    """Type of a metric, as OpenMetrics calls it."""

    GAUGE = "gauge"
    GAUGE_HISTOGRAM = "gauge histogram"
    COUNTER = "counter"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric: its name with the suffix of its type (_total, _info), its HELP text and its labels.

    `see` is a link that the table in docs/metrics.md has beside the text, '' for none. `on_dashboard` says
    whether a panel in helm/ shows the metric.
    """

    name: str
    text: str
    labels: tuple[str, ...] = BUCKET_LABELS
    kind: Kind = Kind.GAUGE
    see: str = ""
    on_dashboard: bool = True

    def gauges(self) -> GaugeMetricFamily:
        """Return a family of gauges without samples, for a collector."""
        return GaugeMetricFamily(self.name, self.text, labels=self.labels)

    def gauge_histograms(self) -> GaugeHistogramMetricFamily:
        """Return a family of gauge histograms without samples, for a collector."""
        return GaugeHistogramMetricFamily(self.name, self.text, labels=self.labels)

    def infos(self) -> InfoMetricFamily:
        """Return a family of infos without samples, for a collector; a sample may have further labels."""
        return InfoMetricFamily(self.name.removesuffix("_info"), self.text)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """Register a gauge."""
        return Gauge(self.name, self.text, self.labels, registry=registry)

    def counter(self, registry: CollectorRegistry) -> Counter:
        """Register a counter."""
        return Counter(self.name.removesuffix("_total"), self.text, self.labels, registry=registry)

    def info(self, registry: CollectorRegistry, *each: str) -> Info:
        """Register an info, one of `each` of these labels; its own labels are given with its value."""
        return Info(self.name.removesuffix("_info"), self.text, each, registry=registry)
