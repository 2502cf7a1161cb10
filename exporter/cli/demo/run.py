"""Starts the demo's server, fills it, and runs the exporter on it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from exporter.cli.demo.server import ACCESS_KEY, SECRET_KEY, DemoServer, StartError
from exporter.cli.demo.uploads import BUCKETS, DemoUploads
from exporter.cli.standard_output import write_error, write_line
from exporter.config.credentials import Credentials, Secret
from exporter.config.durations import parse_duration
from exporter.config.settings import BucketSettings, ScanSettings, Settings, StoreKind, TargetSettings
from exporter.config.target_sections import Prices, TopSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from exporter.service import Service

INTERVAL_SECONDS = 5.0
STALE_AFTER_SECONDS = 30.0
_GREETING = """
  Metrics     {url}{path}
  Status      {url}/
  Uploads     {url}/uploads

  curl -s {url}{path} | grep ^mpu_

{uploads} uploads in {buckets} buckets, a few of them still growing, scanned every {interval:.0f} seconds.
The demo's server cannot backdate uploads, so here an upload is stale after {stale:.0f} seconds without a new
part; the default is 7 days. Ctrl-C ends the demo and leaves nothing behind.
"""


def run_demo(options: argparse.Namespace, run: Callable[..., int]) -> int:
    """Start a server, fill it, and `run` the exporter on it; returns the exit code."""
    if find_spec("ministack") is None or find_spec("hypercorn") is None:
        write_error("the demo needs its server: pip install 'mpu-exporter[demo]'")
        return 1
    server = DemoServer()
    uploads = DemoUploads(server.url)
    write_line(f"starting an S3 server on {server.url} and {uploads.planned} uploads on it ...")
    try:
        with uploads, server:  # the server ends first: nobody then waits for its answers
            uploads.begin()
            settings = demo_settings(server.url)
            return run(settings, options, lambda service: _greet(options, service, uploads.planned))
    except StartError as error:
        write_error(error)
        return 1


AGES = ("10s", "1m", "5m", "1h", "7d", "30d")
"""Bounds that uploads of the demo reach, and those that the guide's queries ask for."""


def demo_settings(endpoint_url: str) -> Settings:
    """Return the config of the demo."""
    target = TargetSettings(
        name="demo",
        store=StoreKind.S3,
        region="us-east-1",
        endpoint_url=endpoint_url,
        addressing_style="path",
        buckets=tuple(BucketSettings(name, stale_after=STALE_AFTER_SECONDS) for name in BUCKETS),
        stale_after=STALE_AFTER_SECONDS,
        scan=ScanSettings(interval=INTERVAL_SECONDS, timeout=60.0, concurrency=4),
        labels=(("team", "demo"),),
        lifecycle=True,
        price_per_gib_month=Prices(default=0.023),
        top=TopSettings(),
        credentials=Credentials(
            access_key_id=Secret(ACCESS_KEY),
            secret_access_key=Secret(SECRET_KEY),
        ),
    )
    return Settings(targets=(target,), ages=tuple(map(parse_duration, AGES)))


def _greet(options: argparse.Namespace, service: Service, uploads: int) -> None:
    host = options.listen[0].rpartition(":")[0] or "127.0.0.1"
    greeting = _GREETING.format(
        url=f"{service.scheme}://{host}:{service.port}",
        path=options.telemetry_path,
        uploads=uploads,
        buckets=len(BUCKETS),
        interval=INTERVAL_SECONDS,
        stale=STALE_AFTER_SECONDS,
    )
    write_line(greeting)
