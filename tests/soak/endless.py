"""Memory under stores that list for ever: `python tests/soak/endless.py [--seconds N] [LISTING …]`.

Each listing goes on with new uploads, parts, buckets or vaults as long as it is asked. Writes, for each and
each way of `parts`, the peak over idle, how far it came, and what the state file grew to.
"""

import argparse
import json
import re
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.hostile import served
from bench.procfs import memory_mib
from servers.exporter import serving, target

LIMIT_MIB = 150.0
BUCKET = "endless"
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
TIME = "2026-01-01T00:00:00.000Z"
# a page is a template, in which the number of the page is put: `@` stands for nine digits
UPLOAD = (
    "<Upload><Key>k@/{0:04}</Key><UploadId>i@{0:04}</UploadId><Initiator><ID>i</ID></Initiator>"
    f"<StorageClass>STANDARD</StorageClass><Initiated>{TIME}</Initiated></Upload>"
)
PART = (
    f"<Part><PartNumber>@{{0:04}}</PartNumber><LastModified>{TIME}</LastModified>"
    "<ETag>&quot;e&quot;</ETag><Size>5242880</Size></Part>"
)
ONE_PART = PART.replace("@", "").format(1)


def listed(root: str, items: str, markers: str) -> str:
    """Return the template of a page."""
    return f"<{root} {XMLNS}><IsTruncated>true</IsTruncated>{markers}{items}</{root}>"


def uploads(number: int) -> str:
    """Return the template of a page of so many uploads."""
    items = "".join(UPLOAD.format(each) for each in range(number))
    markers = f"<NextKeyMarker>k@/{number - 1:04}</NextKeyMarker>"
    markers += f"<NextUploadIdMarker>i@{number - 1:04}</NextUploadIdMarker>"
    return listed("ListMultipartUploadsResult", items, markers)


def parts(*numbers: int) -> str:
    """Return the template of a page of parts, whose numbers end so."""
    items = "".join(PART.format(each) for each in numbers)
    return listed("ListPartsResult", items, "<NextPartNumberMarker>@9999</NextPartNumberMarker>")


def buckets(number: int, name: str) -> str:
    """Return the template of a page of so many buckets."""
    items = "".join(f"<Bucket><Name>{name}@-{each:04}</Name></Bucket>" for each in range(number))
    markers = "<ContinuationToken>k@/</ContinuationToken>"
    return listed("ListAllMyBucketsResult", f"<Buckets>{items}</Buckets>", markers)


def vault_page(name: str, items: list[dict[str, object]]) -> str:
    """Return the template of a page of JSON."""
    return json.dumps({"Marker": "k@/", name: items})


VAULT_UPLOADS = [
    {"MultipartUploadId": f"i@{each:04}", "ArchiveDescription": "a" * 100, "CreationDate": TIME}
    for each in range(1000)
]
VAULT_PARTS = [{"RangeInBytes": f"1@{each:04}000-1@{each:04}500"} for each in range(1000)]
FEW_UPLOADS = uploads(64).replace(">true<", ">false<").replace("@", "0" * 9)
NO_UPLOAD = "<Error><Code>NoSuchUpload</Code></Error>"
AGAIN = UPLOAD.replace("@", "0" * 9).format(0)


class Endless(NamedTuple):
    """What a store answers to listings, and to questions about parts; `store` is its kind."""

    listing: str
    parts: str = f"<ListPartsResult {XMLNS}><IsTruncated>false</IsTruncated>{ONE_PART}</ListPartsResult>"
    ways: tuple[str, ...] = ("remembered",)
    store: str = "s3"
    exclude: str = ""
    is_account: bool = False


ENDLESS = {
    "uploads": Endless(uploads(1000), ways=("remembered", "always", "never")),
    "uploads, one a page": Endless(uploads(1), ways=("never",)),
    "uploads, refused parts": Endless(uploads(1000), ""),
    "uploads, gone parts": Endless(uploads(1000), NO_UPLOAD),
    "uploads, one on each page": Endless(
        uploads(999).replace("<Upload>", f"{AGAIN}<Upload>", 1), "", ("never",)
    ),
    "parts": Endless(FEW_UPLOADS, parts(*range(1, 1001))),
    "parts with gaps": Endless(FEW_UPLOADS, parts(*range(1, 2001, 2))),
    "parts, backwards": Endless(FEW_UPLOADS, parts(*range(1000, 0, -1))),
    "parts, one a page": Endless(FEW_UPLOADS, parts(1)),
    "buckets": Endless(buckets(1000, "b"), is_account=True),
    "buckets, excluded": Endless(buckets(1000, "b"), is_account=True, exclude="^b"),
    "buckets, one a page": Endless(buckets(1, "b"), is_account=True, exclude="^b"),
    "vault": Endless(
        vault_page("UploadsList", VAULT_UPLOADS), '{"Parts": []}', ("remembered", "never"), "glacier"
    ),
    "parts in a vault": Endless(
        vault_page("UploadsList", VAULT_UPLOADS[:50]).replace('"k@/"', "null").replace("@", "0" * 9),
        vault_page("Parts", VAULT_PARTS),
        store="glacier",
    ),
    "vaults": Endless(
        vault_page("VaultList", [{"VaultName": f"v@-{each:04}"} for each in range(1000)]),
        store="glacier",
        exclude="^v",
        is_account=True,
    ),
}
_MARKERS = ("key-marker", "part-number-marker", "continuation-token", "marker")


def handler(endless: Endless) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 20  # an answer is one write, which no delayed acknowledgement holds up

        def do_GET(self) -> None:
            self.answer(*page(endless, self.path))

        def do_HEAD(self) -> None:
            self.answer(200, b"")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def handle(self) -> None:
            """Answer, until the client has enough of it."""
            with suppress(ConnectionError):
                super().handle()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def page(endless: Endless, url: str) -> tuple[int, bytes]:
    """Return status and body of an answer."""
    path, query = urlsplit(url).path, parse_qs(urlsplit(url).query, keep_blank_values=True)
    asks_parts = "uploadId" in query or re.search("multipart-uploads/.", path)
    asks_uploads = "uploads" in query or path.endswith("multipart-uploads")
    if not (asks_parts or asks_uploads or endless.is_account):
        return 404, b""
    marker = next((query[name][0] for name in _MARKERS if name in query), "")
    digits = re.sub("[^0-9]", "", unquote(marker))
    number = int((digits[:-4] if asks_parts and endless.store == "s3" else digits[:9]) or -1) + 1
    if "prefix" in query:
        return 404, b""
    body = endless.parts if asks_parts else endless.listing
    status = 404 if body == NO_UPLOAD else 200 if body else 403
    return status, body.replace("@", f"{number:09}").encode()


def settings_of(endless: Endless, url: str, way: str, seconds: int) -> dict[str, object]:
    """Return the target of a config."""
    scan = {"parts": way, "retries": 0, "timeout": f"{seconds}s", "interval": "1h"}
    scan["request_timeout"] = f"{min(30, seconds)}s"
    settings = target("endless", url, BUCKET, scan=scan)
    if endless.store == "glacier":
        settings |= {"store": "glacier", "vaults": settings.pop("buckets")}
        del settings["addressing_style"]
    if endless.is_account:
        settings.pop("vaults", None) or settings.pop("buckets", None)
        settings["discover"] = {"exclude": [endless.exclude] if endless.exclude else [], "refresh": "1h"}
    return settings


def attack(name: str, way: str, seconds: int, program: list[str]) -> tuple[float, str]:
    """Return the MiB over idle, and what else there is to say."""
    endless = ENDLESS[name]
    with served(__file__, "--serve", name) as url, TemporaryDirectory() as folder:
        state = Path(folder) / "state.db"
        config = {
            "state": {"path": str(state)},
            "targets": [settings_of(endless, url, way, seconds)],
        }
        started = time.monotonic()
        with serving(Path(folder), config, program=program) as exporter:
            idle = memory_mib(exporter.process.pid, "VmRSS")
            told = wait_told(exporter.log, seconds + 90)
            took = time.monotonic() - started
            counts = re.findall(r"^mpu_api_requests_total{.*} (.+)$", exporter.text(), re.MULTILINE)
            requests = sum(map(float, counts))
            peak = memory_mib(exporter.process.pid)
            size = sum(file.stat().st_size for file in Path(folder).glob("state.db*")) >> 20
    return peak - idle, f"{requests:9,.0f} requests in {took:4.0f} s, state {size:5,} MiB: {told}"


def wait_told(log: Path, seconds: float) -> str:
    """Return what the log says of the end of the first scan, or of the list of buckets."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = log.read_text()
        for pattern in ("scan failed", "scan finished", "cannot be read", "no bucket"):
            for line in text.splitlines():
                if pattern in line:
                    return line[:300]
        time.sleep(0.5)
    return "nothing: " + text[-200:]


def main(argv: list[str]) -> int:
    """Print the figures; 1 where one is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="LISTING", help=", ".join(ENDLESS))
    parser.add_argument("--seconds", type=int, default=60, help="scan.timeout")
    parser.add_argument("--serve", metavar="LISTING", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.serve:
        serve(arguments.serve)
    over = 0
    for name in arguments.names or ENDLESS:
        for way in ENDLESS[name].ways:
            mib, told = attack(name, way, arguments.seconds, [sys.executable, "-m", "exporter"])
            over += mib > LIMIT_MIB
            sys.stdout.write(f"{name} ({way}): {mib:.0f} MiB over idle; {told}\n")
            sys.stdout.flush()
    return bool(over)


def serve(name: str) -> None:
    """Serve until killed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(ENDLESS[name]))
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
