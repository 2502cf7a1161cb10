"""Which buckets an account has: the same of every store, and nothing believed that does not prove itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from contract.rigs import SCAN, Rig, failure, items
from servers.s3 import Upload
from servers.standin import Fault, Reply

from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Reason, StoppingError
from exporter.scheduler.discovery import BucketDiscovery
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.obs.endpoint import iam_url, read_server
from exporter.stores.registry import store_type

if TYPE_CHECKING:
    from contract.rigs import Opener

EVERY = DiscoverSettings()


def operation(rig: Rig) -> str:
    return store_type(rig.target.store).buckets_operation


def fill(rig: Rig, *names: str) -> None:
    """Give the account these buckets and no others."""
    buckets = rig.server.vaults if rig.target.store == "glacier" else rig.server.buckets
    empty: dict[str, object] | list[object] = {} if rig.target.store == "glacier" else []
    buckets.clear()
    buckets.update(dict.fromkeys(names, empty))


def finder(
    rig: Rig, discover: DiscoverSettings = EVERY, stop: threading.Event | None = None
) -> BucketDiscovery:
    target = replace(rig.target, buckets=(), discover=discover, stale_after=5.0)
    clocks = Clocks(jitter=lambda _low, _high: 0.0)
    return BucketDiscovery(target, StoreClient(rig.store, target.scan, stop or threading.Event(), clocks))


def names(rig: Rig, discover: DiscoverSettings = EVERY) -> list[str]:
    return [bucket.name for bucket in finder(rig, discover).find().buckets]


def spoil(rig: Rig, reply: Reply | None = None, on: tuple[int, ...] | None = None, **how: object) -> None:
    rig.faults.add(Fault(operation(rig), on, reply=lambda true: reply or replace(true, **how)))


class TestEveryStore:
    def test_all_buckets_are_found_by_name(self, open_rig: Opener):
        rig = open_rig()
        fill(rig, "media", "backups", "a.b-c")
        assert names(rig) == ["a.b-c", "backups", "media"]
        assert [bucket.stale_after for bucket in finder(rig).find().buckets] == [5.0] * 3

    def test_an_account_without_buckets_has_none(self, open_rig: Opener):
        rig = open_rig()
        fill(rig)
        assert names(rig) == []

    def test_patterns_choose(self, open_rig: Opener):
        rig = open_rig()
        fill(rig, "prod-media", "prod-tmp", "test-media", "media-prod")
        assert names(rig, DiscoverSettings(include=("^prod-",), exclude=("-tmp$",))) == ["prod-media"]
        assert names(rig, DiscoverSettings(exclude=("prod",))) == ["test-media"]
        assert names(rig, DiscoverSettings(include=("^test", "prod$"))) == ["media-prod", "test-media"]

    def test_each_request_is_counted_under_its_name(self, open_rig: Opener):
        rig = open_rig()
        fill(rig, "media")
        rig.traffic.seen.clear()
        names(rig)
        assert rig.traffic.seen == [("sent", operation(rig))]

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html><body>Please log in</body></html>", b"<ListMultipartUploadsResult/>", b"{}", b"[]"],
    )
    def test_what_is_no_list_is_no_empty_account(self, open_rig: Opener, body: bytes):
        rig = open_rig()
        fill(rig, "media")
        spoil(rig, body=body)
        assert failure(finder(rig).find).reason is Reason.BAD_RESPONSE

    @pytest.mark.parametrize(
        "body", [b"", b"<?xml version='1.0'?><ListAllMyBucketsResult>", b'{"VaultList": [']
    )
    def test_a_garbled_list_is_asked_for_once_more(self, open_rig: Opener, body: bytes):
        rig = open_rig(scan=replace(SCAN, retries=0))
        is_own = not body or (body[:1] == b"{") == (rig.target.store is StoreKind.GLACIER)
        fill(rig, "media")
        spoil(rig, body=body, on=(1,))
        assert (names(rig) if is_own else failure(finder(rig).find).reason) == (
            ["media"] if is_own else Reason.BAD_RESPONSE
        )

    def test_a_refusal_says_what_is_missing(self, open_rig: Opener):
        rig = open_rig()
        spoil(rig, rig.refusal(403, "AccessDenied"))
        error = failure(finder(rig).find)
        assert error.reason is Reason.ACCESS_DENIED
        assert str(error).startswith(f"{operation(rig)}: HTTP 403")

    def test_what_may_pass_is_tried_again_and_no_more_often_than_configured(self, open_rig: Opener):
        rig = open_rig(scan=replace(SCAN, retries=2))
        fill(rig, "media")
        spoil(rig, rig.refusal(503, "ServiceUnavailable"), on=(1, 2, 4, 5, 6))
        assert names(rig) == ["media"]
        assert failure(finder(rig).find).reason is Reason.SERVER_ERROR

    def test_whoever_stops_does_not_wait_for_the_next_try(self, open_rig: Opener):
        rig = open_rig(scan=replace(SCAN, retries=9))
        spoil(rig, rig.refusal(503, "ServiceUnavailable"))
        stop = threading.Event()
        stop.set()
        with pytest.raises(StoppingError):
            finder(rig, stop=stop).find()


class TestPages:
    def fill(self, rig: Rig, count: int) -> list[str]:
        wanted = [f"bucket-{number:03}" for number in range(count)]
        fill(rig, *wanted)
        if rig.target.store != "glacier":
            rig.server.buckets_page = 7
        return wanted

    @pytest.mark.parametrize("count", [7, 10, 14, 50])
    def test_are_followed_to_the_end(self, open_obs: Opener, open_vault: Opener, count: int):
        for rig in (open_obs(), open_vault()):
            assert self.fill(rig, count) == names(rig)

    def test_of_others_are_not_asked_for_but_followed_where_they_come(self, open_engine: Opener):
        rig = open_engine()
        self.fill(rig, 20)
        rig.standin.forget()
        assert len(names(rig)) == 20
        assert [request.raw_query for request in rig.standin.requests] == [""]
        page = rig.store.list_buckets(("after-bucket-000",), time.monotonic() + 10)
        assert (page.truncated, page.next_marker) == (True, ("after-bucket-007",))

    def test_that_do_not_move_are_no_list(self, open_obs: Opener, open_vault: Opener):
        for rig in (open_obs(), open_vault()):
            self.fill(rig, 30)
            rig.faults.add(
                Fault(
                    operation(rig),
                    request=lambda request: replace(request, target=request.target.split("?")[0]),
                )
            )
            assert failure(finder(rig).find).reason is Reason.BAD_RESPONSE


class TestNames:
    def test_one_that_cannot_be_asked_for_is_left_out_and_told_once(self, open_engine: Opener, caplog):
        rig = open_engine()
        fill(rig, "good", "..", "a b", "new\nline")
        looking = finder(rig)
        assert [bucket.name for bucket in looking.find().buckets] == ["good"]
        assert [bucket.name for bucket in looking.find().buckets] == ["good"]
        assert len(caplog.records) == 3
        assert all(record.getMessage() == caplog.records[0].getMessage() for record in caplog.records)

    def test_without_a_name_there_is_no_list(self, open_engine: Opener):
        rig = open_engine()
        fill(rig, "good", "bad")
        rig.faults.add(Fault("ListBuckets", page=items(0, Name="")))
        assert failure(finder(rig).find).reason is Reason.BAD_RESPONSE

    def test_prefix_and_region_are_handed_down(self, open_engine: Opener):
        rig = open_engine()
        fill(rig, "good")
        target = replace(rig.target, prefix="db/", discover=EVERY, stale_after=7.0)
        found = BucketDiscovery(target, StoreClient(rig.store, target.scan, threading.Event())).find().buckets
        assert found == (BucketSettings("good", "db/", 7.0, None),)


class TestAmazon:
    """The SDK is told by a variable that Amazon is the stand-in."""

    @pytest.fixture
    def rig(self, open_engine: Opener, monkeypatch: pytest.MonkeyPatch):
        rig = open_engine()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", rig.standin.url)
        rig.retarget(endpoint_url=None)
        fill(rig, *(f"bucket-{number:02}" for number in range(20)))
        rig.server.buckets_page = 7
        rig.server.regions["bucket-03"] = "eu-central-1"
        return rig

    def test_is_asked_for_pages_and_tells_regions(self, rig: Rig):
        found = {bucket.name: bucket.region for bucket in finder(rig).find().buckets}
        assert len(found) == 20
        assert (found["bucket-03"], found["bucket-04"]) == ("eu-central-1", "us-east-1")
        assert [request.argument("max-buckets") for request in rig.standin.requests] == ["1000"] * 3

    def test_is_asked_about_a_bucket_in_the_bucket_s_own_region_from_the_first_request_on(self, rig: Rig):
        [bucket] = [each for each in finder(rig).find().buckets if each.name == "bucket-03"]
        rig.server.buckets["bucket-03"] = [Upload("a", "1")]
        rig.standin.forget()
        rig.bucket = bucket
        assert rig.ids() == ["1"]
        [request] = rig.standin.requests
        assert "/eu-central-1/s3/aws4_request" in request.headers["authorization"]

    def test_a_bucket_that_has_moved_meanwhile_is_found_again(self, rig: Rig):
        rig.bucket = BucketSettings("bucket-03", region="eu-central-1")
        rig.server.buckets["bucket-03"] = [Upload("a", "1")]
        rig.server.regions["bucket-03"] = "us-west-2"
        assert [rig.ids(), rig.ids()] == [["1"]] * 2
        assert "/us-west-2/s3/aws4_request" in rig.standin.requests[-1].headers["authorization"]

    def test_buckets_of_many_regions_at_once_are_never_mixed_up(self, rig: Rig):
        homes = {f"bucket-{n:02}": f"eu-region-{n % 5}" for n in range(20)}
        rig.server.regions = dict(homes)
        rig.server.buckets = {name: [Upload("a", name)] for name in homes}

        def ids(name: str) -> list[str]:
            bucket = BucketSettings(name, region=homes[name])
            return [upload.upload_id for page in rig.client().pages(rig.store, bucket) for upload in page]

        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(ids, homes)) == [[name] for name in homes]
        asked = [
            (request.path.split("/")[1], request.headers["authorization"].split("/")[2])
            for request in rig.standin.requests
        ]
        assert sorted(asked) == sorted(homes.items())


@pytest.mark.parametrize(
    ("endpoint", "iam"),
    [
        ("https://obs.eu-west-101.myhuaweicloud.eu", "https://iam.eu-west-101.myhuaweicloud.eu"),
        ("https://obs.example.com", "https://iam.myhuaweicloud.com"),
    ],
)
def test_huawei_s_iam_is_that_of_the_server_s_region(endpoint: str, iam: str):
    assert iam_url(TargetSettings("huawei", StoreKind.OBS, (), endpoint_url=endpoint)) == iam


class TestHuawei:
    @pytest.mark.parametrize(
        ("endpoint", "region", "host"),
        [
            ("https://obs.eu-west-101.myhuaweicloud.eu", "eu-west-201", "obs.eu-west-201.myhuaweicloud.eu"),
            ("https://obs.eu-west-101.myhuaweicloud.eu", None, "obs.eu-west-101.myhuaweicloud.eu"),
            ("https://obs.example.com", "eu-west-201", "obs.example.com"),
            ("https://obs.eu-west-101.myhuaweicloud.eu", "evil.example/", "obs.eu-west-101.myhuaweicloud.eu"),
        ],
    )
    def test_a_bucket_is_asked_about_at_its_region_s_own_server(self, endpoint, region, host):
        target = TargetSettings("huawei", StoreKind.OBS, (), endpoint_url=endpoint)
        assert read_server(target, region).host == host

    def test_the_location_is_asked_for_and_file_systems_are_found_too(self, open_obs: Opener):
        rig = open_obs("obs")
        fill(rig, "media", "pfs-shared")
        found = finder(rig).find().buckets
        assert [(bucket.name, bucket.region) for bucket in found] == [
            ("media", "eu-west-101"),
            ("pfs-shared", "eu-west-101"),
        ]

    def test_servers_of_another_kind_are_not_sent_a_header_that_they_may_refuse(self, open_obs: Opener):
        for signature in ("v2", "v4"):
            rig = open_obs(signature)
            fill(rig, "media", "pfs-shared")
            assert [bucket.name for bucket in finder(rig).find().buckets] == ["media", "pfs-shared"]
            sent = {name.lower() for request in rig.standin.requests for name in request.headers}
            assert {name for name in sent if "location" in name} == set()
