"""A reconciler with a loop, a board and a state, over fake scanners."""

from __future__ import annotations

import threading
from functools import partial

from fakes import NOW, Clock

from exporter.config.settings import BucketSettings, ScanSettings, Settings, StoreKind, TargetSettings
from exporter.config.sharding import UNSHARDED
from exporter.model.results import ScanResult
from exporter.model.targets import Selection
from exporter.scan.tally import Tally
from exporter.scheduler.discovery import DiscoverySchedule, FoundBuckets
from exporter.scheduler.loop import Loop
from exporter.scheduler.publisher import Publisher
from exporter.scheduler.reconciler import Reconciler, bucket_name
from exporter.scheduler.target_queue import TargetQueue
from exporter.scheduler.watched_target import WatchedTarget
from exporter.state.board import Board
from exporter.state.database import StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows


def target(name="prod", *buckets, **settings):
    named = tuple(b if isinstance(b, BucketSettings) else BucketSettings(b) for b in buckets or ("a", "b"))
    return TargetSettings(name, StoreKind.S3, named, ScanSettings(workers=9), **settings)


class Scanner:
    """Finds nothing in every bucket, after `behave` has had its way; commits like the real one."""

    def __init__(self, ages):
        self.ages = ages
        self.behave = lambda _: None
        self.scanned = []

    def scan(self, bucket, ledger):
        self.scanned.append(bucket.name)
        self.behave(bucket)
        tally = Tally(now=NOW, stale_after=1.0, ages=self.ages, with_parts=True)
        result = ScanResult(tally.summary(), NOW, 0.5)
        ledger.commit(result)
        return result

    def keep_only(self, names):
        self.kept = set(names)


class SchedulerSetup:
    """A reconciler with a loop, a board and a state; scanners are fakes."""

    def __init__(self, *targets, ages=(), shard=UNSHARDED, state=None):
        self.clock, self.stop = Clock(), threading.Event()
        self.board = Board(self.clock.monotonic)
        self.state = state or StateDatabase()
        self.forgotten, self.closed, self.cancelled, self.lists = [], [], [], {}
        publisher = Publisher(self.board, lambda *_: None, self.clock.monotonic)
        self.reconciler = Reconciler(
            self.board,
            self.state,
            self.new_target,
            shard=shard,
            on_watch=publisher.keep_only,
            monotonic=self.clock.monotonic,
            wall=lambda: NOW + self.clock.now,
        )
        self.loop = Loop(self.reconciler, publisher, self.stop, monotonic=self.clock.monotonic)
        self.targets, self.no_more_targets = {}, False
        self.apply(*targets, ages=ages)

    def new_target(self, target, buckets, ages, start):
        if self.no_more_targets:
            raise TypeError

        def new_ledger(bucket):
            meaning = (bucket.prefix, ages)
            return Ledger(LedgerRows(self.state, bucket_name(target, bucket.name)), repr(meaning))

        discovery = None
        if target.discover:
            discovery = DiscoverySchedule(target.discover.refresh, partial(self.find, target), start)
        watched = self.targets[target.name] = WatchedTarget(
            target,
            TargetQueue(target.name, buckets, target.scan.interval, start),
            Scanner(ages),
            new_ledger,
            discovery,
            cancel=lambda: self.cancelled.append(watched),
            close=lambda: self.closed.append(watched),
        )
        return watched

    def find(self, target):
        found = self.lists[target.name]
        if isinstance(found, Exception):
            raise found
        return FoundBuckets(tuple(map(BucketSettings, found)), Selection(len(found), len(found)))

    def apply(self, *targets, ages=(), ages_as="histogram"):
        settings = Settings(tuple(targets), ages=ages, ages_as=ages_as)
        self.forgotten += self.reconciler.apply(settings)

    def tick(self, seconds=0.0):
        self.clock.now += seconds
        self.loop.tick()
        assert self.loop.join(10) == []

    def shown(self):
        return {(entry.target, entry.bucket): entry for entry in self.board.entries()}

    def remembered(self):
        return {(name.target, name.bucket) for name in self.state.bucket_names()}
