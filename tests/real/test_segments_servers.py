"""Listings in segments on real servers, while uploads begin and end at the joins."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import boto3
import pytest
from fakes import Recorder
from servers.fill import fill, odd_keys
from servers.matrix.process import one_process
from servers.matrix.recipes.ministack import launch
from servers.meanwhile import meanwhile

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.uploads import CountedUpload
from exporter.scan.scanner import Scanner
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.s3.store import S3Store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from servers.ceph import Ceph

PAGE = 7
UPLOADS = 200
BUCKET = "segments"


def scanner(endpoint_url: str, access_key: str, secret_key: str, **settings: object) -> Scanner:
    stop = threading.Event()
    target = TargetSettings(
        name="t",
        store=StoreKind.S3,
        buckets=(),
        endpoint_url=endpoint_url,
        region="us-east-1",
        scan=ScanSettings(page_size=PAGE, **settings),
        credentials=Credentials(access_key_id=Secret(access_key), secret_access_key=Secret(secret_key)),
    )
    store = S3Store(target, Transport(Recorder(), stop))
    return Scanner(StoreClient(store, target.scan, stop), (3600.0,))


def churning(client: S3Client, bucket: str, ledger: Ledger) -> AbstractContextManager[None]:
    """Begin and end uploads of the keys at which the listing is cut, and of keys beside them."""

    def churn(number: int) -> None:
        keys = ledger.boundaries.keys or ("a",)
        key = keys[number % len(keys)] + ("", "/churn", "")[number % 3]
        begun = {"Bucket": bucket, "Key": key}
        ids = [client.create_multipart_upload(**begun)["UploadId"] for _ in range(1 + number % 3)]
        for upload_id in ids:
            client.abort_multipart_upload(**begun, UploadId=upload_id)

    return meanwhile(churn)


def check(made: Scanner, client: S3Client, bucket: str, keys: list[str]) -> None:
    """Have a bucket scanned again and again, in segments: each steady upload counts once in every scan."""
    steady = {(each.key, each.upload_id) for each in fill(client, bucket, keys)}
    ledger, counted = Ledger(), list[CountedUpload]()

    def scan() -> set[tuple[str, str]]:
        def new_observers():
            counted.clear()
            return [counted.append]

        result = made.scan(BucketSettings(bucket), ledger, new_observers)
        assert result.notices == ()
        names = Counter((each.upload.key, each.upload.upload_id) for each in counted)
        assert [name for name, times in names.items() if times > 1] == []
        return set(names)

    assert scan() == steady
    assert len(ledger.boundaries.keys) >= 8
    with churning(client, bucket, ledger):
        for _ in range(10):
            assert steady - scan() == set()
    assert scan() == steady
    gone = set(ledger.boundaries.keys)
    for key, upload_id in steady:
        if key in gone:
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    assert scan() == {(key, upload_id) for key, upload_id in steady if key not in gone}


@pytest.mark.parametrize("parts", ["never", "remembered"])
@pytest.mark.parametrize("keys", [odd_keys(UPLOADS), [f"a/{n // 2:04}" for n in range(UPLOADS)]])
class TestExact:
    def test_on_ceph(self, ceph: Ceph, ceph_bucket: str, keys: list[str], parts: str):
        made = scanner(ceph.endpoint_url, ceph.mpu.access_key, ceph.mpu.secret_key, parts=parts)
        check(made, ceph.client(), ceph_bucket, keys)

    def test_on_ministack(self, tmp_path: Path, keys: list[str], parts: str):
        with partial(one_process, launch)(tmp_path) as server:
            client: S3Client = boto3.client(
                "s3",
                endpoint_url=server.endpoint_url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            client.create_bucket(Bucket=BUCKET)
            check(scanner(server.endpoint_url, "test", "test", parts=parts), client, BUCKET, keys)
