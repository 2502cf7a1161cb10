"""A server of one bucket's listing, from any marker on, each page late: `lateserver.py PORT UPLOADS SECONDS`.

As Amazon S3 does it: a page begins with the first upload behind the marker, whether or not that exists. What
a page holds is rendered beforehand, so that an answer costs next to nothing beside its delay.
"""

import asyncio
import sys
from bisect import bisect_left, bisect_right
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.pages import PAGE, S3, UPLOADS_ROOT, document, names, upload_item

BEHIND_ALL = "\U0010ffff"


class Listing:
    """The uploads of a bucket in order."""

    def __init__(self, uploads: int) -> None:
        """Render so many uploads."""
        self._names = list(names(uploads))
        self._items = [upload_item(each, number) for number, each in enumerate(self._names)]

    def page(self, bucket: str, asked: dict[str, str]) -> bytes:
        """Return the page that answers a query."""
        prefix, key, upload_id = (
            asked.get(name, "") for name in ("prefix", "key-marker", "upload-id-marker")
        )
        # a key alone is a marker behind all its uploads
        after = bisect_right(self._names, (key, upload_id or BEHIND_ALL)) if key else 0
        start = max(after, bisect_left(self._names, (prefix, "")))
        behind = bisect_left(self._names, (prefix + BEHIND_ALL, "")) if prefix else len(self._names)
        end = min(start + PAGE, behind)
        last_key, last_id = self._names[end - 1] if end > start else ("", "")
        head = (
            f"<Bucket>{bucket}</Bucket><KeyMarker>{key}</KeyMarker><UploadIdMarker>{upload_id}</UploadIdMarker>"
            f"<NextKeyMarker>{last_key}</NextKeyMarker><NextUploadIdMarker>{last_id}</NextUploadIdMarker>"
            f"<Prefix>{prefix}</Prefix><MaxUploads>{PAGE}</MaxUploads>"
            f"<IsTruncated>{'true' if end < behind else 'false'}</IsTruncated>"
        )
        return document(UPLOADS_ROOT, S3, head + "".join(self._items[start:end])).encode()


class Server:
    """Answers requests, many at a time, each after a delay."""

    def __init__(self, listing: Listing, seconds: float) -> None:
        """Serve a listing; each answer waits for so many `seconds`."""
        self._listing = listing
        self._seconds = seconds

    async def serve(self, port: int) -> None:
        """Serve on loopback until the process is killed."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", port)
        await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(await self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        await asyncio.sleep(self._seconds)
        url = urlsplit(head.split(b" ", 2)[1].decode())
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self._listing.page(url.path.strip("/"), asked)
        lines = (
            f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\nContent-Type: application/xml"
        )
        return f"HTTP/1.1 200 OK\r\n{lines}\r\n\r\n".encode() + body


def main(port: str, uploads: str, seconds: str) -> None:
    """Serve until killed."""
    asyncio.run(Server(Listing(int(uploads)), float(seconds)).serve(int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
