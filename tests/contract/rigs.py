"""What the contract suite drives: a stand-in server, a store that asks it, and a say in what is true.

A store joins the suite with a module rig_NAME.py beside this one. Its RIGS are the functions that open a rig,
by name; their arguments are the target's settings to change, `tls` (what the stand-in serves with), `host`
(where it listens), `name` (what it is called) and `bucket`; each yields a Rig and leaves nothing behind.
Its ENGINES names one rig of each way to send requests, and HAS_XML says whether pages are XML: what is said
of XML and of S3's markers is not asked of others.
"""

import ssl
import threading
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import pytest
from fakes import Recorder
from sequential_client import SequentialClient
from servers.s3 import LIFECYCLE, PARTS, UPLOADS, Listing, Part, Upload, error
from servers.standin import Fault, Faults, Reply, StandIn

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import StoreError
from exporter.model.uploads import PartTotals
from exporter.model.uploads import Upload as ListedUpload
from exporter.stores.base import Store
from exporter.stores.transport.client import Transport

__all__ = ["LIFECYCLE", "PARTS", "UPLOADS", "Part", "Upload"]

SCAN = ScanSettings(request_timeout=20.0, timeout=120.0, retries=2)


@dataclass
class Rig:
    """One store in front of its stand-in. `jitter` is what the retry loop draws; 0 spares tests the wait."""

    standin: StandIn
    faults: Faults
    target: TargetSettings
    bucket: BucketSettings
    make_store: Callable[[TargetSettings, Transport], Store]
    fill: Callable[[Collection[Upload]], None]
    """Set what is true: these uploads are in progress in the bucket."""
    refusal: Callable[..., Reply]
    """(status, code, message="No.") -> the reply in which this kind of server refuses."""
    limits: tuple[str, str] = ("max-uploads", "max-parts")
    """The parameters that carry `page_size`."""
    server: Any = None
    """What answers: its state can be told more than the suite asks of all."""
    id_of: Callable[[ListedUpload], str] = attrgetter("upload_id")
    """Which upload of those that were set a listed one is."""
    is_of_blocks: bool = False
    """Whether an upload is what has blocks, at least one, and all of them come on one page."""
    jitter: Callable[[float, float], float] = lambda _low, _high: 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    traffic: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.transport = Transport(
            self.traffic, self.stop, tls=self.target.tls, proxy_url=self.target.proxy_url
        )
        self.store = self.make_store(self.target, self.transport)

    def retarget(self, **settings: object) -> None:
        """Begin again with other settings of the target: `tls`, which openers use for the server's."""
        self.close()
        self.target = replace(self.target, **settings)
        self.__post_init__()

    def fault(
        self, operation: str, on: Container[int] | None = None, **spoilers: Callable[[Any], Any]
    ) -> None:
        """Spoil the answers to one operation; see Fault."""
        self.faults.add(Fault(operation, on, **spoilers))

    def answer(self, operation: str, reply: Reply, on: Container[int] | None = None) -> None:
        """Give this reply instead of the true one."""
        self.fault(operation, on, reply=lambda _: reply)

    def client(self, **changes: object) -> SequentialClient:
        scan = self.target.scan
        settings: dict[str, Any] = {
            "request_timeout": scan.request_timeout,
            "retries": scan.retries,
            "stop": self.stop,
            "jitter": self.jitter,
        }
        client = SequentialClient(**settings | changes)
        if "deadline" not in changes:
            client.deadline = client.monotonic() + scan.timeout
        return client

    def pages(self, **client: object) -> Iterator[Sequence[ListedUpload]]:
        return self.client(**client).pages(self.store, self.bucket)

    def uploads(self, **client: object) -> list[ListedUpload]:
        return [upload for page in self.pages(**client) for upload in page]

    def ids(self, **client: object) -> list[str]:
        """Return the upload ids listed, in order."""
        return list(map(self.id_of, self.uploads(**client)))

    def size(self, upload: Upload, **client: object) -> PartTotals:
        listed = ListedUpload(upload.key, upload.upload_id, upload.initiated, upload.storage_class)
        return self.client(**client).size(self.store, self.bucket, listed)

    def reset(self) -> None:
        """Forget what was set and seen, so that another test finds the rig as new; connections are kept."""
        self.fill([])
        self.faults.clear()
        for state in ("rules", "tags"):
            getattr(self.server, state, {}).clear()
        self.standin.forget()
        self.traffic.seen.clear()

    def close(self) -> None:
        self.store.close()
        self.transport.close()


Opener = Callable[..., Rig]


@contextmanager
def standing(
    server: Any,
    kind: StoreKind,
    make_store: Callable[[TargetSettings, Transport], Store],
    bucket: BucketSettings,
    fill: Callable[[Collection[Upload]], None] | None = None,
    *,
    refusal: Callable[..., Reply] = error,
    limits: tuple[str, str] = ("max-uploads", "max-parts"),
    traffic: Recorder | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    name: str = "localhost",
    **settings: object,
) -> Iterator[Rig]:
    """Open a rig of this server's state and store; `fill` where the state is not that of S3."""

    def fill_bucket(uploads: Collection[Upload]) -> None:
        server.buckets[bucket.name] = list(uploads)

    fill = fill or fill_bucket
    fill([])
    with StandIn(server, tls=tls, host=host, name=name) as standin:
        keys = Credentials(None, Secret(server.key.access_key_id), Secret(server.key.secret))
        target = TargetSettings(
            "test", kind, (bucket,), scan=SCAN, endpoint_url=standin.url, credentials=keys
        )
        target = replace(target, **settings)
        seen = traffic or Recorder()
        rig = Rig(
            standin, server.faults, target, bucket, make_store, fill, refusal, limits, server, traffic=seen
        )
        try:
            yield rig
        finally:
            rig.close()


def some_uploads(count: int, **fields: object) -> list[Upload]:
    """Return uploads `u000`, `u001`, … of keys in the same order."""
    return [Upload(f"key/{number:03}", f"u{number:03}", **fields) for number in range(count)]


def ids_of(uploads: Iterable[Upload]) -> list[str]:
    return [upload.upload_id for upload in uploads]


def failure(ask: Callable[..., object], *arguments: object, **options: object) -> StoreError:
    """Ask, which has to fail; return why."""
    with pytest.raises(StoreError) as caught:
        ask(*arguments, **options)
    return caught.value


def refused(rig: Rig, upload: Upload | None = None, **client: object) -> StoreError:
    """List the bucket, or size the upload, which has to fail; return why."""
    return failure(rig.size, upload, **client) if upload else failure(rig.ids, **client)


def fields(**changes: str | None) -> Callable[[Listing], Listing]:
    """Return a fault of an XML page: these fields, None for absent ones."""
    return lambda page: replace(page, fields=page.fields | changes)


def body(change: Callable[[bytes], bytes]) -> Callable[[Reply], Reply]:
    """Return a fault of the reply: another body."""
    return lambda reply: replace(reply, body=change(reply.body))


def items(number: int, **changes: str | None) -> Callable[[Listing], Listing]:
    """Return a fault of an XML page: these fields of its item with this number, None for absent ones."""

    def change(page: Listing) -> Listing:
        changed = page.items[:]
        changed[number] = changed[number] | changes
        return replace(page, items=changed)

    return change
