"""Nodes that each know only their own uploads: the union over them, or nothing."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest
from contract.rigs import SCAN, failure
from contract.scans import AGES, NOW
from fakes import Recorder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.s3 import PARTS, S3, UPLOADS, Fault, Part, Upload, error
from servers.standin import Reply, StandIn

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import Clocks, StoreClient
from exporter.stores.pagination.paginator import MAX_STALLED_PAGES
from exporter.stores.registry import make_store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model.results import Summary

BUCKET = BucketSettings("media")


class Cluster:
    """Stand-ins of the nodes, and a target of all of them."""

    def __init__(self, count: int, stack: ExitStack, engine: str):
        self.nodes = [S3() for _ in range(count)]
        self.servers = [stack.enter_context(StandIn(node)) for node in self.nodes]
        self.fill(*([] for _ in range(count)))
        key = self.nodes[0].key
        self.target = TargetSettings(
            "minio",
            StoreKind.S3,
            (BUCKET,),
            region="us-east-1",
            scan=SCAN,
            engine=engine,
            addressing_style="path",
            endpoint_urls=tuple(server.url for server in self.servers),
            credentials=Credentials(None, Secret(key.access_key_id), Secret(key.secret)),
        )
        self.stop = threading.Event()
        self.stack = stack

    def fill(self, *held: list[Upload]) -> None:
        for node, uploads in zip(self.nodes, held, strict=True):
            node.buckets["media"] = uploads
            node.faults.clear()

    def scanner(self, **scan: object) -> Scanner:
        target = replace(self.target, scan=replace(SCAN, **scan))
        store = make_store(target, Transport(Recorder(), self.stop))
        self.stack.callback(store.close)
        clocks = Clocks(wall=lambda: NOW, jitter=lambda _low, _high: 0.0)
        return Scanner(StoreClient(store, target.scan, self.stop, clocks), AGES)

    def scan(self, **scan: object) -> Summary:
        return self.scanner(**scan).scan(BUCKET, Ledger()).summary

    def listed(self) -> list[int]:
        """Return how many pages of uploads each node was asked for."""
        return [
            sum("uploads" in each.query and "prefix" not in each.query for each in server.requests)
            for server in self.servers
        ]

    def failure(self):
        return failure(self.scanner(retries=0).scan, BUCKET, Ledger())


@pytest.fixture(params=["wire", "boto3"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def cluster(engine: str, stack: ExitStack) -> Cluster:
    return Cluster(3, stack, engine)


def uploads(name: str, count: int, size: int = 10) -> list[Upload]:
    return [Upload(f"{name}/{n:02}", f"{name}-{n:02}", parts=[Part(1, size)]) for n in range(count)]


class TestSums:
    def test_are_of_all_nodes(self, cluster: Cluster):
        cluster.fill(uploads("a", 3), uploads("b", 4), uploads("c", 5))
        summary = cluster.scan()
        assert (summary.uploads, summary.bytes, summary.unsized) == (12, 120, 0)

    @pytest.mark.parametrize("page_size", [1, 2, 7])
    def test_are_the_same_whatever_a_page_holds(self, cluster: Cluster, page_size: int):
        cluster.fill(uploads("a", 9), [], uploads("b", 4))
        summary = cluster.scan(page_size=page_size)
        assert (summary.uploads, summary.bytes) == (13, 130)
        pages = [max(1, -(-held // page_size)) for held in (9, 0, 4)]
        assert cluster.listed() == pages

    def test_count_an_upload_once_that_two_nodes_know(self, cluster: Cluster):
        both = uploads("both", 3)
        cluster.fill([*both, *uploads("a", 2)], both, both[:1])
        summary = cluster.scan()
        assert (summary.uploads, summary.bytes) == (5, 50)

    @pytest.mark.no_cover
    @pytest.mark.parametrize("engine", ["wire"])
    def test_may_be_repeated_by_another_node_page_after_page(self, engine: str, stack: ExitStack):
        cluster = Cluster(2, stack, engine)
        both = uploads("both", MAX_STALLED_PAGES + 1)
        cluster.fill(both, both)
        assert cluster.scan(page_size=1, parts="never").uploads == MAX_STALLED_PAGES + 1

    def test_tell_uploads_of_one_key_apart(self, cluster: Cluster):
        cluster.fill([Upload("k", "1")], [Upload("k", "2")], [Upload("k", "1")])
        assert cluster.scan().uploads == 2

    def test_of_no_uploads_are_a_true_zero(self, cluster: Cluster):
        assert (cluster.scan().uploads, cluster.scan().bytes) == (0, 0)

    def test_a_node_may_say_by_an_error_that_it_has_none(self, cluster: Cluster):
        cluster.fill(uploads("a", 2), [], uploads("c", 2))
        for number in (0, 1):
            fault = Fault(UPLOADS, reply=lambda _: error(404, "NoSuchUpload"))
            cluster.nodes[number].faults.add(fault)
        assert cluster.scan().uploads == 2

    def test_an_upload_that_ended_meanwhile_is_left_out(self, cluster: Cluster):
        cluster.fill([], uploads("b", 2), [])
        gone = Fault(PARTS, {1}, reply=lambda _: error(404, "NoSuchUpload"))
        cluster.nodes[1].faults.add(gone)
        summary = cluster.scan()
        assert (summary.uploads, summary.bytes) == (1, 10)

    def test_are_asked_of_the_node_that_lists_the_upload(self, cluster: Cluster):
        cluster.fill(uploads("a", 2), uploads("b", 3), [])
        cluster.scan()
        asked = [sum("uploadId" in each.query for each in server.requests) for server in cluster.servers]
        assert asked == [2, 3, 0]

    def test_one_node_is_enough(self, engine: str, stack: ExitStack):
        cluster = Cluster(1, stack, engine)
        cluster.fill(uploads("a", 5))
        assert cluster.scan(page_size=2).uploads == 5


class TestFailures:
    def url(self, cluster: Cluster, number: int) -> str:
        return cluster.target.endpoint_urls[number]

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_of_one_node_are_the_scan_s_and_name_it(self, cluster: Cluster, number: int):
        cluster.fill(uploads("a", 2), uploads("b", 2), uploads("c", 2))
        cluster.nodes[number].faults.add(Fault(UPLOADS, reply=lambda _: error(403, "AccessDenied")))
        failed = cluster.failure()
        assert failed.reason is Reason.ACCESS_DENIED
        assert str(failed).startswith(f"{self.url(cluster, number)}: ListMultipartUploads: HTTP 403")

    def test_garbage_of_one_node_is_no_empty_node(self, cluster: Cluster):
        cluster.fill(uploads("a", 2), uploads("b", 2), [])
        cluster.nodes[1].faults.add(Fault(UPLOADS, reply=lambda _: Reply(200, {}, b"<html>hi</html>")))
        assert cluster.failure().reason is Reason.BAD_RESPONSE

    def test_a_node_that_is_down_is_named(self, cluster: Cluster):
        cluster.nodes[2].faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, reset=True)))
        failed = cluster.failure()
        assert failed.reason is Reason.CONNECTION
        assert str(failed).startswith(self.url(cluster, 2))

    @pytest.mark.parametrize("lacking", [{0}, {1}, {2}, {0, 1}, {1, 2}])
    def test_a_bucket_that_only_some_nodes_lack_is_not_gone(self, cluster: Cluster, lacking: set[int]):
        for number in lacking:
            del cluster.nodes[number].buckets["media"]
        failed = cluster.failure()
        names = ", ".join(self.url(cluster, number) for number in sorted(lacking))
        assert failed.reason is Reason.BAD_RESPONSE
        assert str(failed).startswith(
            f"{names}: ListMultipartUploads: no such bucket, which other nodes have"
        )

    def test_a_bucket_that_no_node_has_is_gone(self, cluster: Cluster):
        for node in cluster.nodes:
            del node.buckets["media"]
        assert cluster.failure().reason is Reason.NOT_FOUND

    def test_what_may_pass_is_tried_again(self, cluster: Cluster):
        cluster.fill(uploads("a", 2), uploads("b", 2), [])
        cluster.nodes[1].faults.add(Fault(UPLOADS, {1}, reply=lambda _: error(503, "SlowDown")))
        assert cluster.scan(retries=1).uploads == 4

    def test_a_marker_that_a_node_forgot_starts_all_over(self, cluster: Cluster):
        cluster.fill(uploads("a", 3), uploads("b", 5), uploads("c", 1))
        forgot = Fault(UPLOADS, {2}, reply=lambda _: error(400, "InvalidArgument"))
        cluster.nodes[1].faults.add(forgot)
        summary = cluster.scan(page_size=2)
        assert (summary.uploads, summary.bytes) == (9, 90)

    @pytest.mark.no_cover
    def test_a_node_that_repeats_another_s_page_for_ever_does_not_move(self, engine: str, stack: ExitStack):
        cluster = Cluster(2, stack, engine)
        both = uploads("both", 1)
        cluster.fill(both, both)
        markers = count()
        cluster.nodes[1].faults.add(Fault(UPLOADS, reply=lambda _: moving(next(markers))))
        assert "does not move" in str(cluster.failure())

    def test_parts_that_cannot_be_had_leave_the_upload_unsized(self, cluster: Cluster):
        cluster.fill(uploads("a", 1), uploads("b", 2), [])
        cluster.nodes[1].faults.add(Fault(PARTS, {1}, reply=lambda _: error(403, "AccessDenied")))
        result = cluster.scanner(retries=0).scan(BUCKET, Ledger())
        assert (result.summary.uploads, result.summary.unsized) == (3, 1)
        assert result.warning.startswith(f"{self.url(cluster, 1)}: ListParts")


def moving(number: int) -> Reply:
    """Return a page of one upload that is not the last, with a marker that nobody has seen."""
    upload = "<Upload><Key>both/00</Key><UploadId>both-00</UploadId></Upload>"
    more = f"<IsTruncated>true</IsTruncated><NextKeyMarker>m{number}</NextKeyMarker>"
    body = f"<ListMultipartUploadsResult>{more}{upload}</ListMultipartUploadsResult>"
    return Reply(200, {"Content-Type": "application/xml"}, body.encode())


spread = st.lists(st.tuples(st.integers(0, 8), st.sets(st.integers(0, 2), min_size=1)), max_size=12)


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(3, stack, "wire")


@pytest.mark.no_cover
@given(held=spread, page_size=st.integers(1, 5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_uploads_are_spread_over_nodes_each_counts_once(
    shared: Cluster, held: list[tuple[int, set[int]]], page_size: int
):
    made = [
        Upload(f"key-{key}", f"{number}", parts=[Part(1, 1 << number)])
        for number, (key, _) in enumerate(held)
    ]
    nodes = [[u for u, (_, places) in zip(made, held, strict=True) if n in places] for n in range(3)]
    shared.fill(*nodes)
    summary = shared.scan(page_size=page_size)
    assert (summary.uploads, summary.bytes) == (len(made), (1 << len(made)) - 1)
