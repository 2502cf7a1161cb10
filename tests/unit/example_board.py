"""A board with buckets on it, and what is drawn from it: what the tests of the web side share."""

from dataclasses import fields, replace
from types import SimpleNamespace

from fakes import NOW, Clock
from prometheus_client import CollectorRegistry, Counter, disable_created_metrics

from exporter.config.settings import AgesAs, BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import Prices
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics, process_registry
from exporter.metrics.exposition import Exposition
from exporter.metrics.targets import TargetCollector
from exporter.model.cost import PriceList
from exporter.model.errors import Failure, Reason
from exporter.model.results import AbortRules, Group, ScanResult, Summary
from exporter.model.targets import Discovery, TargetStatus
from exporter.state.board import Board, Entry
from exporter.web.app import App

AGES = (3600.0, 86400.0)
HOSTILE = "a\"b\\c\nd\re\tf<script>alert('x')</script>&amp;{}%s\u2028ä🪣"
SUMMARY = Summary(
    uploads=5,
    undated=1,
    unsized=1,
    empty=1,
    parts=7,
    bytes=123_456_789,
    stale=2,
    stale_bytes=1_000_000,
    oldest_initiated=NOW - 90_000.5,
    oldest_activity=NOW - 7200,
    age_counts=(1, 3, 4),
    age_bytes=(1_000_000, 23_000_000, 123_000_000),
    age_sum=101_234.25,
    bytes_by_class=(("STANDARD", 123_000_000), ("STANDARD_IA", 456_789)),
    parts_known=True,
    abort_scheduled=3,
    abort_overdue=1,
    fullest_upload_parts=4,
    abort_rules=AbortRules(bucket=604800.0),
    tags=(("owner", "storage"), ("cost center", "é <42>")),
    prefixes=(Group("backups/", 3, 123_000_000), Group("", 2, None)),
    reported=6,
    initiators=(Group("arn:aws:iam::123456789012:user/backup", 5, 123_456_789), Group("", 0, 0)),
)
NOTHING = replace(
    SUMMARY,
    **dict.fromkeys(("uploads", "undated", "unsized", "empty", "parts", "bytes", "stale", "stale_bytes"), 0),
    **dict.fromkeys(("abort_scheduled", "abort_overdue", "fullest_upload_parts"), 0),
    oldest_initiated=None,
    oldest_activity=None,
    age_counts=(0, 0, 0),
    age_bytes=(0, 0, 0),
    age_sum=0.0,
    bytes_by_class=(),
    abort_rules=AbortRules(),
    tags=None,
    reported=None,
    prefixes=(Group("", 0, 0),),
    initiators=None,
)
PRICE_LIST = PriceList(Prices("EUR", default=0.02))


class ExampleBoard:
    """A board, and the expositions and the application that show it."""

    def __init__(
        self,
        *buckets: str,
        ages: tuple[float, ...] = AGES,
        ages_as: AgesAs = "histogram",
        keep_for: float = 100.0,
    ):
        self.clock = Clock()
        self.board = Board(self.clock.monotonic)
        entries = (self.entry(bucket, ages=ages, keep_for=keep_for) for bucket in buckets)
        self.board.declare(replace(entry, ages_as=ages_as) for entry in entries)
        self.collector = BoardCollector(self.board)
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self.counter = Counter("own_work", "What the exporter did.", registry=self.registry)
        self.text = Exposition(self.collector, self.registry)
        self.openmetrics = Exposition(self.collector, self.registry, openmetrics=True)
        self.ready = True
        self.app = App(self.board, self.text, self.openmetrics, lambda: self.ready)

    @staticmethod
    def entry(bucket: str, *, ages: tuple[float, ...] = AGES, keep_for: float = 100.0) -> Entry:
        return Entry("prod", bucket, "s3", keep_for, ages, price_list=PRICE_LIST)

    def publish(self, bucket: str, summary: Summary = SUMMARY) -> None:
        self.board.publish(("prod", bucket), ScanResult(summary, finished=NOW + 12.5, duration=1.25))

    def full(self) -> CollectorRegistry:
        """Return a registry of all that is shown, for the library to render."""
        registry = CollectorRegistry()
        registry.register(self.collector)
        registry.register(self.registry)
        return registry


def metric_values(summary: Summary) -> dict[str, float]:
    """Return by metric the first sample that is shown of a bucket with this summary."""
    drawn = ExampleBoard("media")
    drawn.publish("media", summary)
    return {family.name: family.samples[0].value for family in drawn.collector.collect()}


def complete(summary: Summary) -> Summary:
    """Return the summary with a 1 for each number that it lacks."""
    lacking = [field.name for field in fields(summary) if getattr(summary, field.name) is None]
    return replace(summary, **dict.fromkeys(lacking, 1))


def full_registry() -> CollectorRegistry:
    """Return a registry in which every metric has a sample."""
    board = Board()
    board.declare(
        Entry("t", name, "s3", 60.0, AGES, ages_as, price_list=PRICE_LIST)
        for name, ages_as in (("good", "histogram"), ("gauges", "gauges"), ("bad", "histogram"))
    )
    board.publish(("t", "gauges"), ScanResult(SUMMARY, finished=2.0, duration=1.0))
    board.publish(("t", "good"), ScanResult(complete(SUMMARY), finished=2.0, duration=1.0))
    board.fail(("t", "bad"), Failure(Reason.TLS, ""), 1.0)
    target = TargetSettings("t", StoreKind.S3, (BucketSettings("good"), BucketSettings("bad")))
    stores = [(target, SimpleNamespace(operations=("ListParts",), signing_region="eu-west-1"))]
    registry = process_registry()
    registry.register(BoardCollector(board))
    registry.register(
        TargetCollector(lambda: [TargetStatus(target, target.buckets, discovery=Discovery(success=True))])
    )
    metrics = ExporterMetrics(registry)
    metrics.preset(stores)
    metrics.config_read(used=True, now=1.0)
    metrics.scan_failed("t", Reason.TLS)
    metrics.request_sent("t", "ListParts")
    metrics.request_failed("t", "ListParts", Reason.TLS)
    return registry
