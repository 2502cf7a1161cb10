"""The exporter's whole way from a config to a summary. All scans and servers are made here."""

import gc
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.account import ACCOUNT, ACCOUNT_KEY, KEYS, REGION, Keys
from bench.blobpages import Container
from bench.pages import Bucket

from exporter.config.load import load
from exporter.config.settings import Settings
from exporter.metrics.exporter import ExporterMetrics, RequestCounter, process_registry
from exporter.model.errors import StoppingError
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.service import Service, tune_garbage_collector
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.registry import make_store
from exporter.stores.transport.client import Transport


def target(
    url: str, *buckets: str, name: str = "bench", keys: Keys = KEYS, **scan: object
) -> dict[str, object]:
    """Return a target of the config; all that is not said is as by default.

    Except that each upload's parts are asked for by every scan, as by whom it is compared with.
    """
    return {
        "name": name,
        "store": "s3",
        "buckets": buckets,
        "region": REGION,
        "endpoint_url": url,
        "addressing_style": "path",
        "credentials": {"access_key_id": keys[0], "secret_access_key": keys[1]},
        "scan": {"parts": "always"} | scan,
    }


def azure_target(url: str, container: str) -> dict[str, object]:
    """Return a target of Azure; each blob's blocks are asked for by every scan, as above."""
    return {
        "name": "bench",
        "store": "azure",
        "account": ACCOUNT,
        "containers": [container],
        "endpoint_url": url,
        "credentials": {"account_key": ACCOUNT_KEY},
        "scan": {"parts": "always"},
    }


def write_config(folder: Path, *targets: dict[str, object]) -> Path:
    """Write a config file, and return where it is."""
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(json.dumps({"targets": targets}), encoding="utf-8")  # JSON is YAML
    return file


def read_config(file: Path) -> Settings:
    """Return the settings of a config file."""
    return load(file, {})


class Ours:
    """The scanner of a config's only target: store and transport kept from scan to scan, requests counted."""

    def __init__(self, settings: Settings, clocks: Clocks | None = None) -> None:
        [target] = settings.targets
        [self._bucket] = target.buckets
        self._stop = threading.Event()
        self._registry = process_registry()
        metrics = ExporterMetrics(self._registry)
        traffic = RequestCounter(target.name, metrics)
        transport = Transport(traffic, self._stop, tls=target.tls, proxy_url=target.proxy_url)
        self._store = make_store(target, transport)
        metrics.preset([(target, self._store)])
        client = StoreClient(self._store, target.scan, self._stop, clocks or Clocks())
        self._scanner = Scanner(client, settings.ages, enrichment=Enrichment(target, client))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._store.close()

    def stop(self) -> None:
        """Give up the scan that is under way, if any."""
        self._stop.set()

    def scan(self, bucket: Bucket | Container, ledger: Ledger | None = None) -> None:
        """Scan once, None: as if for the first time; raises AssertionError where anything was missed."""
        found = self._scanner.scan(self._bucket, ledger or Ledger()).summary
        uploads, parts, size = bucket.totals
        assert (found.uploads, found.undated, found.unsized) == (uploads, 0, 0), found
        assert (found.parts, found.bytes) == ((parts, size) if found.parts_known else (None, None)), found

    def scan_on(self, bucket: Bucket) -> None:
        """Scan again and again until told to stop."""
        try:
            while not self._stop.is_set():
                self.scan(bucket)
        except StoppingError:
            pass

    def requests(self) -> float:
        """Return how many requests were counted."""
        counted = (sample for family in self._registry.collect() for sample in family.samples)
        return sum(sample.value for sample in counted if sample.name == "mpu_api_requests_total")


def ours(folder: Path, target: dict[str, object], clocks: Clocks | None = None) -> Ours:
    """Return what scans this target; its config lies in `folder`."""
    return Ours(read_config(write_config(folder, target)), clocks)


@contextmanager
def calm() -> Iterator[None]:
    """Have garbage collected as the exporter does it; baselines run as Python starts."""
    before = gc.get_threshold()
    tune_garbage_collector()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def serve(settings: Settings) -> int:
    """Run the exporter as it is on threads of this process, as long as that lasts; return its port."""
    service = Service(settings, ["127.0.0.1:0"])
    threading.Thread(target=service.run, daemon=True).start()
    return service.port
