"""A store in the process that takes any key as a marker, in its own way; its answers come in any order."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from fakes import BUCKET, DAY, GONE, NOW, Clock

from exporter.config.settings import BucketSettings, ScanSettings
from exporter.model.uploads import Part, Upload
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.base import S3_OPERATIONS, CompletedCall, ListingStart, Page, PageOperations, PageRequest
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.pagination.part_sums import NumberedPartSum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.model.results import ScanResult

ORDERS: dict[str, Callable[[Upload], tuple[Any, ...]]] = {
    "key, id": lambda each: (each.key.encode(), each.upload_id),
    "key, initiation": lambda each: (each.key.encode(), each.initiated, each.upload_id),
    "key.id": lambda each: (f"{each.key}.{each.upload_id}".encode(),),
    "id": lambda each: (each.upload_id,),
}
READINGS: dict[str, Callable[[Upload, str], bool]] = {
    "strict": lambda each, key: each.key.encode() > key.encode(),
    "inclusive": lambda each, key: each.key.encode() >= key.encode(),
    "as text": lambda each, key: f"{each.key}.{each.upload_id}".encode() > key.encode(),
    "ignored": lambda _each, _key: True,
    "equals": lambda each, key: each.key == key,
}
"""What a key alone as a marker is followed by."""
SERVERS = (
    ("key, initiation", "strict"),  # Amazon S3
    ("key, id", "inclusive"),  # MiniStack
    ("key.id", "as text"),  # Ceph
)


def made(keys: Sequence[str]) -> list[Upload]:
    """Return an upload of each key, begun a day ago; its id says its place, and begins as Ceph's do."""
    return [Upload(key, f"2~{number:05}", NOW - DAY) for number, key in enumerate(keys)]


@dataclass
class SegmentStore:
    """Lists `uploads` in pages of `page_size`, one part each."""

    uploads: list[Upload]
    page_size: int = 5
    order: str = "key, initiation"
    reading: str = "strict"
    lie: Callable[[PageRequest, list[Upload]], list[Upload] | Exception] = lambda _request, listed: listed
    """Is given a request for a page of the bucket and what follows its marker; returns what is listed."""
    before: Callable[[PageRequest], None] = lambda _: None
    """Is called with each request before it is answered."""
    pick: Callable[[int], int] = field(default_factory=lambda: random.Random(7).randrange)
    listing_start: ListingStart = ListingStart.ANY_KEY
    asked: list[PageRequest] = field(default_factory=list)
    most_in_flight: int = 0
    operations: tuple[str, ...] = ("ListMultipartUploads", "ListParts")
    page_operations: PageOperations = S3_OPERATIONS
    has_part_times: bool = True
    has_initiation_times: bool = True
    lists_by_key: bool = True
    encodes_keys: bool = True
    signing_region: str = "nowhere-1"
    _waiting: list[tuple[object, PageRequest]] = field(default_factory=list)
    _listed: dict[tuple[str, str], Upload] = field(default_factory=dict)

    @property
    def pages(self) -> list[PageRequest]:
        """The requests for pages of the bucket."""
        return [each for each in self.asked if each.upload is None and not each.by_name]

    @property
    def in_flight(self) -> int:
        """Number of calls that are not answered."""
        return len(self._waiting)

    @property
    def starts(self) -> list[str]:
        """The keys that were asked for alone, as markers."""
        return [each.marker[0] for each in self.pages if each.marker and not each.marker[1]]

    def open(self, bucket: BucketSettings, deadline: float) -> SegmentStore:
        self._waiting.clear()
        return self

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        self._waiting.append((label, request))
        self.most_in_flight = max(self.most_in_flight, len(self._waiting))

    def completed(self, timeout: float) -> list[CompletedCall]:
        if not self._waiting:
            return []
        label, request = self._waiting.pop(self.pick(len(self._waiting)))
        self.before(request)
        self.asked.append(request)
        return [(label, self._answer(request))]

    def close(self) -> None:
        self._waiting.clear()

    def new_part_sum(self) -> NumberedPartSum:
        return NumberedPartSum()

    def _answer(self, request: PageRequest) -> Any:
        if request.upload is not None:
            known = request.upload[:2] in {each[:2] for each in self.uploads}
            return Page([Part(1, 10, NOW - DAY)], truncated=False) if known else GONE
        prefix = request.bucket.prefix or ""
        listed = sorted(self.uploads, key=ORDERS[self.order])
        rest = [each for each in listed if each.key.startswith(prefix) and self._follows(each, request)]
        told = rest if request.by_name else self.lie(request, rest)
        if isinstance(told, Exception):
            return told
        page = told[: self.page_size]
        self._listed.update((each[:2], each) for each in page)
        last = page[-1][:2] if page else None
        return Page(page, len(told) > len(page), last if len(told) > len(page) else None, last)

    def _follows(self, upload: Upload, request: PageRequest) -> bool:
        if not request.marker:
            return True
        key, upload_id = request.marker
        if not upload_id:
            return READINGS[self.reading](upload, key)
        place = ORDERS[self.order]
        return place(upload) > place(self._listed.get((key, upload_id), Upload(key, upload_id, NOW)))


class Scanned(NamedTuple):
    """A scan's result, and the ids of the uploads that it counted, sorted; keys of those without."""

    result: ScanResult
    ids: list[str]


class Scans:
    """Scans one bucket of a store again and again."""

    def __init__(
        self,
        store: SegmentStore,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
        stop: Any = None,
        bucket: BucketSettings = BUCKET,
        *,
        one_shot: bool = False,
        **settings: Any,
    ) -> None:
        self.store = store
        self.ledger = ledger if ledger is not None else Ledger()
        self.clock = clock or Clock()
        self.bucket = bucket
        scan_settings = ScanSettings(**{"parts": "never", "listing_concurrency": 4, **settings})
        client = StoreClient(store, scan_settings, stop or threading.Event(), self.clock.clocks())
        self._scanner = Scanner(client, (3600.0, DAY), relists_gone=one_shot)

    def scan(self) -> Scanned:
        """Scan the bucket; `store.asked` is then what this scan asked for."""
        passes: list[list[str]] = []
        self.store.asked.clear()
        self.store.most_in_flight = 0

        def observers():
            ids: list[str] = []
            passes.append(ids)
            return [lambda found: ids.append(found.upload.upload_id or found.upload.key)]

        result = self._scanner.scan(self.bucket, self.ledger, observers)
        return Scanned(result, sorted(passes[-1]))
