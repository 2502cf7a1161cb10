"""Makes uncommitted blobs in an Azure storage account, whose blocks are its unfinished uploads."""

import html
import re
from collections.abc import Mapping
from http import HTTPStatus

from servers.blobs import BlobClient
from servers.matrix.record import Made, Record
from servers.standin import Request

_NEXT = re.compile(rb"<NextMarker>([^<]+)</NextMarker>")


class BlobRecord(Record):
    """Uncommitted blobs. A name is the id of its upload, so a second upload of a name gets another name.

    An upload begins with its first block: one without any block does not exist, and is given one.
    """

    def __init__(self, client: BlobClient) -> None:
        super().__init__()
        self._client = client
        self._taken: set[tuple[str, str]] = set()

    def close(self) -> None:
        self._client.close()

    def create(self, bucket: str, key: str, sizes: Mapping[int, int]) -> Made:
        return super().create(bucket, key, sizes or {1: 1})

    def takes(self, bucket: str) -> bool:
        answer = self._client.send("PUT", bucket, "restype=container")
        return answer.status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}

    def asked_for(self, request: Request) -> tuple[str, str] | None:
        _, _, bucket, *name = request.path.split("/", 3)
        if name:
            return bucket, name[0]
        return (bucket, "") if request.argument("comp") == "list" else None

    def next_ids(self, page: bytes) -> list[str]:
        return [html.unescape(found.decode()) for found in _NEXT.findall(page)]

    def _make_bucket(self, name: str) -> None:
        self._client.create(name)

    def _begin(self, bucket: str, key: str) -> tuple[str, str]:
        with self._lock:
            names = (f"{key}.{n}" if n else key for n in range(len(self._taken) + 1))
            name = next(name for name in names if (bucket, name) not in self._taken)
            self._taken.add((bucket, name))
        return name, name.replace("\\", "/")  # the service has the other slash in its names

    def _put(self, made: Made, number: int, size: int) -> None:
        self._client.put(made.bucket, made.key, number, size)

    def _abort(self, made: Made) -> None:
        self._client.clear(made.bucket, made.key)

    def _complete(self, made: Made) -> None:
        self._client.commit(made.bucket, made.key, sorted(made.parts))
