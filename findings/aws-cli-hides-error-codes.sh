#!/usr/bin/env bash
# The AWS CLI does not say what a server refused, or even that one did, where the error has no message.
#
# Seen with awscli 1.46.3 on Python 3.11, and with 2.9.19 of Debian 12. Ceph (radosgw 16.2.15) answers most errors with a code and an empty
# message: <Code>NoSuchUpload</Code><Message></Message>. One would expect the code, on which scripts that may be run twice depend, and exit code 254
# from version 2. Every s3api command ends with 255 and the text of a Python error, the same for each code:
#
#   a message, NoSuchUpload: An error occurred (NoSuchUpload) when calling the AbortMultipartUpload operation: gone
#   no message, NoSuchUpload: argument of type 'NoneType' is not iterable
#   no message, AccessDenied: argument of type 'NoneType' is not iterable
#
# So "is it gone already?" cannot be read from a failure on such stores: ask for it by a listing. boto3 gives the code.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check awscli==1.46.3 colorama==0.4.6 docutils==0.19 jmespath==1.1.0 \
  pyasn1==0.6.5 python-dateutil==2.9.0.post0 PyYAML==6.0.4 rsa==4.7.2 six==1.17.0 urllib3==2.8.0

cat >"$folder/expected" <<'EXPECTED'
a message, NoSuchUpload: An error occurred (NoSuchUpload) when calling the AbortMultipartUpload operation: gone
no message, NoSuchUpload: argument of type 'NoneType' is not iterable
no message, AccessDenied: argument of type 'NoneType' is not iterable
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CODES = {"NoSuchUpload": 404, "AccessDenied": 403}


class Server(BaseHTTPRequestHandler):
    """Refuses with the code that the key names, and with the bucket's name for a message, unless it is "none"."""

    def do_DELETE(self):
        _, bucket, code = self.path.partition("?")[0].split("/")
        message = "" if bucket == "none" else bucket
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message>'
            "<RequestId>tx1</RequestId><HostId>h</HostId></Error>"
        ).encode()
        self.send_response(CODES[code])
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
for bucket, code in (("gone", "NoSuchUpload"), ("none", "NoSuchUpload"), ("none", "AccessDenied")):
    command = [sys.argv[1], "s3api", "abort-multipart-upload", f"--bucket={bucket}", f"--key={code}", "--upload-id=id"]
    where = [f"--endpoint-url=http://127.0.0.1:{server.server_port}", "--region=us-east-1"]
    done = subprocess.run([*command, *where], capture_output=True, text=True, check=False)
    said = done.stderr.strip().removeprefix("aws: [ERROR]: ")
    print(f"{'no' if bucket == 'none' else 'a'} message, {code}: {said}")
LOOK

env -i HOME="$folder" PATH="$PATH" AWS_EC2_METADATA_DISABLED=true AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any \
  "$folder/venv/bin/python" "$folder/look.py" "$folder/venv/bin/aws" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "the AWS CLI no longer behaves as described above" >&2
  exit 1
}
