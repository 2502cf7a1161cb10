"""A process that reads pages of one kind again and again: `readonce.py parts|uploads ITEMS`.

Prints the microseconds of CPU that a page takes. As on the wire, pages of one bucket differ in what
they say only. A first pass, from which a reader may learn their shape, is not measured.
"""

import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import pages
from bench.pages import Bucket

from exporter.config.settings import BucketSettings
from exporter.model.uploads import Upload
from exporter.service import tune_garbage_collector
from exporter.stores.base import PageRequest
from exporter.stores.parsing.pages import read_page
from exporter.stores.transport.response import Headers, Response

PAGES, ITEMS_READ = 50, 100_000
HEAD = b"HTTP/1.1 200 OK\r\nServer: AmazonS3\r\nDate: %b\r\nContent-Type: application/xml\r\n\r\n"
DATE = "%a, %d %b %Y %H:%M:%S GMT"
BUCKET = BucketSettings("media")


def main(what: str, items: str) -> None:
    """Read, and print."""
    number = int(items)
    asked = list((_parts if what == "parts" else _uploads)(number))
    calls = max(1000, ITEMS_READ // number) if what == "parts" else ITEMS_READ // number
    now = time.time()
    tune_garbage_collector()
    for request, response in asked:
        assert len(read_page(request, response, BUCKET.name, now).items) == number
    started = time.process_time()
    for request, response in islice(cycle(asked), calls):
        read_page(request, response, BUCKET.name, now)
    json.dump({"us": (time.process_time() - started) / calls * 1e6}, sys.stdout)


def _parts(parts: int) -> Iterator[tuple[PageRequest, Response]]:
    bucket = Bucket(BUCKET.name, PAGES, parts)
    page = pages.parts_page(bucket)
    for key, upload_id in pages.names(PAGES):
        text = page.replace(pages.KEY, key).replace(pages.UPLOAD_ID, upload_id)
        yield PageRequest(BUCKET, Upload(key, upload_id, None), None), _response(text)


def _uploads(uploads: int) -> Iterator[tuple[PageRequest, Response]]:
    bucket = Bucket(BUCKET.name, PAGES * uploads, page=uploads)
    for marker, text in pages.listing_pages(bucket):
        yield PageRequest(BUCKET, None, marker if any(marker) else None), _response(text)


def _response(text: str) -> Response:
    date = time.strftime(DATE, time.gmtime()).encode()
    return Response(200, Headers((HEAD % date).splitlines(keepends=True)), text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
