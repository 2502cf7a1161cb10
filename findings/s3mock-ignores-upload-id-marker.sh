#!/usr/bin/env bash
# S3Mock loses uploads between pages: it gives a next upload id, repeats it in its answer, and does not look at it.
#
# Seen with com.adobe.testing:s3mock 5.2.0 on Java 17. Of two uploads of key a and two of key b, listed in pages of one, S3's own rule is that the
# pair of key-marker and upload-id-marker names the upload that the next page begins after. One would expect that of a server that gives both
# next markers, and says in each page which markers it was asked with. It goes on behind the key, and the other upload of the key is lost:
#
#   in pages of 1: a, b
#   in pages of 3: a, a, b
#   in one page: a, a, b, b
#   each key by name: a, a, b, b
#
# No page is wrong by itself, and the last says IsTruncated false. At the default size it takes 1,000 uploads, the last of them of a key that has
# more. So test a client's paging of several uploads of one key on another server, and ask by prefix for the last key of a page where it matters.
# (S3Mock always listens on all addresses at one of its ports, so it runs in a network namespace that has loopback only.
# Needs Java 17, Maven, and util-linux and iproute2 for the namespace.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mvn -q -B "-Dmaven.repo.local=$folder/m2" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
  -Dartifact=com.adobe.testing:s3mock:5.2.0:jar:exec "-DoutputDirectory=$folder" >"$folder/maven.log" 2>&1 || {
  cat "$folder/maven.log" >&2
  exit 1
}

cat >"$folder/expected" <<'EXPECTED'
in pages of 1: a, b
in pages of 3: a, a, b
in one page: a, a, b, b
each key by name: a, a, b, b
EXPECTED

cat >"$folder/look.py" <<'LOOK'
import re
import sys
import time
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

BUCKET = f"http://127.0.0.1:{sys.argv[1]}/media"


def ask(method, url):
    with urlopen(Request(url, method=method), timeout=30) as answer:
        return answer.read().decode()


def element(page, name):
    found = re.search(f"<{name}>(.*?)</{name}>", page)
    return found[1] if found else ""


def listed(**parameters):
    """Return the keys of all pages, each asked for with the next markers of the one before."""
    keys = []
    while True:
        page = ask("GET", f"{BUCKET}?uploads=&{urlencode(parameters)}")
        keys += re.findall("<Key>(.*?)</Key>", page)
        for marker in ("KeyMarker", "UploadIdMarker"):
            asked = parameters.get("key-marker" if marker == "KeyMarker" else "upload-id-marker", "")
            assert element(page, marker) == asked, page
        if element(page, "IsTruncated") != "true":
            return ", ".join(keys)
        parameters["key-marker"] = element(page, "NextKeyMarker")
        parameters["upload-id-marker"] = element(page, "NextUploadIdMarker")
        assert parameters["upload-id-marker"], page


for _ in range(600):
    try:
        ask("PUT", BUCKET)
        break
    except URLError:
        time.sleep(0.2)
for key in ("a", "a", "b", "b"):
    ask("POST", f"{BUCKET}/{key}?uploads=")
for size in (1, 3):
    print(f"in pages of {size}:", listed(**{"max-uploads": size}))
print("in one page:", listed())
print("each key by name:", ", ".join(listed(prefix=key) for key in ("a", "b")))
LOOK

cat >"$folder/run.sh" <<'RUN'
ip link set lo up
java -Xmx256m "-Djava.io.tmpdir=$1" -jar "$1/s3mock-5.2.0-exec.jar" --server.port=9000 --server.address=127.0.0.1 \
  --server.ssl.enabled=false --http.port=0 "--com.adobe.testing.s3mock.store.root=$1" >"$1/server.log" 2>&1 &
trap 'kill "$!"; wait "$!" || true' EXIT
"$2" "$1/look.py" 9000 >"$1/seen"
RUN
env -i PATH="$PATH" HOME="$folder" unshare --map-root-user --net bash -e "$folder/run.sh" "$folder" "${PYTHON:-python3}"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "S3Mock no longer behaves as described above" >&2
  exit 1
}
