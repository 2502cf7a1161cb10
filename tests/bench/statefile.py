"""A state file on disk: opened as the exporter does it, and filled as by a scan before."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from bench.pages import PAGE, Bucket, names

from exporter.model.results import ScanResult
from exporter.model.uploads import PartTotals, Upload
from exporter.scan.tally import Tally
from exporter.state.database import BucketName, StateDatabase
from exporter.state.ledger import Ledger
from exporter.state.rows import LedgerRows

INITIATED, LAST_PART = 1_735_689_600.0, 1_738_368_060.0
"""About what the canned pages say: it has been so for long."""


@contextmanager
def ledger_in(file: Path) -> Iterator[Ledger]:
    """Give the only bucket's ledger while the block lasts."""
    state = StateDatabase(file)
    state.open(threading.Event())
    yield Ledger(LedgerRows(state, BucketName("bench", "s3", "", "-", "bucket")))
    state.close()


def fill(file: Path, bucket: Bucket, now: float) -> None:
    """Remember each upload of a bucket as if a scan that began at `now` had asked about it."""
    totals = PartTotals(bucket.parts, bucket.parts * bucket.part_bytes, LAST_PART)
    uploads = (Upload(key, upload_id, INITIATED) for key, upload_id in names(bucket.uploads))
    tally = Tally(now=now, stale_after=0.0, ages=(), with_parts=True)
    with ledger_in(file) as ledger:
        while page := list(islice(uploads, PAGE)):
            for upload, (row_id, record) in zip(page, ledger.look_up(page), strict=True):
                ledger.record_parts(row_id, upload, totals, now, record)
                tally.add_sized(upload, totals)
        ledger.commit(ScanResult(tally.summary(), now, 0.0))
