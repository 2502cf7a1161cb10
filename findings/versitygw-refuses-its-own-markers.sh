#!/usr/bin/env bash
# Versity S3 Gateway refuses the next markers that it gives, so that no client can list more than a page of uploads.
#
# Seen with github.com/versity/versitygw v1.8.0 (posix), built by Go 1.26, and boto3 and botocore 1.44.8 on Python 3.11. A truncated page of its
# ListMultipartUploads names a next key marker and a next upload id marker. One would expect the pair to be good for the next page: nothing ended
# in between. It is answered with an error, while the key marker alone is taken, and passes over the other uploads of that key:
#
#   first page of 2: a, b
#   its next pair: InvalidArgument
#   its next key marker alone: c
#   boto3's paginator: InvalidArgument
#   in one page: a, b, b, c
#
# At the default size this begins with 1,001 uploads. What lists all: the key marker alone, and the last key of each page as a prefix.
set -euo pipefail
folder=$(mktemp -d)
server=
trap 'if [[ $server ]]; then kill "$server"; wait "$server" || true; fi; rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.44.8 botocore==1.44.8 s3transfer==0.19.3 \
  jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0
GOPATH=$folder/go GOCACHE=$folder/cache GOFLAGS=-modcacherw GOBIN=$folder CGO_ENABLED=0 \
  go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 2>"$folder/go.log" || {
  cat "$folder/go.log" >&2
  exit 1
}

cat >"$folder/expected" <<'EXPECTED'
first page of 2: a, b
its next pair: InvalidArgument
its next key marker alone: c
boto3's paginator: InvalidArgument
in one page: a, b, b, c
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{sys.argv[1]}",
    region_name="us-east-1",
    aws_access_key_id="any",
    aws_secret_access_key="any-secret",
    config=Config(s3={"addressing_style": "path"}, proxies={}),
)


def keys(*pages):
    return ", ".join(upload["Key"] for page in pages for upload in page.get("Uploads", []))


def listed(**markers):
    try:
        return keys(s3.list_multipart_uploads(Bucket="media", **markers))
    except ClientError as error:
        return error.response["Error"]["Code"]


for _ in range(300):
    try:
        s3.create_bucket(Bucket="media")
        break
    except EndpointConnectionError:
        time.sleep(0.2)
for key in ("a", "b", "b", "c"):
    s3.create_multipart_upload(Bucket="media", Key=key)
first = s3.list_multipart_uploads(Bucket="media", MaxUploads=2)
print("first page of 2:", keys(first))
pair = {"KeyMarker": first["NextKeyMarker"], "UploadIdMarker": first["NextUploadIdMarker"]}
print("its next pair:", listed(MaxUploads=2, **pair))
print("its next key marker alone:", listed(MaxUploads=2, KeyMarker=pair["KeyMarker"]))
try:
    found = keys(*s3.get_paginator("list_multipart_uploads").paginate(Bucket="media", MaxUploads=2))
except ClientError as error:
    found = error.response["Error"]["Code"]
print("boto3's paginator:", found)
print("in one page:", listed())
LOOK

mkdir "$folder/data" "$folder/attributes"
port=$("${PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/versitygw" --port "127.0.0.1:$port" --access any --secret any-secret --quiet \
  posix --sidecar "$folder/attributes" "$folder/data" >"$folder/server.log" 2>&1 &
server=$!
env -i HOME="$folder" PATH="$PATH" AWS_EC2_METADATA_DISABLED=true "$folder/venv/bin/python" "$folder/look.py" "$port" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "versitygw no longer behaves as described above" >&2
  exit 1
}
