"""Ceph's own count of a bucket's uploads, beside that of the exporter's scans."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
from fakes import Recorder
from servers import wait_until
from servers.ceph import GATEWAY, OTHER, Ceph, User
from servers.exporter import serving
from servers.fill import fill

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.scan.enrich import Enrichment
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.s3.store import S3Store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INDEX_POOL = "default.rgw.buckets.index"
DIFFERS = "the store's own count of uploads differs"
UNKNOWN = "the store's own count of uploads is not known"


@pytest.fixture(scope="module")
def trusted(ceph: Ceph) -> User:
    """Give the user of all buckets here, who may now ask for their statistics."""
    admin(ceph, "caps", "add", f"--uid={ceph.mpu.name}", "--caps=buckets=read")
    return ceph.mpu


def admin(ceph: Ceph, *arguments: str) -> str:
    return ceph.run("radosgw-admin", *GATEWAY, *arguments)


class Scans:
    """Scans of one bucket, one after the other, as a target with `ceph_admin` makes them."""

    def __init__(self, ceph: Ceph, bucket: str, user: User, engine: str = "auto") -> None:
        keys = Credentials(access_key_id=Secret(user.access_key), secret_access_key=Secret(user.secret_key))
        target = TargetSettings(
            name="ceph",
            store=StoreKind.S3,
            buckets=(),
            endpoint_url=ceph.endpoint_url,
            region="us-east-1",
            credentials=keys,
            engine=engine,  # type: ignore[arg-type]
            ceph_admin=True,
        )
        stop = threading.Event()
        self.traffic = Recorder()
        client = StoreClient(S3Store(target, Transport(self.traffic, stop)), target.scan, stop)
        self._scanner = Scanner(client, (), enrichment=Enrichment(target, client))
        self._bucket, self._ledger = BucketSettings(bucket), Ledger()

    def counts(self) -> tuple[int, int | None]:
        """Scan; return how many uploads the scan has counted, and how many Ceph."""
        summary = self._scanner.scan(self._bucket, self._ledger).summary
        return summary.uploads, summary.reported


@pytest.mark.parametrize("engine", ["wire", "boto3"])
def test_it_counts_uploads_and_not_their_parts_and_none_that_has_ended(
    ceph: Ceph, ceph_bucket: str, trusted: User, engine: str
):
    client, scans = ceph.client(), Scans(ceph, ceph_bucket, trusted, engine)
    assert scans.counts() == (0, 0)
    made = fill(
        client, ceph_bucket, ["a", "b", "b", "c"], lambda number: {1: 10} if number % 2 else {1: 10, 2: 20}
    )
    fill(client, ceph_bucket, ["without parts"])
    assert scans.counts() == (5, 5)
    aborted, completed = (
        {"Bucket": ceph_bucket, "Key": each.key, "UploadId": each.upload_id} for each in made[:2]
    )
    client.upload_part(**aborted, PartNumber=1, Body=b"sent again")
    client.abort_multipart_upload(**aborted)
    [part] = client.list_parts(**completed)["Parts"]
    ended = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.complete_multipart_upload(**completed, MultipartUpload=ended)
    assert scans.counts() == (3, 3)
    assert scans.traffic.requests["GetBucketInfo"] == 3


def test_it_holds_in_a_versioned_bucket_and_after_its_index_was_given_other_shards(
    ceph: Ceph, ceph_bucket: str, trusted: User
):
    client = ceph.client()
    client.put_bucket_versioning(Bucket=ceph_bucket, VersioningConfiguration={"Status": "Enabled"})
    fill(client, ceph_bucket, ["same"] * 20, lambda _: {1: 1})
    scans = Scans(ceph, ceph_bucket, trusted)
    assert scans.counts() == (20, 20)
    admin(ceph, "bucket", "reshard", f"--bucket={ceph_bucket}", "--num-shards=23")
    assert scans.counts() == (20, 20)


def test_an_index_that_lost_an_upload_is_told_after_three_scans_until_it_is_mended(
    ceph: Ceph, ceph_bucket: str, trusted: User, caplog: pytest.LogCaptureFixture
):
    fill(ceph.client(), ceph_bucket, ["a", "b", "lost"], lambda _: {1: 1})
    lose(ceph, ceph_bucket, "lost")
    scans = Scans(ceph, ceph_bucket, trusted)
    assert [scans.counts(), scans.counts()] == [(2, 3), (2, 3)]
    assert told(caplog, DIFFERS) == []
    assert [scans.counts(), scans.counts()] == [(2, 3), (2, 3)]
    [fields] = told(caplog, DIFFERS)
    assert fields == {"target": "ceph", "bucket": ceph_bucket, "uploads": 2, "reported": 3}
    abort_left_over(ceph, ceph_bucket)
    assert scans.counts() == (2, 3)
    checked = admin(ceph, "bucket", "check", "--fix", f"--bucket={ceph_bucket}")
    assert json.loads(checked)["invalid_multipart_entries"] == []
    assert scans.counts() == (2, 2)
    assert len(told(caplog, DIFFERS)) == 1


def lose(ceph: Ceph, bucket: str, key: str) -> None:
    """Take an upload out of the index behind the gateway's back; its parts stay, and its count."""
    found = json.loads(admin(ceph, "bucket", "stats", f"--bucket={bucket}"))
    for shard in range(found["num_shards"]):
        index = f".dir.{found['marker']}.{shard}"
        for entry in ceph.run("rados", "-p", INDEX_POOL, "listomapkeys", index).splitlines():
            if key in entry and entry.endswith(".meta"):
                ceph.run("rados", "-p", INDEX_POOL, "rmomapkey", index, entry)
                return
    raise LookupError(key)


def abort_left_over(ceph: Ceph, bucket: str) -> None:
    """Abort the upload whose entry was lost, as docs/stores.md says: by what a check has left of it."""
    checked = json.loads(admin(ceph, "bucket", "check", f"--bucket={bucket}"))
    [entry] = checked["invalid_multipart_entries"]
    key, upload_id, _ = entry.removeprefix("_multipart_").rsplit(".", 2)
    ceph.client().abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)


def told(caplog: pytest.LogCaptureFixture, text: str) -> list[Mapping[str, object]]:
    """Return the fields of the lines that begin so."""
    lines = [record for record in caplog.records if record.getMessage().startswith(text)]
    assert all(line.levelno == logging.WARNING for line in lines)
    return [line.fields for line in lines]  # type: ignore[attr-defined]


def test_a_bucket_of_a_tenant_is_not_taken_for_one_of_the_same_name_without(
    ceph: Ceph, ceph_bucket: str, trusted: User
):
    tenant = f"t{uuid.uuid4().hex[:8]}"
    user = User(f"{tenant}$u", f"{tenant.upper()}ACCESSKEY", f"{tenant}-secret")
    keys = (f"--access-key={user.access_key}", f"--secret-key={user.secret_key}")
    admin(ceph, "user", "create", f"--uid={user.name}", "--display-name=t", "--caps=buckets=read", *keys)
    ceph.client(user).create_bucket(Bucket=ceph_bucket)
    fill(ceph.client(user), ceph_bucket, ["a", "b", "c"])
    fill(ceph.client(), ceph_bucket, ["a"])
    theirs, ours = Scans(ceph, ceph_bucket, user), Scans(ceph, ceph_bucket, trusted)
    assert [theirs.counts(), theirs.counts(), ours.counts()] == [(3, 3), (3, 3), (1, 1)]
    assert Scans(ceph, f"{tenant}:{ceph_bucket}", user).counts() == (3, 3)
    # which tenant's it is was asked once
    assert theirs.traffic.requests == {"ListMultipartUploads": 3, "GetBucketInfo": 2, "ListParts": 6}


def test_without_the_capability_it_is_absent_and_told_once_and_the_scans_are_good(ceph: Ceph, tmp_path: Path):
    client, bucket = ceph.client(OTHER), f"others-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=bucket)
    fill(client, bucket, ["a"], lambda _: {1: 10})
    target = {
        "name": "ceph",
        "store": "s3",
        "endpoint_url": ceph.endpoint_url,
        "buckets": [bucket],
        "credentials": {"access_key_id": OTHER.access_key, "secret_access_key": OTHER.secret_key},
        "scan": {"interval": "1s", "timeout": "1m"},
        "ceph_admin": True,
    }
    with serving(tmp_path, {"targets": [target]}) as exporter:
        first = exporter.wait_tried(bucket)
        ended = "mpu_scan_last_success_timestamp_seconds", bucket
        wait_until("another scan", lambda: exporter.samples()[ended] > first[ended], log=exporter.log)
        samples, text = exporter.samples(), exporter.text()
    assert (samples["mpu_uploads_in_progress", bucket], samples["mpu_scan_complete", bucket]) == (1, 1)
    assert "mpu_store_reported_uploads{" not in text
    assert (
        'mpu_api_request_failures_total{operation="GetBucketInfo",reason="access_denied",target="ceph"} 1'
        in text
    )
    [line] = [line for line in exporter.log.read_text().splitlines() if UNKNOWN in line]
    assert "reason=access_denied" in line
