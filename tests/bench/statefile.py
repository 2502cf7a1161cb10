"""A state file on disk: opened as the exporter does it, and filled as by a scan before."""

import base64
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from bench.pages import PAGE, Bucket, names

from exporter.model.results import ScanResult
from exporter.model.uploads import PartTotals, Upload
from exporter.scan.tally import Tally
from exporter.state.database import MAX_NAMES, BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows

INITIATED, LAST_PART = 1_735_689_600.0, 1_738_368_060.0
"""About what the canned pages say: it has been so for long."""


@contextmanager
def ledger_in(file: Path, max_names: int = MAX_NAMES) -> Iterator[Ledger]:
    """Give the only bucket's ledger while the block lasts."""
    state = StateDatabase(file, max_names=max_names)
    state.open(threading.Event())
    yield Ledger(LedgerRows(state, BucketName("bench", "s3", "", "-", "bucket")))
    state.close()


def fill(file: Path, bucket: Bucket, now: float, max_names: int = MAX_NAMES) -> None:
    """Remember each upload of a bucket as if a scan that began at `now` had asked about it."""
    uploads = (Upload(key, upload_id, INITIATED) for key, upload_id in names(bucket.uploads))
    totals = PartTotals(bucket.parts, bucket.parts * bucket.part_bytes, LAST_PART)
    fill_with(file, uploads, totals, now, max_names)


def fill_with(
    file: Path, uploads: Iterable[Upload], totals: PartTotals, now: float, max_names: int = MAX_NAMES
) -> None:
    """Remember uploads that have the same parts."""
    left = iter(uploads)
    tally = Tally(now=now, stale_after=0.0, ages=(), with_parts=True)
    with ledger_in(file, max_names) as ledger:
        while page := list(islice(left, PAGE)):
            for upload, (row_id, record) in zip(page, ledger.look_up(page), strict=True):
                ledger.record_parts(row_id, upload, totals, now, record)
                tally.add_sized(upload, totals)
        ledger.commit(ScanResult(tally.summary(), now, 0.0))


def random_uploads(uploads: int) -> Iterator[Upload]:
    """Yield uploads with keys of 60 characters and ids of 60 to 100, in which nothing repeats."""
    rng = random.Random(uploads)
    for _ in range(uploads):
        key, upload_id = (
            base64.urlsafe_b64encode(rng.randbytes(size)).decode() for size in (45, rng.randrange(45, 76, 3))
        )
        yield Upload(key, upload_id, rng.uniform(INITIATED, LAST_PART), "STANDARD", "arn:aws:iam::1:user/a")
