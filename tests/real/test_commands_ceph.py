"""The commands on a real Ceph: hostile keys as it lists them, two users, and what one of them lacks."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hostile import MALICIOUS_KEYS
from servers.ceph import MPU, OTHER, Ceph, User
from servers.commands import cells, run
from servers.exporter import target

# Ceph 16 takes no key that is no UTF-8, and boto3 cannot send one
KEYS = [key for key in MALICIOUS_KEYS if not any(0xD800 <= ord(char) < 0xE000 for char in key)]


@pytest.fixture
def bucket(ceph: Ceph, ceph_bucket: str) -> str:
    """A bucket with an upload of each key; those whose id boto3 can read have a part."""
    client = ceph.client()
    for key in KEYS:
        try:
            made = client.create_multipart_upload(Bucket=ceph_bucket, Key=key)
        except ClientError:  # made, but the answer names the key, which its parser cannot read
            continue
        client.upload_part(
            Bucket=ceph_bucket, Key=key, UploadId=made["UploadId"], PartNumber=1, Body=b"x" * len(key)
        )
    return ceph_bucket


def watched(ceph: Ceph, user: User, *buckets: str, **settings: object) -> dict[str, object]:
    keys = {"access_key_id": user.access_key, "secret_access_key": user.secret_key}
    return target(user.name, ceph.endpoint_url, *buckets, region="default", credentials=keys, **settings)


def test_hostile_keys_come_through_a_real_listing(ceph: Ceph, bucket: str, tmp_path: Path):
    flags = ("--limit=0", "--sort=bytes", "--format=json")
    done = run("uploads", tmp_path, watched(ceph, MPU, bucket), flags=flags)
    assert (done.returncode, done.stderr) == (0, "")
    found = {entry["key"]: entry for entry in json.loads(done.stdout)["uploads"]}
    assert sorted(found) == sorted(KEYS)
    assert all(entry["bytes"] in {0, len(key)} for key, entry in found.items())
    assert sum(entry["bytes"] > 0 for entry in found.values()) > 40
    table = run("uploads", tmp_path, watched(ceph, MPU, bucket), flags=("--limit=0",)).stdout
    assert len(table.splitlines()) == 1 + len(KEYS)
    assert all(line.isprintable() for line in table.removesuffix("\n").split("\n"))


def test_a_scan_of_two_users_sees_what_each_may(ceph: Ceph, bucket: str, tmp_path: Path):
    done = run("scan", tmp_path, watched(ceph, MPU, bucket), watched(ceph, OTHER, bucket))
    assert done.returncode == 2
    rows = cells(done.stdout)
    assert rows["mpu", bucket][0] == str(len(KEYS))
    assert rows["other", bucket][0].startswith("failed: access_denied: ListMultipartUploads: HTTP 403")


def test_the_probe_tells_what_the_other_user_lacks(ceph: Ceph, bucket: str, tmp_path: Path):
    both = (watched(ceph, MPU, bucket, tags=["owner"]), watched(ceph, OTHER, bucket))
    done = run("check", tmp_path, *both, flags=("--probe",))
    assert done.returncode == 2
    rows = cells(done.stdout.partition("\n")[2].partition("\n\n")[0])
    assert list(rows) == [("mpu", bucket), ("other", bucket)]
    grant = f"s3:ListBucketMultipartUploads on arn:aws:s3:::{bucket}"
    assert done.stdout.endswith(f"Missing, to be granted:\n  {grant}\n")
    allowed = [line.split()[2:4] for line in done.stdout.splitlines() if line.startswith("mpu ")]
    calls = ["ListMultipartUploads", "ListParts", "GetBucketTagging"]
    assert allowed == [[call, "allowed"] for call in calls]


def test_where_the_patterns_leave_no_bucket_the_scan_fails_and_says_why(ceph: Ceph, tmp_path: Path):
    finding = watched(ceph, MPU, discover={"exclude": ["."]})
    del finding["buckets"]
    done = run("scan", tmp_path, finding)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("mpu: not_found: discover matches no bucket, ")
    assert " (discover.exclude: .)" in done.stderr


def test_found_buckets_are_scanned_too(ceph: Ceph, bucket: str, tmp_path: Path):
    finding = watched(ceph, MPU, discover={"include": [f"^{bucket}$"]})
    del finding["buckets"]
    done = run("scan", tmp_path, finding)
    assert done.returncode == 0
    assert cells(done.stdout)["mpu", bucket][0] == str(len(KEYS))
