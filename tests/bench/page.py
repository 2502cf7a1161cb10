"""What the status page costs with 2,000 buckets on the board, beside a scrape of the same board."""

from bench.boards import BUCKETS, NOW, TARGETS, FilledBoard, bucket_name
from bench.measure import cost, take_turns
from bench.verdict import Row, at_most, shown, verdict
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exposition import Exposition, gzip
from exporter.model.targets import ScanTimes, TargetStatus
from exporter.web.app import App, Request
from exporter.web.query import Query

AGES = (3600.0, 21600.0, 86400.0, 259200.0, 604800.0, 2592000.0)
TIMES = 0.5
"""Of a scrape that renders everything: a page of a hundred rows, with totals and order over all."""


def page_2000_buckets(rounds: int) -> Row:
    """Compare `/`, sorted by bytes and compressed, with the metrics rendered by the library."""
    watched = [_watched(number) for number in range(TARGETS)]
    board = FilledBoard(AGES).board
    registry = CollectorRegistry()
    collector = BoardCollector(board)
    registry.register(collector)
    exposition = Exposition(collector, CollectorRegistry())
    app = App(board, exposition, exposition, lambda: True, targets=lambda: watched)
    request = Request({"accept-encoding": "gzip"}, Query.parse(b"sort=bytes"))
    route = app.routes["/"]
    ours, baseline = take_turns(
        rounds,
        lambda: cost(lambda: route.handler(request)),
        lambda: cost(lambda: gzip(generate_latest(registry))),
    )
    within = at_most("times the CPU of the baseline", ours.cpu / baseline.cpu, TIMES)
    return verdict(
        [within], ours=shown(ours), baseline=shown(baseline), gzip_bytes=len(route.handler(request).body)
    )


def _watched(number: int) -> TargetStatus:
    buckets = tuple(BucketSettings(bucket_name(number, bucket)) for bucket in range(BUCKETS))
    settings = TargetSettings(
        name=f"prod-{number:02}", store=StoreKind.S3, buckets=buckets, region="eu-west-1"
    )
    return TargetStatus(settings, buckets, "eu-west-1", {bucket.name: ScanTimes(NOW) for bucket in buckets})
