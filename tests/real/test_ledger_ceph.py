"""What is remembered between scans, on Ceph RADOS Gateway: its own log says what each scan asked."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from fakes import DAY, Recorder
from servers.fill import Made, fill

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.scan.scanner import Scanner
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.obs.store import ObsStore
from exporter.stores.s3.store import S3Store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.ceph import Ceph, Request

    from exporter.model.results import Summary

Watch = "Callable[..., TargetStatus]"
STORES = ("wire", "boto3", "obs")


@dataclass(frozen=True)
class Scan:
    """What a scan found, and the requests for it by the gateway's own log."""

    summary: Summary
    uploads: list[Request]
    parts: list[Request]
    saved: int

    @property
    def markers(self) -> list[str]:
        return [each.query.get("part-number-marker", "") or "0" for each in self.parts]


class TargetStatus:
    """A fresh bucket on Ceph and what scans it, at moments of our choice."""

    def __init__(self, ceph: Ceph, store: str, **settings: object) -> None:
        self.ceph, self.client, self.bucket = ceph, ceph.client(), f"ledger-{uuid.uuid4().hex[:12]}"
        self.logged_before = ceph.log.stat().st_size
        self.client.create_bucket(Bucket=self.bucket)
        self.start, self.days, self.saved = time.time(), 0.0, 0
        stop = threading.Event()
        is_obs = store == "obs"
        target = TargetSettings(
            name="ceph",
            store=StoreKind.OBS if is_obs else StoreKind.S3,
            buckets=(),
            endpoint_url=ceph.endpoint_url,
            region="us-east-1",
            scan=ScanSettings(**settings),
            credentials=Credentials(None, Secret(ceph.mpu.access_key), Secret(ceph.mpu.secret_key)),
            **({"signature": "v2"} if is_obs else {"engine": store}),
        )
        kind = ObsStore if is_obs else S3Store
        self.store = kind(target, Transport(Recorder(), stop))
        clocks = Clocks(wall=lambda: self.start + self.days * DAY)
        self.scanner = Scanner(
            StoreClient(self.store, target.scan, stop, clocks), (3600.0,), on_calls_saved=self._save
        )
        self.use(StateDatabase())

    def use(self, state: StateDatabase) -> None:
        """Begin with the memory that a process finds at its start."""
        self.rows = LedgerRows(state, BucketName("ceph", "s3", self.ceph.endpoint_url, "-", self.bucket))
        self.ledger = Ledger(self.rows)

    def close(self) -> None:
        self.store.close()

    def _save(self, calls: int) -> None:
        self.saved += calls

    def scan(self, days: float) -> Scan:
        """Scan so many days from now."""
        before, self.days, self.saved = len(self.requests()), days, 0
        summary = self.scanner.scan(BucketSettings(self.bucket), self.ledger).summary
        asked = self.requests()[before:]
        listings = [each for each in asked if "uploads" in each.query]
        parts = [each for each in asked if "uploadId" in each.query]
        assert len(asked) == len(listings) + len(parts)
        return Scan(summary, listings, parts, self.saved)

    def requests(self) -> list[Request]:
        return self.ceph.requests(self.bucket, self.logged_before)

    def fill(self, count: int, parts: dict[int, int], name: str = "key") -> list[Made]:
        return fill(self.client, self.bucket, [f"{name} {n}&" for n in range(count)], lambda _: parts)

    def put(self, made: Made, number: int, size: int) -> str:
        return self.client.upload_part(**named(self, made), PartNumber=number, Body=b"y" * size)["ETag"]


def named(watched: TargetStatus, made: Made) -> dict[str, str]:
    return {"Bucket": watched.bucket, "Key": made.key, "UploadId": made.upload_id}


@pytest.fixture
def watch(ceph: Ceph) -> Iterator[Watch]:
    """Give what makes a fresh bucket that is scanned."""
    made: list[TargetStatus] = []

    def make(store: str = "wire", **settings: object) -> TargetStatus:
        made.append(TargetStatus(ceph, store, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def sums(scan: Scan) -> tuple[int, int | None, int | None]:
    return scan.summary.uploads, scan.summary.parts, scan.summary.bytes


@pytest.mark.parametrize("store", STORES)
class TestRecheck:
    def test_idle_uploads_are_asked_once_and_then_not_within_their_delay(self, watch: Watch, store: str):
        watched = watch(store)
        watched.fill(10, {1: 7, 2: 5})
        first, within, due = (watched.scan(days) for days in (5, 5.4, 5.6))
        assert [(len(s.uploads), len(s.parts)) for s in (first, within, due)] == [(1, 10), (1, 0), (1, 10)]
        assert [s.saved for s in (first, within, due)] == [0, 10, 0]
        assert [sums(s) for s in (first, within, due)] == [(10, 20, 120)] * 3
        assert first.summary.oldest_initiated == within.summary.oldest_initiated
        assert first.summary.oldest_activity == within.summary.oldest_activity

    def test_growth_is_seen_by_the_next_due_scan(self, watch: Watch, store: str):
        watched = watch(store)
        [made] = watched.fill(1, {1: 7})
        assert sums(watched.scan(5)) == (1, 1, 7)
        time.sleep(1.1)  # the activity is another second's
        watched.put(made, 2, 50)
        listed = watched.client.list_parts(**named(watched, made))["Parts"]
        newest = max(part["LastModified"] for part in listed).timestamp()
        assert sums(watched.scan(5.4)) == (1, 1, 7)
        grown = watched.scan(5.6)
        assert sums(grown) == (1, 2, 57)
        assert grown.summary.oldest_activity == pytest.approx(newest, abs=0.001)
        remembered = watched.scan(5.7)
        assert remembered.parts == []
        assert remembered.summary.oldest_activity == pytest.approx(newest, abs=0.001)

    def test_ended_uploads_leave_and_new_ones_are_sized_at_once(self, watch: Watch, store: str):
        watched = watch(store)
        aborted, completed, _ = watched.fill(3, {1: 7})
        watched.scan(5)
        watched.client.abort_multipart_upload(**named(watched, aborted))
        parts = {"Parts": [{"PartNumber": 1, "ETag": watched.put(completed, 1, 7)}]}
        watched.client.complete_multipart_upload(**named(watched, completed), MultipartUpload=parts)
        ended = watched.scan(5.1)
        assert sums(ended) == (1, 1, 7)
        assert (len(ended.parts), watched.rows.count()) == (0, 1)
        watched.fill(2, {1: 100}, "new")
        new = watched.scan(5.2)
        assert sums(new) == (3, 3, 207)
        assert (len(new.parts), watched.rows.count()) == (2, 3)


@pytest.mark.parametrize("store", STORES)
class TestLongLists:
    def test_a_long_list_is_resumed_after_its_known_run(self, watch: Watch, store: str):
        watched = watch(store, page_size=5)
        [made] = watched.fill(1, dict.fromkeys(range(1, 13), 3))
        assert watched.scan(2).markers == ["0", "5", "10"]
        for number in range(13, 19):
            watched.put(made, number, 4)
        resumed = watched.scan(2.3)
        assert resumed.markers == ["12", "17"]
        assert sums(resumed) == (1, 18, 60)
        assert resumed.saved == 2

    def test_parts_after_a_gap_are_read_again_and_exact(self, watch: Watch, store: str):
        watched = watch(store, page_size=5)
        [made] = watched.fill(1, {**dict.fromkeys(range(1, 8), 3), 9: 10, 10_000: 20})
        assert sums(watched.scan(2)) == (1, 9, 51)
        watched.put(made, 9, 11)
        resumed = watched.scan(2.3)
        assert resumed.markers == ["7"]
        assert sums(resumed) == (1, 9, 52)

    def test_a_part_replaced_in_the_run_is_seen_at_the_full_read(self, watch: Watch, store: str):
        watched = watch(store, page_size=5)
        [made] = watched.fill(1, dict.fromkeys(range(1, 8), 3))
        watched.scan(2)
        watched.put(made, 3, 100)
        resumed, full = watched.scan(2.3), watched.scan(3.1)
        assert [resumed.markers, full.markers] == [["7"], ["0", "5"]]
        assert [sums(resumed), sums(full)] == [(1, 7, 21), (1, 7, 118)]

    def test_a_part_replaced_in_a_short_list_is_seen_at_the_next_recheck(self, watch: Watch, store: str):
        watched = watch(store, page_size=5)
        [made] = watched.fill(1, {1: 3, 2: 3})
        watched.scan(5)
        watched.put(made, 1, 100)
        assert sums(watched.scan(5.6)) == (1, 2, 103)


def test_a_thousand_known_parts_are_not_listed_again(watch: Watch):
    watched = watch()
    [made] = watched.fill(1, dict.fromkeys(range(1, 1_201), 3))
    first = watched.scan(2)
    watched.put(made, 1_201, 4)
    resumed = watched.scan(2.3)
    assert [first.markers, resumed.markers] == [["0", "1000"], ["1200"]]
    assert [sums(first), sums(resumed)] == [(1, 1_200, 3_600), (1, 1_201, 3_604)]
    assert resumed.saved == 1


class TestBudgets:
    def test_no_scan_asks_more_than_max_requests_and_in_the_end_all_are_sized(self, watch: Watch):
        watched = watch(max_requests=4)
        watched.fill(10, {1: 7})
        scans = [watched.scan(5 + n / 100) for n in range(4)]
        assert [(len(s.uploads), len(s.parts)) for s in scans] == [(1, 3), (1, 3), (1, 3), (1, 1)]
        assert [s.summary.unsized for s in scans] == [7, 4, 1, 0]
        assert sums(scans[-1]) == (10, 10, 70)

    def test_the_listing_ends_also_where_it_takes_more(self, watch: Watch):
        watched = watch(max_requests=2, page_size=2)
        watched.fill(10, {1: 7})
        scan = watched.scan(5)
        assert (scan.summary.uploads, scan.summary.unsized) == (10, 10)
        assert (len(scan.uploads), len(scan.parts)) == (5, 0)

    def test_those_never_sized_come_before_the_overdue(self, watch: Watch):
        watched = watch(max_requests=4)
        watched.fill(3, {1: 7})
        watched.scan(5)
        new = watched.fill(3, {1: 10}, "new")
        scan = watched.scan(5.6)
        assert {made.upload_id for made in new} == {each.query["uploadId"] for each in scan.parts}
        assert (scan.summary.unsized, scan.summary.overdue) == (0, 3)
        assert sums(scan) == (6, 6, 51)

    def test_requests_per_second_spaces_them(self, watch: Watch):
        watched = watch(requests_per_second=50.0)
        watched.fill(40, {1: 7})
        scan = watched.scan(5)
        moments = [each.at for each in (*scan.uploads, *scan.parts)]
        assert (len(moments), scan.summary.unsized) == (41, 0)
        assert max(moments) - min(moments) >= 0.7


def test_a_restart_with_a_state_file_brings_no_burst(watch: Watch, tmp_path: Path):
    watched, path = watch(), tmp_path / "state"
    watched.fill(10, {1: 7})
    seen = []
    for days in (5, 5.1):
        with closing(StateDatabase(path)) as state:
            assert state.open(threading.Event())
            watched.use(state)
            seen.append(watched.scan(days))
    assert [len(scan.parts) for scan in seen] == [10, 0]
    assert [sums(scan) for scan in seen] == [(10, 10, 70)] * 2


def test_uploads_that_come_and_go_during_scans_disturb_nothing(watch: Watch):
    watched, stop = watch(page_size=10), threading.Event()
    watched.fill(100, {1: 100}, "steady")
    churn = threading.Thread(target=keep_churning, args=(watched, stop))
    churn.start()
    try:
        for n in range(5):
            watched.days = 5 + n * 0.3
            summary = watched.scanner.scan(BucketSettings(watched.bucket), watched.ledger).summary
            assert summary.unsized == 0
            assert 100 <= summary.uploads <= 102  # one that is under way, one seen before it ended
            assert 10_000 <= summary.bytes <= 10_000 + 2 * 7
    finally:
        stop.set()
        churn.join()
    assert sums(watched.scan(6.3)) == (100, 100, 10_000)
    assert 100 == watched.rows.count() == watched.ceph.oracle(watched.bucket)


def keep_churning(watched: TargetStatus, stop: threading.Event) -> None:
    """Make an upload and end it, over and over: by turns aborted and completed."""
    number = 0
    while not stop.is_set():
        number += 1
        [made] = fill(watched.client, watched.bucket, [f"{'atz'[number % 3]}-churn-{number}"])
        tag = watched.put(made, 1, 7)
        if number % 2:
            watched.client.abort_multipart_upload(**named(watched, made))
        else:
            parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
            watched.client.complete_multipart_upload(**named(watched, made), MultipartUpload=parts)
