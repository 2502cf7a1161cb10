"""The script of abort commands, run with the real AWS CLI against a real Ceph, aborts just what it names."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from hostile import MALICIOUS_KEYS
from servers import need
from servers.ceph import MPU, OTHER, Ceph, User
from servers.commands import run
from servers.exporter import target

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [key for key in MALICIOUS_KEYS if key in {"'; rm -rf /; '", "a\nrm -rf /"}]  # each call takes a second


def run_script(folder: Path, user: User) -> tuple[int, list[str], str]:
    """Return the exit code, the lines that the script ends with, and its errors."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": user.access_key,
        "AWS_SECRET_ACCESS_KEY": user.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
    }
    command = ["sh", "abort.sh"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    lines = done.stdout.splitlines()
    sums = next(number for number, line in enumerate(lines) if line.startswith("Of "))
    return done.returncode, lines[sums:], done.stderr


def test_it_aborts_what_it_names_and_nothing_else_and_may_be_run_again(
    ceph: Ceph, ceph_bucket: str, tmp_path: Path
):
    need("aws")
    client, other = ceph.client(), f"{ceph_bucket}-other"
    client.create_bucket(Bucket=other)
    for bucket, key in [(other, KEYS[0]), *((ceph_bucket, key) for key in KEYS)]:
        made = client.create_multipart_upload(Bucket=bucket, Key=key)
        client.upload_part(Bucket=bucket, Key=key, UploadId=made["UploadId"], PartNumber=1, Body=b"12345")
    secrets = {"access_key_id": MPU.access_key, "secret_access_key": MPU.secret_key}
    watched = target("ceph", ceph.endpoint_url, ceph_bucket, region="default", credentials=secrets)
    flags = ("--all", "--format=commands", "--output=abort.sh")
    assert run("uploads", tmp_path, watched, flags=flags).returncode == 0

    number = len(KEYS)
    code, lines, errors = run_script(tmp_path, OTHER)  # who may not
    counts = f"Of {number} uploads, aborted: {{}}, gone already: {{}}, left to you: 0."
    assert (code, errors.startswith("stopped: ")) == (1, True)
    assert lines == [counts.format(0, 0), "Freed: 0 bytes."]
    assert number == len(client.list_multipart_uploads(Bucket=ceph_bucket)["Uploads"])
    done = run_script(tmp_path, MPU)
    assert done == (0, [counts.format(number, 0), f"Freed: {5 * number} bytes."], "")
    assert "Uploads" not in client.list_multipart_uploads(Bucket=ceph_bucket)
    assert len(client.list_multipart_uploads(Bucket=other)["Uploads"]) == 1
    code, [*lines, surprise], errors = run_script(tmp_path, MPU)
    assert (code, lines, errors) == (0, [counts.format(0, number), "Freed: 0 bytes."], "")
    assert surprise.startswith("None of them was there.")
