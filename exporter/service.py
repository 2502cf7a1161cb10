"""Puts the rooms together: settings in, a running exporter out."""

from __future__ import annotations

import gc
import logging
import resource
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporter.board import Board, Entry
from exporter.exposition import Exposition
from exporter.lane import Lane
from exporter.ledger import BucketName, Ledger, Shelf, State
from exporter.loop import Loop, Track
from exporter.metrics import BoardCollector, OwnWork, TargetCollector, process_registry
from exporter.pace import Pace
from exporter.scan import Scanner
from exporter.stores.table import make_store
from exporter.stores.transport import Transport
from exporter.web.app import App
from exporter.web.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.settings import BucketSettings, Settings, TargetSettings
    from exporter.model import Reason
    from exporter.stores.base import Store

log = logging.getLogger(__name__)

READY_AFTER_SECONDS = 60.0
"""So long after the start the exporter is ready, though first scans still run."""
STAGGER_SECONDS = 0.02
"""Between the first scans of two targets, so that hundreds do not connect in the same instant."""
FILES_PER_CALL = 3
"""What a call in flight holds open: its connection, and what libcurl wakes its threads by."""
FILES_FOR_THE_REST = 1000
"""HTTP clients, logs, connections that are kept."""
COLLECT_AFTER = 20_000
"""So many more objects than before, and the garbage collector looks at the young ones."""
STOP_SECONDS = 2.0
"""How long scans under way get to end; their transports give up within one."""


@dataclass(frozen=True, slots=True)
class _Traffic:
    """Counts one target's requests."""

    target: str
    work: OwnWork

    def sent(self, operation: str) -> None:
        self.work.request_sent(self.target, operation)

    def failed(self, operation: str, reason: Reason) -> None:
        self.work.request_failed(self.target, operation, reason)


class Service:
    """The exporter as a whole: a loop that scans, and a server that shows the board."""

    def __init__(self, settings: Settings, listen: str, telemetry_path: str = "/metrics") -> None:
        """Make everything and bind the address; raises ListenError where that cannot be.

        Nothing is sent to a store before `run`.
        """
        self._stop = threading.Event()
        self._started = time.monotonic()
        _allow_files(settings)
        self._board = Board()
        registry = process_registry()
        work = OwnWork(registry)
        stores = [(target, self._store(target, work)) for target in settings.targets]
        work.preset(stores)
        registry.register(TargetCollector(stores))
        collector = BoardCollector(self._board, settings.ages)
        self._board.declare(_entries(settings))
        self._stores = [store for _, store in stores]
        self._state = State(settings.state_path, failed=work.state_failed)
        self._tracks = list(self._make_tracks(settings, stores, work))
        self._loop = Loop(self._tracks, self._board, self._stop, on_failure=work.scan_failed)
        app = App(
            self._board,
            Exposition(collector, registry),
            Exposition(collector, registry, openmetrics=True),
            self._ready,
            telemetry_path,
        )
        self._web = WebServer(app, listen, on_end=self._stop.set)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._web.port

    def run(self) -> None:
        """Scan and serve until `stop` is called. Raises StateError where the state file cannot be used."""
        self._started = time.monotonic()
        calm_collector()
        self._web.start()
        try:
            if self._state.open(self._stop):
                self._restore()
                self._loop.run()
        finally:
            self._end()

    def _restore(self) -> None:
        """Show what an earlier process found, and forget buckets that are no longer watched."""
        now = time.time()
        self._state.keep_only(
            _name(track.target, bucket) for track in self._tracks for bucket in track.target.buckets
        )
        for track in self._tracks:
            for bucket in track.target.buckets:
                if result := track.ledger(bucket).result:
                    age = max(0.0, now - result.finished)
                    self._board.restore((track.target.name, bucket.name), result, age)

    def _end(self) -> None:
        self._web.begin_to_stop()
        if left := self._loop.join(STOP_SECONDS):
            log.info("scans did not end in time and are left behind", extra={"fields": {"targets": left}})
        self._web.stop(STOP_SECONDS / 2)
        for store in self._stores:
            store.close()
        self._state.close()

    def stop(self) -> None:
        """Ask everything to end; from any thread but the one in `run`, signal handlers on it included."""
        self._stop.set()

    def _ready(self) -> bool:
        return self._board.all_shown() or time.monotonic() - self._started >= READY_AFTER_SECONDS

    def _store(self, target: TargetSettings, work: OwnWork) -> Store:
        if target.tls.insecure_skip_verify:
            text = "tls.insecure_skip_verify: certificates are not checked, for trials only"
            log.warning(text, extra={"fields": {"target": target.name}})
        transport = Transport(
            _Traffic(target.name, work), self._stop, tls=target.tls, proxy_url=target.proxy_url
        )
        return make_store(target, transport)

    def _make_tracks(
        self, settings: Settings, stores: list[tuple[TargetSettings, Store]], work: OwnWork
    ) -> Iterator[Track]:
        now = time.monotonic()
        for number, (target, store) in enumerate(stores):
            start = now + number * STAGGER_SECONDS
            lane = Lane(target.name, target.buckets, target.scan.interval, start)
            new_pace = partial(
                Pace,
                halved=partial(work.concurrency_halved, target.name),
                restored=partial(work.concurrency_restored, target.name),
            )
            saved = partial(work.requests_saved, target.name)
            scanner = Scanner(store, target.scan, settings.ages, self._stop, new_pace=new_pace, saved=saved)
            yield Track(target, lane, scanner, partial(self._new_ledger, target, settings.ages))

    def _new_ledger(self, target: TargetSettings, ages: tuple[float, ...], bucket: BucketSettings) -> Ledger:
        meaning = (bucket.prefix, bucket.stale_after, ages, target.scan.parts == "never")
        return Ledger(Shelf(self._state, _name(target, bucket)), repr(meaning))


def _name(target: TargetSettings, bucket: BucketSettings) -> BucketName:
    """Return what tells a bucket from any other, one of the same name on another server too."""
    return BucketName(
        target.name, target.store.value, target.endpoint_url or "", target.account_id, bucket.name
    )


def calm_collector() -> None:
    """Have the garbage collector leave alone what is there to stay, and look at the rest less often.

    Imported modules and the SDKs' parsed models are a few hundred thousand objects; looking through them
    again and again costs a fifth of a scan.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _allow_files(settings: Settings) -> None:
    """Let the process open what its calls need, if the system allows; say so where it does not."""
    calls = sum(target.scan.workers * (1 + target.scan.concurrency) for target in settings.targets)
    needed = FILES_FOR_THE_REST + FILES_PER_CALL * calls
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        text = "too few open files are allowed for so many calls at once: allow more or lower concurrency"
        log.warning(text, extra={"fields": {"allowed": allowed, "needed": needed}})


def _entries(settings: Settings) -> Iterator[Entry]:
    for target in settings.targets:
        for bucket in target.buckets:
            yield Entry(target.name, bucket.name, target.store.value, target.scan.keep_for)
