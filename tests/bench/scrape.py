"""What a scrape costs with 2,000 buckets on the board."""

import random

from bench.measure import cost, take_turns
from bench.verdict import Row, at_most, shown, verdict
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from exporter.config.settings import BucketSettings, Settings, StoreKind, TargetSettings
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics, process_registry
from exporter.metrics.exposition import Exposition, gzip
from exporter.metrics.targets import TargetCollector
from exporter.model.results import ScanResult, Summary
from exporter.model.targets import TargetStatus
from exporter.state.board import Board, Entry
from exporter.stores.registry import make_store

TARGETS, BUCKETS = 20, 100
CHANGED = 0.05
"""Of the buckets between two scrapes: scanned every 5 minutes, scraped every 15 seconds."""
LIMIT_MS = 50.0
NOW = 1_790_000_000.0


def scrape_2000_buckets(rounds: int) -> Row:
    """Compare a scrape of ours with one that renders everything anew; both compress alike."""
    settings = Settings(tuple(_target(number) for number in range(TARGETS)))
    board = Board()
    board.declare(
        Entry(target.name, bucket.name, "s3", 86400.0, settings.ages)
        for target in settings.targets
        for bucket in target.buckets
    )
    keys = [(entry.target, entry.bucket) for entry in board.entries()]
    chance = random.Random(7)
    collector = BoardCollector(board)
    registry = _own_registry(settings)
    full = _own_registry(settings)
    full.register(collector)
    exposition = Exposition(collector, registry)

    def scan(share: float) -> None:
        for key in chance.sample(keys, round(len(keys) * share)):
            board.publish(key, ScanResult(_summary(chance, len(settings.ages)), NOW, chance.uniform(0.1, 60)))

    scan(1.0)
    exposition.render()
    body = exposition.render()
    ours, baseline = take_turns(
        rounds,
        lambda: cost(lambda: gzip(exposition.render())),
        lambda: cost(lambda: gzip(generate_latest(full))),
        between=lambda: scan(CHANGED),
    )
    sizes = {"lines": body.count(b"\n"), "bytes": len(body), "gzip_bytes": len(gzip(body))}
    within = at_most("ms of CPU", ours.cpu * 1000, LIMIT_MS)
    return verdict([within], ours=shown(ours), baseline=shown(baseline), **sizes)


def _target(number: int) -> TargetSettings:
    buckets = tuple(BucketSettings(f"company-team-{number:02}-data-{bucket:03}") for bucket in range(BUCKETS))
    return TargetSettings(name=f"prod-{number:02}", store=StoreKind.S3, buckets=buckets, region="eu-west-1")


def _own_registry(settings: Settings) -> CollectorRegistry:
    registry = process_registry()
    stores = [(target, make_store(target, None)) for target in settings.targets]
    ExporterMetrics(registry).preset(stores)
    watched = [TargetStatus(target, target.buckets) for target in settings.targets]
    registry.register(TargetCollector(lambda: watched))
    return registry


def _summary(chance: random.Random, ages: int) -> Summary:
    uploads = int(chance.paretovariate(0.6))
    cuts = sorted(chance.randint(0, uploads) for _ in range(ages))
    size = uploads * chance.randint(1, 100) * 8 * 1024 * 1024
    infrequent = size // 3 if chance.random() < 0.5 else 0
    classes = [("STANDARD", size - infrequent), *([("STANDARD_IA", infrequent)] if infrequent else [])]
    return Summary(
        uploads=uploads,
        undated=0,
        unsized=0,
        empty=uploads // 10,
        parts=uploads * 20,
        bytes=size,
        stale=cuts[0],
        stale_bytes=size // 2,
        oldest_initiated=NOW - chance.uniform(0, 1e7),
        oldest_activity=NOW - chance.uniform(0, 1e7),
        age_counts=(*cuts, uploads),
        age_sum=uploads * chance.uniform(0, 1e6),
        bytes_by_class=tuple(classes),
        parts_known=True,
    )
