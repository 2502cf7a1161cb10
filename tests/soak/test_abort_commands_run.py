"""The printed commands, run by bash with the real AWS CLI against a real Ceph, abort just what they name.

By hand: the AWS CLI of PyPI pins its own botocore, so it cannot be installed beside the exporter. Any `aws`
in the PATH will do.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import ClientError
from hostile import MALICIOUS_KEYS
from servers import need
from servers.ceph import MPU, Ceph
from servers.commands import run
from servers.exporter import target


def test_hostile_uploads_are_aborted_and_no_other(ceph: Ceph, ceph_bucket: str, tmp_path: Path):
    need("aws")
    client = ceph.client()
    keys = [key for key in MALICIOUS_KEYS if not any(0xD800 <= ord(char) < 0xE000 for char in key)]
    other = f"{ceph_bucket}-other"
    client.create_bucket(Bucket=other)
    for bucket, key in [(other, keys[0]), *((ceph_bucket, key) for key in keys)]:
        with suppress(ClientError):  # made, but the answer names the key, which boto3 may not be able to read
            client.create_multipart_upload(Bucket=bucket, Key=key)
    secrets = {"access_key_id": MPU.access_key, "secret_access_key": MPU.secret_key}
    watched = target("ceph", ceph.endpoint_url, ceph_bucket, region="default", credentials=secrets)
    flags = ("--limit=0", "--format=commands", "--output=abort.sh")
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
    assert "Uploads" not in client.list_multipart_uploads(Bucket=ceph_bucket)
    assert len(client.list_multipart_uploads(Bucket=other)["Uploads"]) == 1
