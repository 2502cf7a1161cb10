"""The printed commands, run by bash with the real AWS CLI against a real Ceph, abort just what they name.

By hand: the AWS CLI of PyPI pins its own botocore, so it cannot be installed beside the exporter. Any `aws`
in the PATH will do.
"""

import os
import subprocess
from pathlib import Path

from hostile import MALICIOUS_KEYS, listable
from servers import need
from servers.ceph import MPU, Ceph
from servers.commands import run
from servers.exporter import target


def test_hostile_uploads_are_aborted_and_no_other(ceph: Ceph, ceph_bucket: str, tmp_path: Path):
    need("aws")
    client = ceph.client()
    keys = [key for key in MALICIOUS_KEYS if listable(key)]
    for key in keys:
        client.create_multipart_upload(Bucket=ceph_bucket, Key=key)
    small = [key for key in keys if key != keys[0]]
    for key in small:
        found = client.list_multipart_uploads(Bucket=ceph_bucket, Prefix=key)["Uploads"]
        upload_id = next(each["UploadId"] for each in found if each["Key"] == key)
        client.upload_part(Bucket=ceph_bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=b"x" * 10)
    secrets = {"access_key_id": MPU.access_key, "secret_access_key": MPU.secret_key}
    watched = target("ceph", ceph.endpoint_url, ceph_bucket, region="default", credentials=secrets)
    flags = ("--limit=0", "--min-bytes=1", "--format=commands", "--output=abort.sh")
    assert run("uploads", tmp_path, watched, flags=flags).returncode == 0
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": MPU.access_key,
        "AWS_SECRET_ACCESS_KEY": MPU.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        ["bash", "-e", "abort.sh"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    left = client.list_multipart_uploads(Bucket=ceph_bucket).get("Uploads", [])
    assert [upload["Key"] for upload in left] == [keys[0]]
