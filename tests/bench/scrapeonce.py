"""A process that renders /metrics of 2,000 buckets again and again, as a scrape gets them: `scrapeonce.py`.

Between two scrapes a twentieth of the buckets is scanned. Prints the milliseconds of CPU of a scrape, and how
large it is; `all_ms` is what it takes to render everything anew by the library of metrics.
"""

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.boards import BUCKETS, TARGETS, FilledBoard, bucket_name
from bench.measure import cost
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from exporter.config.settings import BucketSettings, Settings, StoreKind, TargetSettings
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics, process_registry
from exporter.metrics.exposition import Exposition, gzip
from exporter.metrics.targets import TargetCollector
from exporter.model.targets import TargetStatus
from exporter.stores.registry import make_store

CHANGED = 0.05
"""Of the buckets between two scrapes: scanned every 5 minutes, scraped every 15 seconds."""
SCRAPES, ANEW = 30, 3


def main() -> None:
    """Render, and print."""
    settings = Settings(tuple(_target(number) for number in range(TARGETS)))
    filled = FilledBoard(settings.ages)
    collector = BoardCollector(filled.board)
    exposition, full = Exposition(collector, _own_registry(settings)), _own_registry(settings)
    full.register(collector)
    exposition.render()
    body = exposition.render()
    report = {
        "ms": _median_ms(filled, SCRAPES, lambda: gzip(exposition.render())),
        "all_ms": _median_ms(filled, ANEW, lambda: gzip(generate_latest(full))),
        "lines": body.count(b"\n"),
        "bytes": len(body),
        "gzip_bytes": len(gzip(body)),
    }
    json.dump(report, sys.stdout)


def _median_ms(filled: FilledBoard, times: int, render: Callable[[], object]) -> float:
    """Return the median of what rendering takes, each time after some buckets were scanned."""
    taken = []
    for _ in range(times):
        filled.scan(CHANGED)
        taken.append(cost(render).cpu)
    return statistics.median(taken) * 1000


def _target(number: int) -> TargetSettings:
    buckets = tuple(BucketSettings(bucket_name(number, bucket)) for bucket in range(BUCKETS))
    return TargetSettings(name=f"prod-{number:02}", store=StoreKind.S3, buckets=buckets, region="eu-west-1")


def _own_registry(settings: Settings) -> CollectorRegistry:
    registry = process_registry()
    stores = [(target, make_store(target, None)) for target in settings.targets]
    ExporterMetrics(registry).preset(stores)
    watched = [TargetStatus(target, target.buckets) for target in settings.targets]
    registry.register(TargetCollector(lambda: watched))
    return registry


if __name__ == "__main__":
    main()
