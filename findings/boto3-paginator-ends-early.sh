#!/usr/bin/env bash
# boto3's paginator for list_multipart_uploads loses uploads without an error.
#
# Seen with boto3 and botocore 1.44.8 on Python 3.11. A server may answer a truncated page without usable markers: <IsTruncated>true</IsTruncated>
# and both next markers empty, as OpenStack Swift did where a page holds one upload (s3api/controllers/multi_upload.py at 0c41c91d). One would
# expect an error, or that the paginator goes on after the last upload of the page. It takes empty markers for the end:
#
#   paginator: 1 of 7 uploads in 1 request, no error
#   by hand, after each page's last upload: 7 of 7 uploads in 7 requests
#
# So "the paginator has ended" does not mean "the listing is complete": look at IsTruncated of the last page, or page by hand.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.44.8 botocore==1.44.8 s3transfer==0.19.3 \
  jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0

cat >"$folder/expected" <<'EXPECTED'
paginator: 1 of 7 uploads in 1 request, no error
by hand, after each page's last upload: 7 of 7 uploads in 7 requests
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config

UPLOADS = [(f"key-{n}", f"id-{n}") for n in range(7)]
requests = 0


class Server(BaseHTTPRequestHandler):
    """Lists one upload a page, in order of key and id, and never says where the next page begins."""

    def do_GET(self):
        global requests
        requests += 1
        query = parse_qs(urlsplit(self.path).query)
        after = query.get("key-marker", [""])[0], query.get("upload-id-marker", [""])[0]
        rest = [upload for upload in UPLOADS if upload > after]
        listed = "".join(
            f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId>"
            "<Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
            for key, upload_id in rest[:1]
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>media</Bucket>'
            "<KeyMarker/><UploadIdMarker/><NextKeyMarker/><NextUploadIdMarker/><MaxUploads>1</MaxUploads>"
            f"<IsTruncated>{'true' if rest[1:] else 'false'}</IsTruncated>{listed}</ListMultipartUploadsResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{server.server_port}",
    region_name="us-east-1",
    aws_access_key_id="any",
    aws_secret_access_key="any",
    config=Config(s3={"addressing_style": "path"}, proxies={}),
)


def count(number, what):
    return f"{number} {what}{'' if number == 1 else 's'}"


found = []
try:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket="media", MaxUploads=1):
        found += page.get("Uploads", [])
    outcome = "no error"
except Exception as error:
    outcome = f"raised {type(error).__name__}"
print(f"paginator: {len(found)} of {count(len(UPLOADS), 'upload')} in {count(requests, 'request')}, {outcome}")

found, requests, markers, truncated = [], 0, {}, True
while truncated:
    page = s3.list_multipart_uploads(Bucket="media", MaxUploads=1, **markers)
    found += page["Uploads"]
    markers = {"KeyMarker": found[-1]["Key"], "UploadIdMarker": found[-1]["UploadId"]}
    truncated = page["IsTruncated"]
print(
    f"by hand, after each page's last upload: {len(found)} of {count(len(UPLOADS), 'upload')}"
    f" in {count(requests, 'request')}"
)
server.shutdown()
LOOK

env -i HOME="$folder" PATH="$PATH" AWS_EC2_METADATA_DISABLED=true "$folder/venv/bin/python" "$folder/look.py" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "boto3 no longer behaves as described above" >&2
  exit 1
}
