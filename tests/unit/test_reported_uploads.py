"""The store's own count beside that of scans: when it is asked for, and when a difference is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fakes import BUCKET, REFUSED, Clock, FakeStore, error, upload

from exporter.config.settings import ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.config.settings import BucketSettings

HOUR = 3600.0
BUSY = error(Reason.THROTTLED, 503, "SlowDown", retryable=True)
TARGET = TargetSettings("prod", StoreKind.S3, (BUCKET,), scan=ScanSettings(retries=0), ceph_admin=True)


@dataclass
class CountingStore(FakeStore):
    """A store with a count of its own: `counts` come one after the other, and there are no more."""

    counts: list[int | Exception] = field(default_factory=list)

    def reported_uploads(self, bucket, deadline) -> int:
        count = self.counts.pop(0)
        if isinstance(count, Exception):
            raise count
        return count


class Scans:
    """Scans of one bucket of a store, one after the other."""

    def __init__(self, bucket: BucketSettings = BUCKET, target: TargetSettings = TARGET) -> None:
        self.clock = Clock()
        self.store = CountingStore()
        client = StoreClient(self.store, target.scan, self.clock, self.clock.clocks())
        self._enrichment = Enrichment(target, client)
        self._scanner = Scanner(client, (), enrichment=self._enrichment)
        self._bucket = bucket

    def reported(self, found: int, *counts: int | Exception) -> int | None:
        """Scan a bucket of so many uploads; the store is to be asked for all of these counts."""
        self.store.uploads = [upload(number) for number in range(found)]
        self.store.counts = list(counts)
        summary = self._scanner.scan(self._bucket, Ledger()).summary
        assert (summary.uploads, self.store.counts) == (found, [])
        return summary.reported

    def forget(self) -> None:
        self._enrichment.keep_only(())


@pytest.fixture
def scans() -> Scans:
    return Scans()


def told(caplog: pytest.LogCaptureFixture) -> list[Mapping[str, object]]:
    return [record.fields for record in caplog.records]  # type: ignore[attr-defined]


def test_it_comes_with_each_scan(scans: Scans):
    assert [scans.reported(2, 2), scans.reported(0, 0), scans.reported(3, 3)] == [2, 0, 3]


@pytest.mark.parametrize(
    ("bucket", "target"),
    [(BUCKET, replace(TARGET, ceph_admin=False)), (replace(BUCKET, prefix="db/"), TARGET)],
)
def test_nothing_is_asked_where_nobody_wants_to_know_and_where_a_part_of_the_bucket_is_watched(
    bucket: BucketSettings, target: TargetSettings
):
    assert Scans(bucket, target).reported(0) is None


def test_a_refusal_fails_nothing_and_is_told_once_and_asked_again_after_an_hour(
    scans: Scans, caplog: pytest.LogCaptureFixture
):
    assert scans.reported(2, REFUSED) is None
    scans.clock.now += HOUR - 1
    assert scans.reported(2) is None
    scans.clock.now += 1
    assert scans.reported(2, REFUSED) is None
    scans.clock.now += HOUR
    assert scans.reported(2, 2) == 2
    expected = {"target": "prod", "bucket": "media", "reason": "access_denied", "error": str(REFUSED)}
    assert told(caplog) == [expected]


def test_a_failure_that_may_pass_leaves_one_scan_without_it(scans: Scans):
    assert [scans.reported(2, 2), scans.reported(2, BUSY), scans.reported(2, 2)] == [2, None, 2]


def test_a_store_without_a_count_of_its_own_has_none(caplog: pytest.LogCaptureFixture):
    client = StoreClient(FakeStore(), TARGET.scan, clock := Clock(), clock.clocks())
    scanner = Scanner(client, (), enrichment=Enrichment(TARGET, client))
    assert scanner.scan(BUCKET, Ledger()).summary.reported is None
    assert [fields["reason"] for fields in told(caplog)] == ["unsupported"]


class TestDifference:
    FIELDS = ({"target": "prod", "bucket": "media", "uploads": 9, "reported": 10},)

    def test_it_is_told_with_the_third_scan_and_once_until_it_is_over(
        self, scans: Scans, caplog: pytest.LogCaptureFixture
    ):
        assert [scans.reported(9, 10), scans.reported(9, 10, 10)] == [10, 10]
        assert told(caplog) == []
        assert [scans.reported(9, 10, 10), scans.reported(9, 10, 10)] == [10, 10]
        assert told(caplog) == [*self.FIELDS]
        scans.reported(9, 9, 9)
        scans.reported(9, 10)
        scans.reported(9, 10, 10)
        assert told(caplog) == [*self.FIELDS]
        scans.reported(9, 10, 10)
        assert told(caplog) == [*self.FIELDS] * 2

    def test_a_scan_that_agrees_begins_anew(self, scans: Scans, caplog: pytest.LogCaptureFixture):
        for _ in range(3):
            scans.reported(9, 10)
            scans.reported(9, 10, 10)
            scans.reported(10, 10, 10)
        assert told(caplog) == []

    def test_a_scan_during_which_uploads_came_or_went_begins_anew(
        self, scans: Scans, caplog: pytest.LogCaptureFixture
    ):
        scans.reported(9, 10)
        for before, after in pairwise([9, 10, 9, 10, 9, 10]):
            scans.reported(8, before, after)
        assert told(caplog) == []

    def test_so_does_one_before_which_the_count_was_not_known(
        self, scans: Scans, caplog: pytest.LogCaptureFixture
    ):
        scans.reported(9, 10)
        for _ in range(3):
            scans.reported(9, BUSY, 10)
        assert [fields["error"] for fields in told(caplog)] == [str(BUSY)] * 3

    @pytest.mark.parametrize(
        ("found", "reported"),
        [
            ([12, 12, 12], [10, 11, 10]),  # as far off as the counts are apart
            ([9, 9, 9], [11, 10, 11]),
            ([9, 11, 9], [10, 10, 10]),  # on both sides
            ([100, 200, 300], [110, 210, 310]),  # a bucket that grows
        ],
    )
    def test_it_is_not_told_where_uploads_that_come_and_go_explain_it(
        self, scans: Scans, caplog: pytest.LogCaptureFixture, found: Sequence[int], reported: Sequence[int]
    ):
        show(scans, found, reported)
        assert told(caplog) == []

    @pytest.mark.parametrize(
        ("found", "reported"),
        [([13, 14, 13], [10, 11, 10]), ([8, 8, 7], [10, 11, 10]), ([0, 0, 0], [1, 1, 1])],
    )
    def test_it_is_told_where_it_is_larger_than_that(
        self, scans: Scans, caplog: pytest.LogCaptureFixture, found: Sequence[int], reported: Sequence[int]
    ):
        show(scans, found, reported)
        assert [(fields["uploads"], fields["reported"]) for fields in told(caplog)] == [
            (found[2], reported[2])
        ]


def show(scans: Scans, found: Sequence[int], reported: Sequence[int]) -> None:
    """Make three scans; the store's count is the same before and after each."""
    scans.reported(found[0], reported[0])
    scans.reported(found[1], reported[1], reported[1])
    scans.reported(found[2], reported[2], reported[2])


def test_what_is_known_of_a_bucket_that_is_no_longer_watched_is_forgotten(
    scans: Scans, caplog: pytest.LogCaptureFixture
):
    scans.reported(9, 10)
    scans.reported(9, 10, 10)
    scans.forget()
    scans.reported(9, 10)
    assert told(caplog) == []
