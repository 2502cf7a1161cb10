"""A scan of a fake store."""

import threading

from fakes import BUCKET, DAY, Clock

from exporter.config.settings import ScanSettings
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient


def scan(
    store, ledger=None, clock=None, stop=None, *, relists_gone=False, bucket=BUCKET, observers=(), **settings
):
    """Scan the fake store's bucket with these settings."""
    clock = clock or Clock()
    client = StoreClient(store, ScanSettings(**settings), stop or threading.Event(), clock.clocks())
    scanner = Scanner(client, (3600.0, DAY), relists_gone=relists_gone)
    return scanner.scan(bucket, ledger if ledger is not None else Ledger(), lambda: observers)
