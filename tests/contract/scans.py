"""Whole scans over a rig, and what its server sees of them."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from contract.rigs import PARTS, UPLOADS, Part, Rig, Upload
from servers.s3 import EPOCH
from servers.standin import Reply, Request

from exporter.model.results import ScanResult, Summary
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.base import Store
from exporter.stores.engine.store_client import Clocks, StoreClient

NOW = EPOCH + 30 * 86400
AGES = (86400.0, 7 * 86400.0, 28 * 86400.0)
PATIENCE = 5.0
"""So many seconds a request is held at most for others that have to come: fewer than a call may take."""


def scanner(rig: Rig, store: Store | None = None, **settings: object) -> Scanner:
    """Return a scanner of the rig, or of this store, with these settings and `new_concurrency_limit`."""
    own = ("new_concurrency_limit",)
    options = {name: settings.pop(name) for name in own if name in settings}
    clocks = Clocks(wall=lambda: NOW, jitter=rig.jitter)
    client = StoreClient(store or rig.store, replace(rig.target.scan, **settings), rig.stop, clocks)
    return Scanner(client, AGES, **options)


def scan(rig: Rig, **settings: object) -> ScanResult:
    return scanner(rig, **settings).scan(rig.bucket, Ledger())


def summary_of(rig: Rig, **settings: object) -> Summary:
    """Scan, which has to size every upload, and return what was found."""
    result = scan(rig, **settings)
    assert (result.warning, result.summary.unsized) == ("", 0)
    return result.summary


def sized_uploads(count: int) -> list[Upload]:
    """Return uploads of one part each, of 1, 2, 3, … bytes."""
    return [Upload(f"key/{n:04}", f"u{n:04}", parts=[Part(1, n + 1)]) for n in range(count)]


def bytes_of(uploads: list[Upload]) -> int:
    return sum(part.size for upload in uploads for part in upload.parts)


BY_NAME = "a key's uploads"


def operation_of(request: Request) -> str:
    """Return what a request to a rig without a prefix is for: pages, parts, or a key's uploads."""
    if "uploadId" in request.query:
        return PARTS
    return BY_NAME if "prefix" in request.query else UPLOADS


def received(rig: Rig) -> Counter[str]:
    """Return how many requests of each kind reached the server."""
    return Counter(operation_of(request) for request in rig.standin.requests)


@dataclass
class Together:
    """Holds requests until so many are held at once, so that they are known to be in flight together."""

    count: int
    then: Callable[[], object] = lambda: None
    """What is done once they are, before the first of them is let go."""
    _held: int = 0
    _full: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_full(self) -> bool:
        return self._full.is_set()

    def hold(self) -> None:
        with self._lock:
            self._held += 1
            if self._held == self.count:
                self.then()
                self._full.set()
        assert self._full.wait(PATIENCE), f"{self._held} requests were in flight, not {self.count}"


@dataclass
class AtOnce:
    """Counts the requests that are being answered at the same time."""

    now: int = 0
    most: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def counted(self):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield self.now
        finally:
            with self._lock:
                self.now -= 1


def answering(rig: Rig, answer: Callable[[Request], Reply | None], operation: str = PARTS) -> None:
    """Answer requests of this kind so; None: truly."""

    def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
        reply = answer(request) if operation_of(request) == operation else None
        return truly() if reply is None else reply

    rig.server.answer = decide


def spoiling(rig: Rig, upload_id: str, spoil: Callable[[Reply], Reply]) -> None:
    """Spoil the answers about the parts of one upload."""

    def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
        return spoil(truly()) if request.argument("uploadId") == upload_id else truly()

    rig.server.answer = decide


def hung_up(rig: Rig) -> bool:
    """Wait until the client has closed all its connections; false where it does not."""
    for connection in list(rig.standin.sockets):
        try:
            connection.settimeout(PATIENCE)
            said = connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        except OSError:
            continue  # the server has seen it
        if said:
            return False
    return True
