#!/usr/bin/env bash
# Huawei's OBS SDK gives the initiation of an upload as local time without a zone, and in summer one hour off.
#
# Seen with esdk-obs-python 3.26.6 on Python 3.11. The server says in UTC when an upload was initiated. One would expect UTC, an aware datetime, or at
# least the local time. The SDK gives text without a zone, computed with the zone's standard offset on every day of the year, and passes a
# time without a fraction of a second through as it came. TZ is all that differs between these lines:
#
#   UTC              2026-07-01T12:00:00.000Z -> 2026/07/01 12:00:00
#   Europe/Berlin    2026-07-01T12:00:00.000Z -> 2026/07/01 13:00:00   (14:00 is right)
#   Europe/Berlin    2026-01-01T12:00:00.000Z -> 2026/01/01 13:00:00   (right)
#   Europe/Berlin    2026-07-01T12:00:00Z     -> 2026-07-01T12:00:00Z
#
# (It needs the time zones of the system.) So an age that is computed from `initiated` depends on the machine: run with TZ=UTC, or read the server's answer by yourself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check esdk-obs-python==3.26.6 pycryptodome==4.4.0 crcmod==1.7 \
  requests==2.34.2 urllib3==2.8.0 idna==3.20 charset-normalizer==3.5.3 certifi==2026.10.19.post1

cat >"$folder/expected" <<'EXPECTED'
UTC              2026-07-01T12:00:00.000Z -> 2026/07/01 12:00:00
Europe/Berlin    2026-07-01T12:00:00.000Z -> 2026/07/01 13:00:00
Europe/Berlin    2026-01-01T12:00:00.000Z -> 2026/01/01 13:00:00
Europe/Berlin    2026-07-01T12:00:00Z     -> 2026-07-01T12:00:00Z
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from obs import ObsClient

INITIATED = sys.argv[1]
BODY = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<ListMultipartUploadsResult xmlns="http://obs.myhwclouds.com/doc/2015-06-30/"><Bucket>media</Bucket>'
    "<MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>"
    f"<Upload><Key>key</Key><UploadId>id</UploadId><Initiated>{INITIATED}</Initiated></Upload>"
    "</ListMultipartUploadsResult>"
).encode()


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = ObsClient(
    access_key_id="any",
    secret_access_key="any",
    server=f"http://127.0.0.1:{server.server_port}",
    path_style=True,
)
[upload] = client.listMultipartUploads("media").body.upload
print(f"{os.environ['TZ']:16} {INITIATED:24} -> {upload.initiated}")
server.shutdown()
LOOK

look() { env -i HOME="$folder" PATH="$PATH" TZ="$1" "$folder/venv/bin/python" -W ignore "$folder/look.py" "$2"; }
{
  look UTC 2026-07-01T12:00:00.000Z
  look Europe/Berlin 2026-07-01T12:00:00.000Z
  look Europe/Berlin 2026-01-01T12:00:00.000Z
  look Europe/Berlin 2026-07-01T12:00:00Z
} >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "the SDK no longer behaves as described above" >&2
  exit 1
}
