"""Lifecycle rules, groups and cost of a Ceph RADOS Gateway's buckets, as a whole exporter shows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers import wait_until
from servers.ceph import OTHER, Ceph
from servers.exporter import Exporter, serving
from servers.fill import fill
from servers.promtool import promtool_check_metrics

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400.0
SIZES = {"db/2026/a": 5, "db/b": 7, "logs/c": 100, "file": 1}


def rule(name: str, days: int, prefix: str = "", status: str = "Enabled") -> dict[str, Any]:
    return {
        "ID": name,
        "Status": status,
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
    }


def target(ceph: Ceph, bucket: str, **own: object) -> dict[str, object]:
    keys = ceph.mpu
    return {
        "name": "ceph",
        "store": "s3",
        "endpoint_url": ceph.endpoint_url,
        "buckets": [bucket],
        "credentials": {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key},
        "scan": {"interval": "2s", "timeout": "1m"},
        "lifecycle": True,
        "tags": ["owner", "cost center"],
        "price_per_gib_month": {"currency": "EUR", "default": 1024.0},
        "top": {"by": ["prefix", "initiator"], "depth": 1, "limit": 2},
        **own,
    }


STORES = {
    "wire": {"engine": "wire"},
    "boto3": {"engine": "boto3"},
    "obs-v2": {"store": "obs", "signature": "v2"},
    "obs-v4": {"store": "obs", "signature": "v4", "region": "us-east-1"},
}


@dataclass
class Shown:
    """What an exporter shows of one bucket, by metric name and by what tells its samples apart."""

    text: str

    def values(self, name: str, label: str) -> dict[str, float]:
        return {
            sample.labels[label]: sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == name
        }


def shown(exporter: Exporter, bucket: str) -> Shown:
    exporter.wait_tried(bucket)
    return Shown(exporter.text())


@pytest.mark.parametrize("store", STORES)
def test_rules_groups_and_cost_are_those_of_the_bucket(
    ceph: Ceph, ceph_bucket: str, tmp_path: Path, store: str
):
    client = ceph.client()
    fill(client, ceph_bucket, list(SIZES), lambda number: {1: list(SIZES.values())[number]})
    rules = [rule("r", 7), rule("d", 1, status="Disabled"), rule("p", 3, "db/"), rule("q", 2, "logs/")]
    client.put_bucket_lifecycle_configuration(Bucket=ceph_bucket, LifecycleConfiguration={"Rules": rules})
    tags = [{"Key": "owner", "Value": "storage"}, {"Key": "other", "Value": "x"}]
    client.put_bucket_tagging(Bucket=ceph_bucket, Tagging={"TagSet": tags})
    with serving(tmp_path, {"targets": [target(ceph, ceph_bucket, **STORES[store])]}) as exporter:
        found = shown(exporter, ceph_bucket)
    assert found.values("mpu_abort_rule_present", "scope") == {"bucket": 1, "prefix": 1}
    assert found.values("mpu_abort_rule_seconds", "scope") == {"bucket": 7 * DAY, "prefix": 2 * DAY}
    assert found.values("mpu_prefix_uploads", "prefix") == {"logs/": 1, "db/": 2, "": 1}
    assert found.values("mpu_prefix_bytes", "prefix") == {"logs/": 100, "db/": 12, "": 1}
    assert found.values("mpu_initiator_uploads", "initiator") == {ceph.mpu.name: 4, "": 0}
    assert found.values("mpu_estimated_monthly_cost", "currency") == {"EUR": pytest.approx(113 * 2**-20)}
    requests = found.values("mpu_api_requests_total", "operation")
    assert (requests["GetBucketLifecycleConfiguration"], requests["GetBucketTagging"]) == (1, 1)
    assert found.values("mpu_bucket_info", "tag_owner") == {"storage": 1}
    assert found.values("mpu_bucket_info", "tag_cost_center") == {"": 1}
    assert promtool_check_metrics(found.text) == ""


@pytest.mark.parametrize("store", STORES)
def test_a_bucket_without_rules_and_tags_is_known_to_have_none(
    ceph: Ceph, ceph_bucket: str, tmp_path: Path, store: str
):
    with serving(tmp_path, {"targets": [target(ceph, ceph_bucket, **STORES[store])]}) as exporter:
        found = shown(exporter, ceph_bucket)
    assert found.values("mpu_abort_rule_present", "scope") == {"bucket": 0, "prefix": 0}
    assert found.values("mpu_abort_rule_seconds", "scope") == {}
    assert found.values("mpu_prefix_uploads", "prefix") == {"": 0}
    assert found.values("mpu_bucket_info", "bucket") == {}
    assert found.values("mpu_api_request_failures_total", "operation") == {}
    assert exporter.log.read_text().count("the bucket has no tags") == 1


def test_without_the_permission_rules_and_tags_are_absent_and_the_scans_are_good(
    ceph: Ceph, ceph_bucket: str, tmp_path: Path
):
    client, resource = ceph.client(), f"arn:aws:s3:::{ceph_bucket}"
    fill(client, ceph_bucket, list(SIZES), lambda _: {1: 10})
    actions = ["s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"]
    who = {"AWS": [f"arn:aws:iam:::user/{OTHER.name}"]}
    allowed = {
        "Effect": "Allow",
        "Principal": who,
        "Action": actions,
        "Resource": [resource, f"{resource}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    client.put_bucket_policy(Bucket=ceph_bucket, Policy=json.dumps(policy))
    other = {"access_key_id": OTHER.access_key, "secret_access_key": OTHER.secret_key}
    with serving(tmp_path, {"targets": [target(ceph, ceph_bucket, credentials=other)]}) as exporter:
        first = exporter.wait_tried(ceph_bucket)

        def again() -> bool:
            ended = "mpu_scan_last_success_timestamp_seconds", ceph_bucket
            return exporter.samples()[ended] > first[ended]

        wait_until("another scan", again, log=exporter.log)
        found, samples = Shown(exporter.text()), exporter.samples()
    assert (samples["mpu_scan_success", ceph_bucket], samples["mpu_pending_bytes", ceph_bucket]) == (1, 40)
    assert found.values("mpu_abort_rule_present", "scope") == {}
    assert found.values("mpu_bucket_info", "bucket") == {}
    assert found.values("mpu_initiator_uploads", "initiator") == {OTHER.name: 4, "": 0}  # Ceph: who asks
    lines = exporter.log.read_text().splitlines()
    told = [line for line in lines if "lifecycle rules are not known" in line or "tags are not known" in line]
    assert ["reason=access_denied" in line for line in told] == [True, True]
    assert found.values("mpu_api_request_failures_total", "operation") == {
        "GetBucketLifecycleConfiguration": 1,
        "GetBucketTagging": 1,
    }
