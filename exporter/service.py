"""The composition root: settings in, a running exporter out."""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from exporter.config.problems import ConfigError
from exporter.config.sharding import UNSHARDED, Shard
from exporter.metrics.buckets import BoardCollector
from exporter.metrics.exporter import ExporterMetrics, RequestCounter, process_registry
from exporter.metrics.exposition import Exposition
from exporter.metrics.targets import TargetCollector
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.scheduler.discovery import BucketDiscovery, DiscoverySchedule
from exporter.scheduler.loop import Loop
from exporter.scheduler.memory import FreedMemory, return_large_blocks, system_trim
from exporter.scheduler.open_files import calls_share, clients_share, fit_calls, raise_limit
from exporter.scheduler.publisher import Publisher
from exporter.scheduler.reconciler import Reconciler, bucket_name
from exporter.scheduler.target_queue import TargetQueue
from exporter.scheduler.watched_target import WatchedTarget
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
from exporter.web.hosts import HostGuard
from exporter.web.server.connections import ConnectionLimits
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from exporter.config.settings import BucketSettings, Settings, TargetSettings
    from exporter.stores.base import Store
    from exporter.web.hosts import Host

log = logging.getLogger(__name__)

READY_AFTER_SECONDS = 60.0
"""Time after the start at which the exporter is ready even though first scans still run."""
GC_THRESHOLD = 20_000
"""Number of new objects at which the garbage collector looks at the youngest generation."""
TOP_UPLOADS_LIMIT = 30
"""Number of a bucket's uploads that are held for each order, where they are shown."""
STOP_SECONDS = 2.0
"""Time that scans under way get to end; their transports give up within one second."""


class Service:
    """The exporter as a whole: a loop that scans, and a server that shows the board."""

    def __init__(  # noqa: PLR0913 - what can be chosen of serving
        self,
        settings: Settings,
        listen: Sequence[str],
        telemetry_path: str = "/metrics",
        web_config: Path | None = None,
        *,
        reload: Callable[[], Sequence[str]] | None = None,
        uploads: bool = False,
        problems: Callable[[], Sequence[str]] = tuple,
        shard: Shard = UNSHARDED,
        allowed_hosts: Sequence[Host] = (),
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Make everything and bind the addresses; raises ListenError where one of them cannot be.

        `web_config` is the file of users and TLS; raises ConfigError where it is wrong. `reload` is what
        POST /-/reload calls, None turns that and POST /-/scan off. `uploads` holds and shows the top uploads
        of each bucket. `problems` returns what was wrong with the config when it was last read. Only the
        buckets of `shard` are watched. `allowed_hosts` are what the server may be asked as, () means any.
        `on_tick` is called every second. No request is sent to a store before `run`.
        """
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._allowed_files = raise_limit()
        self._board = Board()
        registry = process_registry(shard)
        self._metrics = ExporterMetrics(registry)
        self._metrics.config_read(used=True, now=time.time())
        self._state = StateDatabase(settings.state.path, on_failure=self._metrics.state_failed)
        limit = TOP_UPLOADS_LIMIT if uploads else 0
        new_target = TargetFactory(self._metrics, self._state, shard, top_uploads_limit=limit)
        publisher = Publisher(self._board, self._metrics.scan_failed)
        self._reconciler = Reconciler(
            *(self._board, self._state, new_target), shard=shard, on_watch=publisher.keep_only
        )
        freed = FreedMemory(system_trim())
        self._loop = Loop(
            *(self._reconciler, publisher, self._stop), on_idle=freed.give_back, on_tick=on_tick
        )
        registry.register(TargetCollector(self._reconciler.statuses))
        app = App(
            self._board,
            *self._expositions(registry),
            self._ready,
            telemetry_path,
            targets=self._reconciler.statuses,
            reload=reload,
            scan=self._reconciler.request_scans if reload else None,
            uploads=uploads,
            config_problems=problems,
            shard=shard,
        )
        self._web_config = WebConfigReloader(web_config)
        guarded = HostGuard(AuthMiddleware(app, self._web_config.now), allowed_hosts)
        limits = ConnectionLimits(connections=clients_share(self._allowed_files))
        self._web = WebServer(guarded, listen, limits, self.stop, self._web_config.now)
        self._apply(settings)

    def _expositions(self, registry: CollectorRegistry) -> tuple[Exposition, Exposition]:
        """Return what renders /metrics: as text, and as OpenMetrics."""
        collector = BoardCollector(self._board)
        return Exposition(collector, registry), Exposition(collector, registry, openmetrics=True)

    @property
    def port(self) -> int:
        """The TCP port of the first address that the server listens on."""
        return self._web.port

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and TCP port of each address that the server listens on."""
        return self._web.addresses

    @property
    def scheme(self) -> str:
        """The URL scheme of requests: http or https."""
        return "https" if self._web_config.now().tls_context else "http"

    def run(self) -> None:
        """Scan and serve until `stop` is called. Raises StateError where the state file cannot be used.

        Also raises ScarcityError, and what ended serving.
        """
        self._started = time.monotonic()
        tune_garbage_collector()
        return_large_blocks()
        self._web_config.start()
        self._web.start()
        try:
            if self._state.open(self._stop):
                self._reconciler.restore()
                self._loop.run()
        finally:
            self._end()
        if self._web.failure is not None:
            raise self._web.failure

    def reload(self, settings: Settings) -> None:
        """Go on with other settings; raises ConfigError, and changes nothing, where that needs a restart."""
        if settings.state.path != self._state.path:
            raise ConfigError(["state.path: cannot change while the exporter runs: restart it"])
        gc.collect()  # the SDK's clients of targets that the last change ended hold themselves in circles
        self._apply(settings)

    def scan_now(self) -> None:
        """Have every bucket scanned now. Never call it on the thread in `run`, which holds locks."""
        self._reconciler.request_scans()

    def note_reload(self, used: bool) -> None:  # noqa: FBT001 - its only argument
        """Show whether the config, read again, could be used."""
        self._metrics.config_read(used=used, now=time.time())

    def _apply(self, settings: Settings) -> None:
        fitted = fit_calls(settings.targets, calls_share(self._allowed_files))
        self._state.max_names = settings.state.names
        for name in self._reconciler.apply(replace(settings, targets=fitted)):
            self._metrics.forget(name)

    def _end(self) -> None:
        self._web.begin_to_stop()
        self._reconciler.cancel()
        if left := self._loop.join(STOP_SECONDS):
            log.info(
                "scans were still running at the stop and were abandoned", extra={"fields": {"targets": left}}
            )
        self._web.stop(STOP_SECONDS / 2)
        self._web_config.stop()
        self._reconciler.close()
        self._state.close()

    def stop(self) -> None:
        """Make `run` return. Never call it on the thread in `run`, where signal handlers run, too."""
        self._stop.set()
        self._reconciler.cancel()

    def _ready(self) -> bool:
        scanned = self._reconciler.all_discovered() and self._board.all_shown()
        return scanned or time.monotonic() - self._started >= READY_AFTER_SECONDS


class TargetFactory:
    """Makes watched targets, each with a store, a queue and a scanner of its own."""

    def __init__(
        self,
        metrics: ExporterMetrics,
        state: StateDatabase,
        shard: Shard = UNSHARDED,
        *,
        top_uploads_limit: int = 0,
    ) -> None:
        """Make one; scans hold `top_uploads_limit` of a bucket's uploads for each order."""
        self._metrics = metrics
        self._state = state
        self._shard = shard
        self._top_uploads_limit = top_uploads_limit

    def __call__(
        self, target: TargetSettings, buckets: Sequence[BucketSettings], ages: tuple[float, ...], start: float
    ) -> WatchedTarget:
        """Return the target, to watch these buckets; its first scans are due at `start` (monotonic clock)."""
        stop = threading.Event()
        store = self._store(target, stop)
        self._metrics.preset([(target, store)])
        client = StoreClient(store, target.scan, stop)
        return WatchedTarget(
            target,
            TargetQueue(target.name, buckets, target.scan.interval, start),
            self._scanner(target, client, ages),
            partial(self.ledger, target, ages),
            self._discovery(target, client, start),
            cancel=stop.set,
            close=store.close,
            signing_region=lambda: store.signing_region,
        )

    def ledger(self, target: TargetSettings, ages: tuple[float, ...], bucket: BucketSettings) -> Ledger:
        """Return what is remembered of a bucket; its last result only where these settings mean the same."""
        meaning = (bucket.prefix, bucket.stale_after, ages, target.scan.parts == "never")
        settings = repr((*meaning, target.top)) if target.top else repr(meaning)
        return Ledger(LedgerRows(self._state, bucket_name(target, bucket.name)), settings)

    def _store(self, target: TargetSettings, stop: threading.Event) -> Store:
        if target.tls.insecure_skip_verify:
            text = "tls.insecure_skip_verify: certificates are not checked, for trials only"
            log.warning(text, extra={"fields": {"target": target.name}})
        traffic = RequestCounter(target.name, self._metrics)
        return make_store(target, Transport(traffic, stop, tls=target.tls, proxy_url=target.proxy_url))

    def _scanner(self, target: TargetSettings, client: StoreClient, ages: tuple[float, ...]) -> Scanner:
        name, metrics = target.name, self._metrics
        new_limit = partial(
            ConcurrencyLimit,
            halved=partial(metrics.concurrency_halved, name),
            restored=partial(metrics.concurrency_restored, name),
        )
        return Scanner(
            client,
            ages,
            new_concurrency_limit=new_limit,
            on_calls_saved=partial(metrics.requests_saved, name),
            enrichment=Enrichment(target, client),
            top_uploads_limit=self._top_uploads_limit,
        )

    def _discovery(
        self, target: TargetSettings, client: StoreClient, start: float
    ) -> DiscoverySchedule | None:
        if target.discover is None:
            return None
        discovery = BucketDiscovery(target, client, shard=self._shard)
        return DiscoverySchedule(target.discover.refresh, discovery.find, start)


def tune_garbage_collector() -> None:
    """Exempt what is loaded so far from garbage collection, and collect the rest less often.

    Imported modules and the SDKs' parsed models are a few hundred thousand objects; traversing them again
    and again costs a fifth of a scan.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
