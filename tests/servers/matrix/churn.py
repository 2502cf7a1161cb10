"""Changes a bucket between the requests of a scan: always the same changes, made as the scan comes by."""

import random
import threading

from servers.matrix.buckets import SEED
from servers.matrix.record import Made, Record
from servers.standin import Request

CHANGES = 8


class Churn:
    """The hook of a proxy: between pages uploads end and begin, first the one that the next marker names.

    In `gaps` buckets it is every third upload that is asked for its parts that ends, just before it is asked.
    """

    def __init__(self, record: Record, pages: set[str], gaps: set[str]) -> None:
        self.errors: list[Exception] = []
        self._record = record
        self._pages = pages
        self._gaps = gaps
        self._random = {bucket: random.Random(SEED) for bucket in pages | gaps}
        self._asked = dict.fromkeys(pages | gaps, 0)
        self._lock = threading.Lock()

    def __call__(self, request: Request, body: bytes | None) -> None:
        bucket, upload_id = self._record.asked_for(request) or ("", "")
        with self._lock:
            try:
                if upload_id and body is None and bucket in self._gaps:
                    self._ask_parts(bucket, upload_id)
                elif not upload_id and body is not None and bucket in self._pages:
                    self._list(bucket, body)
            except Exception as error:  # noqa: BLE001 - told to the test, which is on another thread
                self.errors.append(error)

    def _ask_parts(self, bucket: str, upload_id: str) -> None:
        self._asked[bucket] += 1
        if self._asked[bucket] % 3 == 1:
            for made in self._record.of(bucket):
                if made.upload_id == upload_id:
                    self._record.abort(made)

    def _list(self, bucket: str, page: bytes) -> None:
        self._asked[bucket] += 1
        if (number := self._asked[bucket]) > CHANGES:
            return
        alive, pick = self._record.of(bucket), self._random[bucket]
        if number % 2:
            self._record.abort(self._named(alive, page) or pick.choice(alive))
        elif number % 4:
            self._record.create(bucket, f"moving/{pick.randrange(10):02}", {1: 77})
        else:
            self._record.complete(pick.choice([made for made in alive if made.parts]))

    def _named(self, alive: list[Made], page: bytes) -> Made | None:
        """Return the upload that the page's next marker names, if any."""
        by_id = {made.upload_id: made for made in alive}
        return next((by_id[name] for name in self._record.next_ids(page) if name in by_id), None)
