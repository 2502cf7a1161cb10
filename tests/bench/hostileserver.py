"""A store whose answers are made to take memory: `hostileserver.py ATTACK`; it prints its port.

`page-N` lists N uploads in one page, as MinIO does. Whatever else it is asked, it answers with an error.
"""

import gzip
import random
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

MIB = 1024 * 1024
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
BEGAN = datetime(2024, 2, 29, tzinfo=UTC)
UPLOAD = (
    "<Upload><Key>backups/2024/{:06}/{:08}.tar.zst</Key><UploadId>{}</UploadId><Initiator><ID></ID><DisplayName>"
    "</DisplayName></Initiator><Owner><ID></ID><DisplayName></DisplayName></Owner><StorageClass></StorageClass>"
    "<Initiated>{}Z</Initiated></Upload>"
)
PART = (
    "<Part><PartNumber>{}</PartNumber><LastModified>2024-03-01T00:00:00Z</LastModified><ETag>&quot;{:032x}"
    "&quot;</ETag><Size>5242880</Size></Part>"
)


def uploads_page(uploads: int) -> bytes:
    """Return a page of all uploads, whose ids are as random as MinIO's: so it packs as well as a real one."""
    draw = random.Random(1)
    return _document("ListMultipartUploadsResult", "".join(_upload(each, draw) for each in range(uploads)))


def _upload(number: int, draw: random.Random) -> str:
    said = f"{UUID(int=7)}.{UUID(int=draw.getrandbits(128), version=4)}x17{draw.getrandbits(56):017}"
    began = (BEGAN + timedelta(seconds=number)).isoformat()[:19]
    return UPLOAD.format(number // 100, number, urlsafe_b64encode(said.encode()).decode(), began)


def parts_page(parts: int) -> bytes:
    """Return a page of this many parts."""
    return _document("ListPartsResult", "".join(PART.format(each, each) for each in range(1, parts + 1)))


def _document(root: str, items: str) -> bytes:
    return f"<{root} {XMLNS}><IsTruncated>false</IsTruncated>{items}</{root}>".encode()


def filled(content: bytes, size: int = 8 * MIB - 4096) -> bytes:
    """Return a listing with nothing but this content in it, again and again."""
    inside = content * (size // len(content))
    return b"<ListMultipartUploadsResult>" + inside + b"</ListMultipartUploadsResult>"


def names() -> bytes:
    """Return elements whose names all differ."""
    return b"".join(b"<n%x/>" % number for number in range(700_000))


def random_uploads() -> bytes:
    """Return a page of uploads that hardly packs."""
    draw = random.Random(2)
    item = "<Upload><Key>{:0200x}</Key><UploadId>{:0200x}</UploadId></Upload>"
    items = (item.format(draw.getrandbits(800), draw.getrandbits(800)) for _ in range(700_000))
    return _document("ListMultipartUploadsResult", "".join(items))


LISTINGS: dict[str, Callable[[], bytes]] = {
    "bomb": lambda: filled(b"<a/>", 63 * MIB),
    "elements": lambda: filled(b"<a/>"),
    "texts": lambda: filled(b"<a>t</a>"),
    "attributes": lambda: filled(b"<a " + b" ".join(b'a%d=""' % number for number in range(1000)) + b"/>"),
    "names": lambda: filled(names(), len(names())),
    "forbidden": lambda: filled(b"<Key>\x01\r\x02</Key>"),
    "uploads": lambda: filled(b"<Upload><Key>k</Key><UploadId>i</UploadId></Upload>", 300 * MIB),
    "random": random_uploads,
    "blanks": lambda: filled(b" ", 300 * MIB),
    "nested": lambda: b"<ListMultipartUploadsResult>" + b"<a>" * (2 * MIB),
    "refusal": lambda: filled(b"<a>t</a>"),
    "parts": lambda: uploads_page(64),
    "large parts": lambda: uploads_page(64),
    "tiny pieces": lambda: uploads_page(64),
    "tiny pieces of parts": lambda: uploads_page(64),
    "heads": lambda: uploads_page(64),
    "two million": lambda: filled(b"<Upload><Key>k</Key><UploadId>i</UploadId></Upload>", 2_000_000 * 51),
}


CHUNKS = b"2\r\n  \r\n" * 20_000
LINES = b"".join(b"x-%d:\r\n" % number for number in range(4900))
"""Just fewer than libcurl takes."""
_PARTS = {"parts": 34_000, "large parts": 300_000}
"""Numbers of parts on a page: with bodies just under the limit of today, and of the builds before."""


_ENDLESS_PARTS = {"tiny pieces of parts", "heads"}


class Answers:
    """What the store sends."""

    def __init__(self, attack: str) -> None:
        """Make the answers of an attack."""
        kind, _, number = attack.removesuffix(", four targets").partition("-")
        self._kind = kind
        self._listing = uploads_page(int(number)) if number else LISTINGS[kind]()
        parts = _PARTS.get(kind)
        self._parts = parts_page(parts) if parts else b""
        self.status = 403 if kind == "refusal" else 200
        self.is_packed = kind == "bomb"
        if self.is_packed:
            self._listing = gzip.compress(self._listing, 9)

    def is_endless(self, url: str) -> bool:
        """Whether what answers this URL has no end."""
        return self._kind == "tiny pieces" or ("uploadId=" in url and self._kind in _ENDLESS_PARTS)

    def rest(self) -> Iterator[bytes]:
        """Yield an answer without end, after its first line."""
        if self._kind == "heads":
            yield LINES
            while True:
                time.sleep(1)
                yield b""
        yield b"Transfer-Encoding: chunked\r\n\r\n"
        while True:
            yield CHUNKS

    def answer(self, url: str) -> bytes:
        """Return the body that answers this URL, b'' for none."""
        return self._parts if "uploadId=" in url else self._listing if "uploads" in url else b""


def handler(answers: Answers) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if answers.is_endless(self.path):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for piece in answers.rest():
                    self.wfile.write(piece)
            body = answers.answer(self.path)
            self.send_response(answers.status if body else 404)
            if answers.is_packed and body:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            """Answer, until the client has enough of it."""
            with suppress(ConnectionError):
                super().handle()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def main(attack: str) -> None:
    """Serve until killed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(Answers(attack)))
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
