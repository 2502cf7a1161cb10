"""What a scrape and the status page cost with 2,000 buckets on the board."""

import asyncio
import random

from bench.measure import cost, take_turns
from bench.verdict import Row, at_most, shown, verdict
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from exporter.board import Board, Entry, ScanResult
from exporter.config.settings import BucketSettings, Settings, StoreKind, TargetSettings
from exporter.exposition import Exposition, gzip
from exporter.metrics import BoardCollector, OwnWork, TargetCollector, process_registry
from exporter.stores.table import make_store
from exporter.summary import Summary
from exporter.watched import Turn, Watched
from exporter.web.app import App

TARGETS, BUCKETS = 20, 100
CHANGED = 0.05
"""Of the buckets between two scrapes: scanned every 5 minutes, scraped every 15 seconds."""
LIMIT_MS = 50.0
LIMIT_SHARE = 0.5
NOW = 1_790_000_000.0


def scrape_2000_buckets(rounds: int) -> Row:
    """Compare a scrape of ours with one that renders everything anew; both compress alike."""
    house = _House()
    collector = BoardCollector(house.board)
    exposition = Exposition(collector, _own_registry(house.settings))
    full = _own_registry(house.settings)
    full.register(collector)
    house.scan(1.0)
    exposition.render()
    body = exposition.render()
    ours, baseline = take_turns(
        rounds,
        lambda: cost(lambda: gzip(exposition.render())),
        lambda: cost(lambda: gzip(generate_latest(full))),
        between=lambda: house.scan(CHANGED),
    )
    sizes = {"lines": body.count(b"\n"), "bytes": len(body), "gzip_bytes": len(gzip(body))}
    within = at_most("ms of CPU", ours.cpu * 1000, LIMIT_MS)
    return verdict([within], ours=shown(ours), baseline=shown(baseline), **sizes)


def status_2000_buckets(rounds: int) -> Row:
    """Compare the status page, and the API's answer about all targets, with a scrape rendered anew."""
    house = _House()
    exposition = Exposition(BoardCollector(house.board), _own_registry(house.settings))
    full = _own_registry(house.settings)
    full.register(BoardCollector(house.board))
    app = App(house.board, exposition, exposition, lambda: True, watched=lambda: house.watched)
    house.scan(1.0)
    page, answer = _ask(app, "/"), _ask(app, "/api/v1/targets")
    ours, api, baseline = take_turns(
        rounds,
        lambda: cost(lambda: _ask(app, "/")),
        lambda: cost(lambda: _ask(app, "/api/v1/targets")),
        lambda: cost(lambda: gzip(generate_latest(full))),
        between=lambda: house.scan(CHANGED),
    )
    checks = [
        at_most("ms of CPU", ours.cpu * 1000, LIMIT_MS),
        at_most("of a scrape's CPU", ours.cpu / baseline.cpu, LIMIT_SHARE),
    ]
    sizes = {"gzip_bytes": len(page), "api_gzip_bytes": len(answer)}
    return verdict(checks, ours=shown(ours), api=shown(api), baseline=shown(baseline), **sizes)


class _House:
    """A board with many buckets, and what is watched."""

    def __init__(self) -> None:
        self.settings = Settings(tuple(_target(number) for number in range(TARGETS)))
        self.board = Board()
        self.board.declare(
            Entry(target.name, bucket.name, "s3", 86400.0, self.settings.ages)
            for target in self.settings.targets
            for bucket in target.buckets
        )
        self.watched = [
            Watched(
                target, target.buckets, "eu-west-1", {each.name: Turn(NOW + 60) for each in target.buckets}
            )
            for target in self.settings.targets
        ]
        self._keys = [(entry.target, entry.bucket) for entry in self.board.entries()]
        self._chance = random.Random(7)

    def scan(self, share: float) -> None:
        """Publish new results of so many of the buckets."""
        chance, ages = self._chance, len(self.settings.ages)
        for key in chance.sample(self._keys, round(len(self._keys) * share)):
            self.board.publish(key, ScanResult(_summary(chance, ages), NOW, chance.uniform(0.1, 60)))


def _ask(app: App, path: str) -> bytes:
    """Return the body of an answer of the application."""
    body: list[bytes] = []

    async def send(message: dict[str, object]) -> None:
        await asyncio.sleep(0)
        assert message.get("status", 200) == 200
        body.append(message.get("body", b""))

    headers = [(b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
    asyncio.run(app(scope, None, send))
    return b"".join(body)


def _target(number: int) -> TargetSettings:
    buckets = tuple(BucketSettings(f"company-team-{number:02}-data-{bucket:03}") for bucket in range(BUCKETS))
    return TargetSettings(name=f"prod-{number:02}", store=StoreKind.S3, buckets=buckets, region="eu-west-1")


def _own_registry(settings: Settings) -> CollectorRegistry:
    registry = process_registry()
    stores = [(target, make_store(target, None)) for target in settings.targets]
    OwnWork(registry).preset(stores)
    watched = [Watched(target, target.buckets) for target in settings.targets]
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
