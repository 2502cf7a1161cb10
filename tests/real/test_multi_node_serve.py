"""`mpu-exporter serve` over nodes that each know only their own uploads: stand-ins of a MinIO cluster."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers import wait_until
from servers.exporter import Exporter, serving, target
from servers.s3 import S3, UPLOADS, Part, Upload, error
from servers.standin import Fault, StandIn

STATE = ("mpu_uploads_in_progress", "mpu_pending_bytes", "mpu_scan_success")


@pytest.fixture
def nodes() -> list[S3]:
    """Return the state of three nodes: an upload on each of the first two, and one that both know."""
    nodes = [S3() for _ in range(3)]
    both = Upload("both", "3", parts=[Part(1, 1)])
    nodes[0].buckets["media"] = [Upload("a", "1", parts=[Part(1, 100)]), both]
    nodes[1].buckets["media"] = [Upload("b", "2", parts=[Part(1, 10)]), both]
    nodes[2].buckets["media"] = []
    return nodes


@pytest.fixture
def servers(nodes: list[S3]) -> Iterator[list[StandIn]]:
    with ExitStack() as stack:
        yield [stack.enter_context(StandIn(node)) for node in nodes]


@pytest.fixture(params=["wire", "boto3"])
def exporter(request: pytest.FixtureRequest, servers: list[StandIn], tmp_path: Path) -> Iterator[Exporter]:
    urls = [server.url for server in servers]
    minio = target("minio", "", "media", endpoint_url=None, endpoint_urls=urls, engine=request.param)
    config = {"scan": {"retries": 0, "interval": "1s", "page_size": 1}, "targets": [minio]}
    with serving(tmp_path, config) as exporter:
        yield exporter


def state(exporter: Exporter) -> list[float | None]:
    samples = exporter.samples()
    return [samples.get((name, "media")) for name in STATE]


def test_a_node_that_fails_leaves_the_last_union_until_it_is_back(
    exporter: Exporter, nodes: list[S3], servers: list[StandIn]
):
    exporter.wait_tried("media")
    assert state(exporter) == [3, 111, 1]
    urls = ",".join(server.url for server in servers)
    assert f'endpoint_url="{urls}"' in exporter.text()

    nodes[1].faults.add(Fault(UPLOADS, reply=lambda _: error(403, "AccessDenied")))
    wait_until("a failure", lambda: exporter.reason("media") == "access_denied", log=exporter.log)
    assert state(exporter) == [3, 111, 0]
    failed = f"{servers[1].url}: ListMultipartUploads: HTTP 403"
    wait_until("its name", lambda: failed in exporter.log.read_text(), log=exporter.log)

    nodes[1].faults.clear()
    nodes[1].buckets["media"].pop(0)
    wait_until("the union", lambda: state(exporter) == [2, 101, 1], log=exporter.log)
