"""A month of scans, in virtual time: what is remembered of uploads saves most of the requests."""

import threading
from collections.abc import Iterator

from bench.measure import cost
from bench.ours import calm
from bench.pages import PAGE, PART_BYTES, names
from bench.verdict import Row, at_least, figure, shown, verdict
from bench.virtual import DAY, INTERVAL, Clock, Store, page_of

from exporter.config.settings import BucketSettings, ScanSettings, Settings
from exporter.model.uploads import Part, Upload
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.base import Page
from exporter.stores.engine.store_client import Clocks, StoreClient

UPLOADS, GROWING = 10_000, 100
PART_EVERY = 420.0
"""Seconds between two parts of an upload that grows."""
IDLE_FOR = 10 * DAY
BEGINS = 1_790_000_000.0
SCANS = int(30 * DAY / INTERVAL)
LIMIT = 50.0
BUCKET = BucketSettings("media")


def month_10k(_rounds: int) -> Row:
    """Compare the requests of a month with those of sizing all at each scan.

    The latter are counted once, at the start: later each growing upload takes more than a page of parts.
    Nothing varies from one month to another, so that one is enough, whatever the rounds; it takes minutes.
    """
    clock = Clock(BEGINS)
    bucket = _Bucket(clock)
    each_time = bucket.scan(_scanner(bucket, clock, "always"), Ledger())
    assert each_time == UPLOADS // PAGE + UPLOADS
    asked: list[int] = []
    used = cost(lambda: asked.extend(_scan_on(bucket, clock)), SCANS, calm)
    fewer = at_least("times fewer requests", SCANS * each_time / sum(asked), LIMIT)
    first, *steady = asked
    mine = {
        "requests": sum(asked),
        "first": first,
        "mean": figure(sum(steady) / len(steady)),
        "worst": max(steady),
    }
    baseline = {"requests": SCANS * each_time, "mean": each_time}
    return verdict([fewer], ours=shown(used) | mine, baseline=baseline)


def _scan_on(bucket: "_Bucket", clock: Clock) -> Iterator[int]:
    """Scan for a month, and yield how many requests each scan took."""
    scanner, ledger = _scanner(bucket, clock, "remembered"), Ledger()
    for number in range(SCANS):
        clock.now = BEGINS + number * INTERVAL
        yield bucket.scan(scanner, ledger)


class _Bucket:
    """Uploads of which every hundredth gets a part again and again; all others have one, and are idle."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        idle_since = BEGINS - IDLE_FOR
        growing = UPLOADS // GROWING
        uploads = [
            Upload(key, upload_id, idle_since if number % growing else BEGINS)
            for number, (key, upload_id) in enumerate(names(UPLOADS))
        ]
        # the first part of each at a moment of its own
        self._began = {
            upload.upload_id: BEGINS - PART_EVERY * number / GROWING
            for number, upload in enumerate(uploads[::growing])
        }
        self._idle = page_of(range(1, 2), PART_BYTES, [idle_since], truncated=False)
        self.store = Store(uploads, self._parts)

    def scan(self, scanner: Scanner, ledger: Ledger) -> int:
        """Scan once, and return how many requests it took; raises AssertionError where a part was missed."""
        before = self.store.requests
        found = scanner.scan(BUCKET, ledger).summary
        parts = UPLOADS - GROWING + sum(map(self._grown, self._began.values()))
        assert (found.uploads, found.unsized, found.overdue) == (UPLOADS, 0, 0), found
        assert (found.parts, found.bytes) == (parts, parts * PART_BYTES), found
        return self.store.requests - before

    def _grown(self, began: float) -> int:
        """Return how many parts an upload has by now whose first one was put when it `began`."""
        return 1 + int((self._clock.now - began) / PART_EVERY)

    def _parts(self, upload: Upload, after: int) -> Page[Part]:
        began = self._began.get(upload.upload_id)
        if began is None:
            return self._idle
        parts = self._grown(began)
        last = min(parts, after + PAGE)
        if last == after:
            return Page((), truncated=False)
        modified = [began + number * PART_EVERY for number in range(after, last)]
        return page_of(range(after + 1, last + 1), PART_BYTES, modified, truncated=last < parts)


def _scanner(bucket: _Bucket, clock: Clock, parts: str) -> Scanner:
    clocks = Clocks(wall=clock.read)
    client = StoreClient(bucket.store, ScanSettings(parts=parts), threading.Event(), clocks)
    return Scanner(client, Settings(()).ages)
