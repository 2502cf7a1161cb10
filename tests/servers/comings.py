"""A scheduler with other buckets or targets each time, and what it holds of those that are gone."""

import gc
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from prometheus_client import CollectorRegistry

from exporter.config.settings import BucketSettings, ScanSettings, Settings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics
from exporter.metrics.exposition import Exposition
from exporter.scheduler.loop import Loop
from exporter.scheduler.publisher import Publisher
from exporter.scheduler.reconciler import Reconciler
from exporter.service import TargetFactory
from exporter.state.board import Board
from exporter.state.database import StateDatabase
from servers.s3 import S3, Fault, Reply
from servers.standin import StandIn

REFRESH = 3600.0
"""Seconds between two looks at the account, by a clock that the rounds move."""


class Comings:
    """An account with other buckets in each round; scans of the odd ones fail, the others lack tags."""

    def __init__(self, s3: S3, server: StandIn, credentials: object) -> None:
        self._s3 = s3
        self._server = server
        self._now = 0.0
        board, state = Board(), StateDatabase()
        self._metrics = metrics = ExporterMetrics(CollectorRegistry())
        publisher = Publisher(board, metrics.scan_failed)
        self.reconciler = Reconciler(
            *(board, state, TargetFactory(metrics, state)),
            on_watch=publisher.keep_only,
            monotonic=lambda: self._now,
        )
        self._loop = Loop(self.reconciler, publisher, threading.Event(), monotonic=lambda: self._now)
        self._exposition = Exposition(BoardCollector(board), CollectorRegistry())
        self._roots = [self._loop, self.reconciler, publisher, board, state, metrics, self._exposition]
        self._target = TargetSettings(
            *("prod", StoreKind.S3, (), ScanSettings(interval=REFRESH, retries=0, workers=4)),
            region="eu-west-1",
            endpoint_url=server.url,
            addressing_style="path",
            discover=DiscoverSettings(refresh=REFRESH),
            credentials=credentials,
            lifecycle=True,
            tags=("team",),
        )
        self.reconciler.apply(Settings((self._target,)))

    def round(self, names: list[str]) -> int:
        """Let the account have these buckets alone, scan them, and render; return how many are shown."""
        self._s3.buckets.clear()
        self._s3.buckets.update({name: [] for name in names})
        self._scan_all(ticks=2)  # the list, then the scans
        return self._exposition.render().count(b"\nmpu_scan_success{")

    def reload(self, names: list[str]) -> int:
        """Let the config have these targets alone, scan them, and render; return how many are shown."""
        bucket = BucketSettings("media")
        targets = (replace(self._target, name=name, discover=None, buckets=(bucket,)) for name in names)
        for gone in self.reconciler.apply(Settings(tuple(targets))):
            self._metrics.forget(gone)
        self._scan_all(ticks=1)
        return self._exposition.render().count(b"\nmpu_scan_success{")

    def _scan_all(self, ticks: int) -> None:
        self._now += REFRESH + 1
        for _ in range(ticks):
            self._loop.tick()
            assert self._loop.join(60) == []
        self._server.forget()

    def held(self, prefix: str) -> set[str]:
        """Return the texts with this beginning that can be reached from what serves."""
        gc.collect()
        return {text for text in reachable(self._roots) if text.startswith(prefix)}


@contextmanager
def comings(credentials: object) -> Iterator[Comings]:
    """Serve an account, and scan what comes and goes in it."""
    s3 = S3()
    s3.faults.add(Fault("ListMultipartUploads", reply=_refused_if_odd))
    with StandIn(s3) as server:
        subject = Comings(s3, server, credentials)
        try:
            yield subject
        finally:
            subject.reconciler.close()


def _refused_if_odd(reply: Reply) -> Reply:
    return Reply(403) if b"-odd" in reply.body else reply


def reachable(roots: list[object]) -> set[str]:
    """Return the texts that objects hold, through closures too, but not through modules and types."""
    seen: set[int] = set()
    texts: set[str] = set()
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            texts.add(each)
            continue
        if id(each) in seen or isinstance(each, (type, types.ModuleType, threading.Thread)):
            continue
        seen.add(id(each))
        if isinstance(each, types.FunctionType):
            waiting += [*(each.__closure__ or ()), *(each.__defaults__ or ())]
        else:
            waiting += gc.get_referents(each)
    return texts
