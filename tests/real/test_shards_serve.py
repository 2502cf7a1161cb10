"""`mpu-exporter serve` as one shard of two: the one that has the only bucket, and the one that has not."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from servers import wait_until
from servers.exporter import serving, target
from servers.s3 import S3, UPLOADS, Fault
from servers.shards import is_ready
from servers.standin import StandIn

from exporter.config.sharding import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.exporter import Exporter

OWNER = next(ordinal for ordinal in range(2) if Shard(2, ordinal).owns("prod", "media"))
OTHER = 1 - OWNER
READY = "mpu-exporter is ready.\n"


@pytest.fixture
def s3() -> S3:
    s3 = S3()
    s3.buckets["media"] = []
    return s3


@pytest.fixture
def server(s3: S3) -> Iterator[StandIn]:
    with StandIn(s3) as server:
        yield server


def flags(ordinal: int) -> tuple[str, ...]:
    return "--shard.total=2", f"--shard.ordinal={ordinal}"


def asked(server: StandIn) -> list[str]:
    return [request.path for request in server.requests]


def test_a_bucket_of_the_other_is_never_asked_about_and_its_target_is_known(server: StandIn, tmp_path: Path):
    config = {"targets": [target("prod", server.url, "media", lifecycle=True)]}
    often = {"scan": {"interval": "1s"}, **config}
    with serving(tmp_path, often, *flags(OTHER)) as exporter:
        assert exporter.text("/-/ready") == READY
        text = exporter.text()
        assert 'mpu_target_buckets{target="prod"} 0.0\n' in text
        assert "\nmpu_target_info{" in text
        assert 'mpu_scan_interval_seconds{target="prod"} 1.0\n' in text
        assert exporter.samples() == {}
        with serving(folder(tmp_path, "owner"), config, *flags(OWNER)) as owner:
            assert owner.wait_tried("media")["mpu_uploads_in_progress", "media"] == 0
            assert 'mpu_target_buckets{target="prod"} 1.0\n' in owner.text()
            by_owner = counted(owner.text())
        assert counted(exporter.text()) == 0 < by_owner == len(server.requests)


def counted(text: str) -> int:
    """Return how many requests the exporter says it has sent."""
    lines = [line for line in text.splitlines() if line.startswith("mpu_api_requests_total{")]
    return sum(int(float(line.split()[-1])) for line in lines)


def test_of_buckets_to_be_found_only_the_list_is_asked_for(server: StandIn, tmp_path: Path):
    found = target("prod", server.url)
    del found["buckets"]
    config = {"targets": [{**found, "discover": {}}]}
    with serving(tmp_path, config, *flags(OTHER)) as exporter:
        wait_until("the list", lambda: is_ready(exporter), log=exporter.log)
        assert exporter.samples() == {}
        assert 'mpu_discovery_success{target="prod"} 1.0\n' in exporter.text()
        assert asked(server) == ["/"]


def test_of_what_is_remembered_a_bucket_that_left_is_forgotten(s3: S3, server: StandIn, tmp_path: Path):
    names = [f"bucket-{n}" for n in range(6)]
    ours = {name for name in names if Shard(2, 1).owns("prod", name)}
    assert 0 < len(ours) < len(names)
    s3.buckets.update({name: [] for name in names})
    config = {"state": {"path": str(tmp_path / "state.db")}, "targets": [target("prod", server.url, *names)]}
    with serving(folder(tmp_path, "alone"), config) as exporter:
        exporter.wait_tried(*names)
    s3.faults.add(Fault(UPLOADS, reply=lambda reply: replace(reply, hang=True)))
    for name, shard in (("one-of-two", flags(1)), ("alone-again", ())):
        with serving(folder(tmp_path, name), config, *shard) as exporter:
            wait_until("results", lambda: known(exporter) == ours, log=exporter.log)


def known(exporter: Exporter) -> set[str]:
    """Return the buckets of which something is known."""
    return {bucket for name, bucket in exporter.samples() if name == "mpu_uploads_in_progress"}


def folder(place: Path, name: str) -> Path:
    (made := place / name).mkdir()
    return made


def test_one_that_cannot_tell_which_it_is_ends_with_1_before_it_reads_the_config(tmp_path: Path):
    command = [sys.executable, "-m", "exporter", "--shard.total=2", f"--config.file={tmp_path / 'none'}"]
    environ = os.environ | {"POD_NAME": "mpu-exporter-6d8f9c-x2x4z"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "$POD_NAME 'mpu-exporter-6d8f9c-x2x4z': does not end with - and a number, as the names of a "
        "StatefulSet's pods do: say with --shard.ordinal which shard this is, 0 for the first\n"
    )
