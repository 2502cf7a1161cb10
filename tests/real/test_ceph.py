"""The exporter on Ceph RADOS Gateway, a production S3 server: everything it shows is the truth."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from fakes import Recorder
from servers import wait_until
from servers.ceph import Ceph, User
from servers.exporter import Exporter, serving
from servers.fill import BIG, Truth, fill
from servers.promtool import promtool_check_metrics

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.s3.store import S3Store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from pathlib import Path

CORE = ("mpu_uploads_in_progress", "mpu_pending_bytes", "mpu_oldest_initiated_timestamp_seconds")


def scanner(ceph: Ceph, **settings: object) -> Scanner:
    stop = threading.Event()
    target = TargetSettings(
        name="ceph",
        store=StoreKind.S3,
        buckets=(),
        endpoint_url=ceph.endpoint_url,
        region="us-east-1",
        scan=ScanSettings(**settings),
        credentials=Credentials(
            access_key_id=Secret(ceph.mpu.access_key), secret_access_key=Secret(ceph.mpu.secret_key)
        ),
    )
    store = S3Store(target, Transport(Recorder(), stop))
    return Scanner(StoreClient(store, target.scan, stop), (3600.0,))


def target(ceph: Ceph, *buckets: str, name: str = "ceph", user: User | None = None, **own: object):
    user = user or ceph.mpu
    return {
        "name": name,
        "store": "s3",
        "endpoint_url": ceph.endpoint_url,
        "buckets": list(buckets),
        "credentials": {"access_key_id": user.access_key, "secret_access_key": user.secret_key},
        "scan": {"interval": "2s", "timeout": "1m"},
        **own,
    }


class TestTruth:
    @pytest.mark.parametrize("page_size", [1, 7, 1000, None])
    def test_odd_keys_counted_sized_and_dated_exactly_at_every_page_size(
        self, ceph: Ceph, big_bucket: Truth, page_size: int | None
    ):
        bucket = BucketSettings(big_bucket.bucket)
        summary = scanner(ceph, page_size=page_size).scan(bucket, Ledger()).summary
        assert summary.unsized == 0
        assert (summary.uploads, summary.parts, summary.bytes) == (
            BIG,
            big_bucket.parts,
            big_bucket.size_bytes,
        )
        assert summary.oldest_initiated == pytest.approx(big_bucket.oldest.timestamp(), abs=0.001)
        assert summary.uploads == ceph.oracle(big_bucket.bucket)
        assert summary.empty == sum(not upload.parts for upload in big_bucket.uploads)

    def test_a_prefix_counts_its_own_uploads_only(self, ceph: Ceph, ceph_bucket: str):
        fill(ceph.client(), ceph_bucket, ["db/a", "db/b", "dc/c", "a"], lambda _: {1: 10})
        summary = scanner(ceph).scan(BucketSettings(ceph_bucket, prefix="db/"), Ledger()).summary
        assert (summary.uploads, summary.bytes) == (2, 20)

    def test_uploads_made_completed_and_aborted_during_scans_disturb_nothing(
        self, ceph: Ceph, ceph_bucket: str
    ):
        client = ceph.client()
        steady = fill(client, ceph_bucket, [f"steady-{n}" for n in range(300)], lambda _: {1: 100})
        made = scanner(ceph, page_size=10)
        ledger, stop = Ledger(), threading.Event()
        churn = threading.Thread(target=keep_churning, args=(client, ceph_bucket, stop))
        churn.start()
        try:
            for _ in range(6):
                summary = made.scan(BucketSettings(ceph_bucket), ledger).summary
                assert summary.unsized == 0
                assert 300 <= summary.uploads <= 302  # one that is under way, one seen before it ended
                assert 30_000 <= summary.bytes <= 30_000 + 2 * 7
        finally:
            stop.set()
            churn.join()
        summary = made.scan(BucketSettings(ceph_bucket), ledger).summary
        assert (summary.uploads, summary.bytes) == (300, sum(upload.size_bytes for upload in steady))
        assert ceph.oracle(ceph_bucket) == 300


def keep_churning(client, bucket: str, stop: threading.Event) -> None:
    """Make an upload and end it, over and over: by turns completed and aborted, all over the key space."""
    number = 0
    while not stop.is_set():
        number += 1
        key = f"{'abstz'[number % 5]}-churn-{number}"
        upload = {"Bucket": bucket, "Key": key}
        upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
        tag = client.upload_part(**upload, PartNumber=1, Body=b"x" * 7)["ETag"]
        if number % 2:
            client.abort_multipart_upload(**upload)
        else:
            parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
            client.complete_multipart_upload(**upload, MultipartUpload=parts)


class TestServed:
    def test_metrics_equal_the_truth_and_a_real_prometheus_reads_them(
        self, ceph: Ceph, big_bucket: Truth, prometheus, tmp_path
    ):
        with serving(tmp_path, {"targets": [target(ceph, big_bucket.bucket)]}) as exporter:
            samples = exporter.wait_tried(big_bucket.bucket)
            oldest = big_bucket.oldest.timestamp()
            truth = dict(zip(CORE, (BIG, big_bucket.size_bytes, oldest), strict=True))
            for name, value in truth.items():
                assert samples[name, big_bucket.bucket] == pytest.approx(value, abs=0.001)
            assert promtool_check_metrics(exporter.text()) == ""
            server = prometheus(exporter.url + "/metrics")
            for name, value in truth.items():
                [(labels, seen)] = server.wait_for(name)
                assert seen == pytest.approx(value, abs=0.001)
                assert (labels["target"], labels["store"], labels["bucket"]) == (
                    "ceph",
                    "s3",
                    big_bucket.bucket,
                )
            [(_, up)] = server.query("up")
            assert up == 1

    def test_growth_shows_at_the_next_scan(self, ceph: Ceph, ceph_bucket: str, tmp_path):
        client = ceph.client()
        [upload] = fill(client, ceph_bucket, ["grows"], lambda _: {1: 10})
        with serving(tmp_path, {"targets": [target(ceph, ceph_bucket)]}) as exporter:
            assert exporter.wait_tried(ceph_bucket)["mpu_pending_bytes", ceph_bucket] == 10
            client.upload_part(
                Bucket=ceph_bucket, Key=upload.key, UploadId=upload.upload_id, PartNumber=2, Body=b"y" * 5
            )
            grown = ("mpu_pending_bytes", ceph_bucket)
            wait_until("growth", lambda: exporter.samples()[grown] == 15, seconds=30, log=exporter.log)

    def test_each_failure_has_its_reason_and_touches_no_other_bucket(
        self, ceph: Ceph, ceph_bucket: str, tmp_path
    ):
        fill(ceph.client(), ceph_bucket, ["a"], lambda _: {1: 10})
        wrong_secret = User("mpu", ceph.mpu.access_key, "not-the-secret")
        unknown_key = User("nobody", "NOBODYACCESSKEY00001", "whatever")
        ceph.client(ceph.other).create_bucket(Bucket="of-other")
        targets = [
            target(ceph, ceph_bucket, "not-there", "of-other"),
            target(ceph, "wrong-secret", name="wrong-secret", user=wrong_secret),
            target(ceph, "unknown-key", name="unknown-key", user=unknown_key),
            target(ceph, "refused", name="refused", endpoint_url="http://127.0.0.1:1", scan={"retries": 0}),
        ]
        with serving(tmp_path, {"targets": targets}) as exporter:
            buckets = (ceph_bucket, "not-there", "of-other", "wrong-secret", "unknown-key", "refused")
            samples = exporter.wait_tried(*buckets)
            assert {bucket: exporter.reason(bucket) for bucket in buckets} == {
                ceph_bucket: None,
                "not-there": "not_found",
                "of-other": "access_denied",
                "wrong-secret": "credentials",
                "unknown-key": "credentials",
                "refused": "connection",
            }
            assert samples["mpu_pending_bytes", ceph_bucket] == 10
            for bucket in buckets[1:]:
                assert samples["mpu_scan_success", bucket] == 0
                assert ("mpu_uploads_in_progress", bucket) not in samples
            assert ceph.mpu.secret_key not in exporter.log.read_text()

    def test_where_parts_are_refused_counts_stand_and_bytes_are_not_claimed(
        self, ceph: Ceph, ceph_bucket: str, tmp_path
    ):
        fill(ceph.client(), ceph_bucket, [f"k{n}" for n in range(60)], lambda _: {1: 10})
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": ["arn:aws:iam:::user/other"]},
                "Action": ["s3:ListBucketMultipartUploads"],
                "Resource": [f"arn:aws:s3:::{ceph_bucket}"],
            },
        }
        ceph.client().put_bucket_policy(Bucket=ceph_bucket, Policy=json.dumps(policy))
        with serving(tmp_path, {"targets": [target(ceph, ceph_bucket, user=ceph.other)]}) as exporter:
            samples = exporter.wait_tried(ceph_bucket)
            assert samples["mpu_uploads_in_progress", ceph_bucket] == 60
            assert samples["mpu_unsized_uploads", ceph_bucket] == 60
            assert samples["mpu_scan_success", ceph_bucket] == 1
            assert samples["mpu_scan_complete", ceph_bucket] == 0
            assert ("mpu_pending_bytes", ceph_bucket) not in samples
            assert 'operation="ListParts",target="ceph"} 50.0' in exporter.text()


class TestScanNow:
    def test_after_a_clean_up_the_zero_is_seen_without_waiting_for_the_interval(
        self, ceph: Ceph, ceph_bucket: str, tmp_path: Path
    ):
        client = ceph.client()
        made = client.create_multipart_upload(Bucket=ceph_bucket, Key="left")
        config = {"targets": [target(ceph, ceph_bucket, scan={"interval": "1h"})]}
        with serving(tmp_path, config, "--web.enable-lifecycle") as exporter:

            def wait_for(uploads: int) -> None:
                name = "mpu_uploads_in_progress", ceph_bucket
                shown = lambda: exporter.samples().get(name) == uploads  # noqa: E731 - read again and again
                wait_until(f"{uploads} uploads", shown, log=exporter.log)

            wait_for(1)
            client.abort_multipart_upload(Bucket=ceph_bucket, Key="left", UploadId=made["UploadId"])
            assert post(exporter, f"/-/scan?target=ceph&bucket={ceph_bucket}") == (202, SCANS)
            wait_for(0)
            client.create_multipart_upload(Bucket=ceph_bucket, Key="another")
            exporter.process.send_signal(signal.SIGUSR1)
            wait_for(1)
            status, text = post(exporter, "/-/scan?target=cehp")
            assert (status, text.rpartition(": ")[2]) == (404, "ceph\n")


SCANS = "Scans requested: buckets 1, of targets 1.\n"


def post(exporter: Exporter, path: str) -> tuple[int, str]:
    """Return status and text of the answer."""
    try:
        with urlopen(Request(exporter.url + path, method="POST"), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()
