"""Many accounts on a real server: each user's own buckets, a role between them, two gateways as one store."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
from fakes import Recorder
from servers.ceph import GATEWAY, Ceph, User, another_gateway

from exporter.config.credentials import AssumeRole, Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Reason, StoreError
from exporter.scan.scanner import Scanner
from exporter.scheduler.discovery import BucketDiscovery
from exporter.state.ledger import Ledger
from exporter.stores.engine.store_client import StoreClient
from exporter.stores.registry import make_store
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model.results import Summary

EVERY = DiscoverSettings()


def target(ceph: Ceph, user: User, role: AssumeRole | None = None, **own: object) -> TargetSettings:
    keys = Credentials(None, Secret(user.access_key), Secret(user.secret_key), assume_role=role)
    settings = {"endpoint_url": ceph.endpoint_url, "addressing_style": "path", "region": "us-east-1"}
    return TargetSettings(user.name, StoreKind.S3, (), credentials=keys, **settings | own)


def found(target: TargetSettings) -> list[str]:
    stop = threading.Event()
    store = make_store(target, Transport(Recorder(), stop))
    try:
        return [
            bucket.name
            for bucket in BucketDiscovery(target, StoreClient(store, target.scan, stop)).find().buckets
        ]
    finally:
        store.close()


def scanned(target: TargetSettings, bucket: str) -> tuple[Summary, Recorder]:
    stop, traffic = threading.Event(), Recorder()
    store = make_store(target, Transport(traffic, stop))
    try:
        client = StoreClient(store, target.scan, stop)
        result = Scanner(client, (3600.0,)).scan(BucketSettings(bucket), Ledger())
    finally:
        store.close()
    return result.summary, traffic


def upload(ceph: Ceph, bucket: str, user: User, *sizes: int) -> None:
    client = ceph.client(user)
    for size in sizes:
        begun = client.create_multipart_upload(Bucket=bucket, Key=f"key-{size}")
        name = {"Bucket": bucket, "Key": begun["Key"], "UploadId": begun["UploadId"]}
        client.upload_part(**name, PartNumber=1, Body=b"x" * size)


@pytest.fixture(scope="module")
def gateway(ceph: Ceph) -> Iterator[str]:
    """Give the URL of another gateway of the cluster, one that has STS."""
    with another_gateway(ceph) as url:
        yield url


@pytest.fixture
def others_bucket(ceph: Ceph) -> str:
    """Give the name of a bucket of the user other, with two uploads of 3 bytes in all."""
    name = f"others-{uuid.uuid4().hex[:12]}"
    ceph.client(ceph.other).create_bucket(Bucket=name)
    upload(ceph, name, ceph.other, 1, 2)
    return name


@pytest.fixture
def role(ceph: Ceph) -> str:
    """Give the ARN of a role that the user mpu may take, and that may list what a scan lists."""
    name = f"reader-{uuid.uuid4().hex[:8]}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:aws:iam:::user/{ceph.mpu.name}"]},
                "Action": ["sts:AssumeRole"],
            }
        ],
    }
    rights = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"],
                "Resource": "arn:aws:s3:::*",
            }
        ],
    }
    admin = ("radosgw-admin", *GATEWAY)
    made = ceph.run(
        *admin, "role", "create", f"--role-name={name}", f"--assume-role-policy-doc={json.dumps(trust)}"
    )
    policy = ("--policy-name=list", f"--policy-doc={json.dumps(rights)}")
    ceph.run(*admin, "role-policy", "put", f"--role-name={name}", *policy)
    return str(json.loads(made)["Arn"])


def test_each_user_is_found_to_have_its_own_buckets(ceph: Ceph, ceph_bucket: str, others_bucket: str):
    mine, theirs = (found(target(ceph, user, discover=EVERY)) for user in (ceph.mpu, ceph.other))
    assert (ceph_bucket in mine, others_bucket in mine) == (True, False)
    assert (ceph_bucket in theirs, others_bucket in theirs) == (False, True)


@pytest.mark.parametrize("engine", ["wire", "boto3"])
def test_a_role_is_taken_of_the_gateway_s_own_sts(ceph: Ceph, gateway: str, role: str, engine: str):
    name = f"shared-{uuid.uuid4().hex[:12]}"
    ceph.client(ceph.mpu).create_bucket(Bucket=name)
    upload(ceph, name, ceph.mpu, 1, 2)
    summary, traffic = scanned(
        target(ceph, ceph.mpu, AssumeRole(role), engine=engine, endpoint_url=gateway), name
    )
    assert (summary.uploads, summary.bytes) == (2, 3)
    assert traffic.requests["AssumeRole"] == 1


def test_who_is_not_trusted_is_told_what_to_do(ceph: Ceph, gateway: str, role: str, others_bucket: str):
    with pytest.raises(StoreError, match="trust policy") as caught:
        scanned(target(ceph, ceph.other, AssumeRole(role), endpoint_url=gateway), others_bucket)
    assert caught.value.reason is Reason.CREDENTIALS


@pytest.mark.parametrize("engine", ["wire", "boto3"])
def test_two_gateways_of_one_cluster_count_each_upload_once(
    ceph: Ceph, gateway: str, others_bucket: str, engine: str
):
    nodes = (ceph.endpoint_url, gateway)
    both = target(ceph, ceph.other, engine=engine, endpoint_url=None, endpoint_urls=nodes)
    summary, traffic = scanned(both, others_bucket)
    assert (summary.uploads, summary.bytes) == (2, 3)
    assert traffic.requests == {"ListMultipartUploads": 2, "ListParts": 2}
