#!/usr/bin/env bash
# NO_PROXY with a port is honoured by boto3 and ignored by libcurl; with a network it is the other way round.
#
# Seen with boto3 1.44.8 and pycurl 7.49.0 (its wheel holds libcurl 8.23.0) on Python 3.11. Both read http_proxy and no_proxy of the environment, so one
# would expect that the same request goes the same way. A host alone means the same to both, as does an address. What else is in use does not:
#
#   NO_PROXY=localhost       http://localhost:PORT/b?uploads   boto3 direct   libcurl direct
#   NO_PROXY=localhost:PORT  http://localhost:PORT/b?uploads   boto3 direct   libcurl proxy
#   NO_PROXY=127.0.0.1       http://127.0.0.1:PORT/b?uploads   boto3 direct   libcurl direct
#   NO_PROXY=127.0.0.1:PORT  http://127.0.0.1:PORT/b?uploads   boto3 direct   libcurl proxy
#   NO_PROXY=127.0.0.0/8     http://127.0.0.1:PORT/b?uploads   boto3 proxy    libcurl direct
#
# So a setting that was tried with the AWS CLI can send the requests of a program on libcurl through the proxy, and the reverse. What both honour is a
# host name or an address, without a port and without a length of its network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.44.8 botocore==1.44.8 jmespath==1.1.0 s3transfer==0.19.3 \
  python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0 pycurl==7.49.0

cat >"$folder/expected" <<'EXPECTED'
NO_PROXY=localhost       http://localhost:PORT/b?uploads   boto3 direct   libcurl direct
NO_PROXY=localhost:PORT  http://localhost:PORT/b?uploads   boto3 direct   libcurl proxy
NO_PROXY=127.0.0.1       http://127.0.0.1:PORT/b?uploads   boto3 direct   libcurl direct
NO_PROXY=127.0.0.1:PORT  http://127.0.0.1:PORT/b?uploads   boto3 direct   libcurl proxy
NO_PROXY=127.0.0.0/8     http://127.0.0.1:PORT/b?uploads   boto3 proxy    libcurl direct
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import boto3
import pycurl

BODY = b"<ListMultipartUploadsResult><Bucket>%s</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"


def start(name):
    """Start a server on IPv4 loopback that gives its name as the bucket's, whatever it is asked."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            body = BODY % name
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


STORE, PROXY = start(b"direct"), start(b"proxy")


def ask_boto3(host):
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    client = boto3.session.Session().client("s3", endpoint_url=f"http://{host}:{STORE}", **keys)
    return client.list_multipart_uploads(Bucket="b")["Bucket"]


def ask_libcurl(host):
    answer, curl = BytesIO(), pycurl.Curl()
    curl.setopt(curl.URL, f"http://{host}:{STORE}/b?uploads")
    curl.setopt(curl.IPRESOLVE, curl.IPRESOLVE_V4)
    curl.setopt(curl.WRITEDATA, answer)
    curl.perform()
    return answer.getvalue().partition(b"<Bucket>")[2].partition(b"</Bucket>")[0].decode()


os.environ["http_proxy"] = f"http://127.0.0.1:{PROXY}"
for host, exception in (
    ("localhost", "localhost"),
    ("localhost", "localhost:PORT"),
    ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1", "127.0.0.1:PORT"),
    ("127.0.0.1", "127.0.0.0/8"),
):
    os.environ["no_proxy"] = exception.replace("PORT", str(STORE))
    print(f"NO_PROXY={exception:15} http://{host}:PORT/b?uploads   boto3 {ask_boto3(host):8} libcurl {ask_libcurl(host)}")
LOOK

env -i HOME="$folder" PATH="$PATH" "$folder/venv/bin/python" "$folder/look.py" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "boto3 or libcurl no longer behaves as described above" >&2
  exit 1
}
