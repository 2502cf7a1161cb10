#!/usr/bin/env bash
# MiniStack writes a carriage return in a key as it is, so that every XML reader gets the name of another key.
#
# Seen with MiniStack 1.5.33, boto3 and botocore 1.43.106 on Python 3.11; moto 5.2.5 and Garage 2.5.0 write it so as well. XML turns a carriage
# return into a line feed unless it is written as a reference (&#13;). One would expect to get back the key that was given,
# or an error. The SDK lists an upload whose key does not exist; asked for its parts, the server says that there is no such upload:
#
#   uploads in progress: 1, of key 'report\rx'
#   boto3 lists: 'report\nx'
#   on the wire: <Key>report\rx</Key>
#   parts of what boto3 lists: NoSuchUpload
#   parts of the key that was given: 1
#
# So "listed, and then not there" may be the key's name, not the upload's end: look at the bytes before believing that it has ended.
set -euo pipefail
folder=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106 botocore==1.43.106 s3transfer==0.19.3 \
  jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0 hypercorn==0.18.0

cat >"$folder/expected" <<'EXPECTED'
uploads in progress: 1, of key 'report\rx'
boto3 lists: 'report\nx'
on the wire: <Key>report\rx</Key>
parts of what boto3 lists: NoSuchUpload
parts of the key that was given: 1
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import re
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

s3 = boto3.client(
    "s3",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="any",
    aws_secret_access_key="any",
    config=Config(s3={"addressing_style": "path"}, proxies={}),
)
for _ in range(100):
    try:
        s3.create_bucket(Bucket="media")
        break
    except EndpointConnectionError:
        time.sleep(0.2)
KEY = "report\rx"
upload_id = s3.create_multipart_upload(Bucket="media", Key=KEY)["UploadId"]
s3.upload_part(Bucket="media", Key=KEY, UploadId=upload_id, PartNumber=1, Body=b"x" * 50)

bodies = []
s3.meta.events.register("before-parse.s3.ListMultipartUploads", lambda response_dict, **_: bodies.append(response_dict["body"]))
uploads = s3.list_multipart_uploads(Bucket="media")["Uploads"]


def parts(key):
    try:
        return len(s3.list_parts(Bucket="media", Key=key, UploadId=upload_id)["Parts"])
    except ClientError as error:
        return error.response["Error"]["Code"]


print(f"uploads in progress: {len(uploads)}, of key {KEY!r}")
print(f"boto3 lists: {uploads[0]['Key']!r}")
print(f"on the wire: {re.search(rb'<Key>.*?</Key>', bodies[0], re.DOTALL)[0]!r}".replace("b'", "").rstrip("'"))
print(f"parts of what boto3 lists: {parts(uploads[0]['Key'])}")
print(f"parts of the key that was given: {parts(KEY)}")
LOOK

port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$folder"
env -i HOME="$folder" PATH="$PATH" "$folder/venv/bin/hypercorn" ministack.app:app -b "127.0.0.1:$port" >"$folder/log" 2>&1 &
server=$!

env -i HOME="$folder" PATH="$PATH" AWS_EC2_METADATA_DISABLED=true "$folder/venv/bin/python" "$folder/look.py" "http://127.0.0.1:$port" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "MiniStack or boto3 no longer behaves as described above" >&2
  exit 1
}
