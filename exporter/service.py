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

from exporter.config.problems import ConfigError
from exporter.config.sharding import ALONE, Shard
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics, process_registry
from exporter.metrics.exposition import Exposition
from exporter.metrics.targets import TargetCollector
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.scheduler.discovery import BucketDiscovery, DiscoverySchedule
from exporter.scheduler.loop import Loop
from exporter.scheduler.reconciler import Reconciler, bucket_name
from exporter.scheduler.target import WatchedTarget
from exporter.scheduler.target_queue import TargetQueue
from exporter.state.board import Board
from exporter.state.database import StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.registry import make_store
from exporter.stores.transport.client import Transport
from exporter.web.app import App
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.auth.reload import WebConfigReloader
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.config.settings import BucketSettings, Settings, TargetSettings
    from exporter.model.errors import Reason
    from exporter.stores.base import Store

log = logging.getLogger(__name__)

READY_AFTER_SECONDS = 60.0
"""So long after the start the exporter is ready, though first scans still run."""
FILES_PER_CALL = 3
"""What a call in flight holds open: its connection, and what libcurl wakes its threads by."""
FILES_FOR_THE_REST = 1000
"""HTTP clients, logs, connections that are kept."""
COLLECT_AFTER = 20_000
"""So many more objects than before, and the garbage collector looks at the young ones."""
WORST_LIMIT = 30
"""So many of a bucket's uploads are held by each order, where they are shown."""
STOP_SECONDS = 2.0
"""How long scans under way get to end; their transports give up within one."""


@dataclass(frozen=True, slots=True)
class _Traffic:
    """Counts one target's requests."""

    target: str
    work: ExporterMetrics

    def sent(self, operation: str) -> None:
        self.work.request_sent(self.target, operation)

    def failed(self, operation: str, reason: Reason) -> None:
        self.work.request_failed(self.target, operation, reason)


class Service:
    """The exporter as a whole: a loop that scans, and a server that shows the board."""

    def __init__(  # noqa: PLR0913 - what can be chosen of serving
        self,
        settings: Settings,
        listen: str,
        telemetry_path: str = "/metrics",
        web_config: Path | None = None,
        *,
        reload: Callable[[], Sequence[str]] | None = None,
        uploads: bool = False,
        problems: Callable[[], Sequence[str]] = tuple,
        shard: Shard = ALONE,
    ) -> None:
        """Make everything and bind the address; raises ListenError where that cannot be.

        `web_config` says who may ask and how it is encrypted; raises ConfigError where it is wrong. `reload`
        is what POST /-/reload calls, if it may. With `uploads` the worst of each bucket are held and shown.
        `problems` returns what was wrong with the config when it was last read. `shard` says which of the
        buckets are watched.

        Nothing is sent to a store before `run`.
        """
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._board = Board()
        self._shard = shard
        registry = process_registry(shard)
        self._work = ExporterMetrics(registry)
        self._work.config_read(used=True, now=time.time())
        self._state = StateDatabase(settings.state_path, failed=self._work.state_failed)
        self._loop = Loop(
            (), self._board, self._stop, on_failure=self._work.scan_failed, on_found=self._found
        )
        self._roster = Reconciler(
            self._loop, self._board, self._state, self._new_track, self._work.forget, shard=shard
        )
        registry.register(TargetCollector(self._roster.watched))
        collector = BoardCollector(self._board)
        app = App(
            self._board,
            Exposition(collector, registry),
            Exposition(collector, registry, openmetrics=True),
            self._ready,
            telemetry_path,
            watched=self._roster.watched,
            reload=reload,
            uploads=uploads,
            problems=problems,
            shard=shard,
        )
        self._worst_limit = WORST_LIMIT if uploads else 0
        self._web_config = WebConfigReloader(web_config)
        guard = AuthMiddleware(app, self._web_config.now)
        self._web = WebServer(guard, listen, on_end=self.stop, web_config=self._web_config.now)
        self._apply(settings)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._web.port

    @property
    def scheme(self) -> str:
        """How it is asked: http or https."""
        return "https" if self._web_config.now().context else "http"

    def run(self) -> None:
        """Scan and serve until `stop` is called. Raises StateError where the state file cannot be used."""
        self._started = time.monotonic()
        calm_collector()
        self._web_config.start()
        self._web.start()
        try:
            if self._state.open(self._stop):
                self._roster.restore()
                self._loop.run()
        finally:
            self._end()

    def reload(self, settings: Settings) -> None:
        """Go on with other settings; raises ConfigError, and changes nothing, where only a restart can."""
        if settings.state_path != self._state.path:
            raise ConfigError(["state.path: cannot change while the exporter runs: restart it"])
        gc.collect()  # the SDK's clients of targets that the last change ended hold themselves in circles
        self._apply(settings)

    def note_reload(self, used: bool) -> None:  # noqa: FBT001 - its only argument
        """Show whether the config, read again, could be used."""
        self._work.config_read(used=used, now=time.time())

    def _apply(self, settings: Settings) -> None:
        _allow_files(settings)
        self._roster.apply(settings)

    def _found(self, track: WatchedTarget, buckets: Sequence[BucketSettings]) -> None:
        self._roster.found(track, buckets)

    def _end(self) -> None:
        self._web.begin_to_stop()
        self._roster.halt()
        if left := self._loop.join(STOP_SECONDS):
            log.info("scans did not end in time and are left behind", extra={"fields": {"targets": left}})
        self._web.stop(STOP_SECONDS / 2)
        self._web_config.stop()
        self._roster.end()
        self._state.close()

    def stop(self) -> None:
        """Ask everything to end; from any thread but the one in `run`, signal handlers on it included."""
        self._stop.set()
        self._roster.halt()

    def _ready(self) -> bool:
        tried = self._roster.all_found() and self._board.all_shown()
        return tried or time.monotonic() - self._started >= READY_AFTER_SECONDS

    def _new_track(
        self, target: TargetSettings, buckets: Sequence[BucketSettings], ages: tuple[float, ...], start: float
    ) -> WatchedTarget:
        halt = threading.Event()
        store = self._store(target, halt)
        client = StoreClient(store, target.scan, halt)
        self._work.preset([(target, store)])
        name, work = target.name, self._work
        new_pace = partial(
            ConcurrencyLimit,
            halved=partial(work.concurrency_halved, name),
            restored=partial(work.concurrency_restored, name),
        )
        scanner = Scanner(
            client,
            ages,
            new_pace=new_pace,
            saved=partial(work.requests_saved, name),
            insight=Enrichment(target, client),
            worst_limit=self._worst_limit,
        )
        finding = None
        if target.discover:
            finder = BucketDiscovery(target, client, shard=self._shard)
            finding = DiscoverySchedule(target.discover.refresh, finder.find, start)
        return WatchedTarget(
            target=target,
            lane=TargetQueue(name, buckets, target.scan.interval, start),
            scanner=scanner,
            new_ledger=partial(self._new_ledger, target, ages),
            finding=finding,
            halt=halt.set,
            end=store.close,
            signing_region=lambda: store.signing_region,
        )

    def _store(self, target: TargetSettings, halt: threading.Event) -> Store:
        if target.tls.insecure_skip_verify:
            text = "tls.insecure_skip_verify: certificates are not checked, for trials only"
            log.warning(text, extra={"fields": {"target": target.name}})
        traffic = _Traffic(target.name, self._work)
        return make_store(target, Transport(traffic, halt, tls=target.tls, proxy_url=target.proxy_url))

    def _new_ledger(self, target: TargetSettings, ages: tuple[float, ...], bucket: BucketSettings) -> Ledger:
        meaning = (bucket.prefix, bucket.stale_after, ages, target.scan.parts == "never")
        settings = repr((*meaning, target.top)) if target.top else repr(meaning)
        return Ledger(LedgerRows(self._state, bucket_name(target, bucket.name)), settings)


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
