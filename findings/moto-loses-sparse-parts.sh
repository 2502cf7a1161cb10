#!/usr/bin/env bash
# moto's ListParts loses parts whose numbers have gaps, and says that the list is complete.
#
# Seen with moto 5.2.5, flask 3.1.3 and boto3 1.44.8 on Python 3.11. S3 numbers parts as the client likes, 1 to 10,000, and `max-parts` says how many are
# listed in a page. One would expect all parts over all pages. moto takes part numbers for positions in the list: a page whose last number is not
# smaller than the number of parts says IsTruncated false, whatever is left:
#
#   parts 1 2 3, pages of 2: 1 2 3
#   parts 1 5 9, one page: 1 5 9
#   parts 1 5 9, pages of 2: 1 5
#
# So a test on moto that lists parts in pages proves nothing about numbers with gaps: leave max-parts out, or number parts without gaps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "moto[s3]==5.2.5" boto3==1.44.8 botocore==1.44.8 \
  s3transfer==0.19.3 jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0 responses==0.26.3 \
  werkzeug==3.1.9 xmltodict==1.0.4 cryptography==50.0.2 requests==2.34.2 py-partiql-parser==0.6.3 PyYAML==6.0.4

cat >"$folder/expected" <<'EXPECTED'
parts 1 2 3, pages of 2: 1 2 3
parts 1 5 9, one page: 1 5 9
parts 1 5 9, pages of 2: 1 5
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import boto3
from moto import mock_aws


def look(s3, numbers, **size):
    upload = {"Bucket": "media", "Key": "key"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    for number in numbers:
        s3.upload_part(**upload, PartNumber=number, Body=b"part")
    found, marker, page = [], 0, {"IsTruncated": True}
    while page["IsTruncated"]:
        page = s3.list_parts(**upload, PartNumberMarker=marker, **size)
        found += [part["PartNumber"] for part in page.get("Parts", [])]
        marker = page["NextPartNumberMarker"]
    pages = f"pages of {size['MaxParts']}" if size else "one page"
    print(f"parts {' '.join(map(str, numbers))}, {pages}:", *found)


with mock_aws():
    client = boto3.client("s3", "us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
    client.create_bucket(Bucket="media")
    look(client, (1, 2, 3), MaxParts=2)
    look(client, (1, 5, 9))
    look(client, (1, 5, 9), MaxParts=2)
LOOK

env -i HOME="$folder" PATH="$PATH" "$folder/venv/bin/python" "$folder/look.py" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "moto no longer behaves as described above" >&2
  exit 1
}
