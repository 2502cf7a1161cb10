"""The store's own count of a bucket's uploads, beside that of the scan: they should be the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoreError
from exporter.scan.bucket_problems import BucketProblems
from exporter.scan.hourly import HourlyAnswers
from exporter.stores.base import CEPH_ADMIN_OPERATION, ReportingStore

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.stores.base import Store
    from exporter.stores.engine.store_client import StoreClient

SCANS = 3
"""Number of scans in a row that have to differ from the store's count before that is told."""


class Counts(NamedTuple):
    """How many uploads a scan has found, and how many the store reported right after it."""

    found: int
    reported: int


def asks_own_count(target: TargetSettings, bucket: BucketSettings) -> bool:
    """Whether the store's own count is asked for: it is one of the whole bucket."""
    return target.ceph_admin and not bucket.prefix


def reported_uploads(store: Store, bucket: BucketSettings, deadline: float) -> int:
    """Return how many uploads the store itself counts. Raises StoreError and StoppingError."""
    if not isinstance(store, ReportingStore):
        raise StoreError(Reason.UNSUPPORTED, f"{CEPH_ADMIN_OPERATION}: the store has no count of its own")
    return store.reported_uploads(bucket, deadline)


class ReportedUploads:
    """The store's counts of one target's buckets. Several scans may use it, each for its own bucket."""

    def __init__(self, target: TargetSettings, client: StoreClient) -> None:
        """Make it without any call."""
        self._target = target
        self._store = client.store
        text = "the store's own count of uploads is not known"
        self._answers = HourlyAnswers(target, client, self._ask, text, lasts=0.0)
        self._differing: dict[str, list[Counts]] = {}
        """The last scans of each bucket, as far back as they differ from what the store reported."""
        self._before: dict[str, int | None] = {}
        """What the store reported before the present scan, where the one before it differed."""
        text = f"the store's own count of uploads differs from that of {SCANS} scans (docs/stores.md, Ceph)"
        self._differences = BucketProblems(target.name, text, client.clocks.monotonic, logging.WARNING)

    def begin(self, bucket: BucketSettings, deadline: float) -> None:
        """Ask before a scan, too, where the last one has differed. Raises StoppingError."""
        if bucket.name in self._differing:
            self._before[bucket.name] = self._answers.get(bucket, deadline)

    def get(self, bucket: BucketSettings, found: int, deadline: float) -> int | None:
        """Return the count after a scan that has `found` so many; None where it is not asked, or not known.

        A difference that lasts is logged once. Raises StoppingError.
        """
        if not asks_own_count(self._target, bucket):
            return None
        reported = self._answers.get(bucket, deadline)
        if reported is not None:
            self._compare(bucket.name, Counts(found, reported))
        return reported

    def keep_only(self, names: Container[str]) -> None:
        """Forget what is known of all buckets but those of these names."""
        for known in (self._differing, self._before):
            for name in known.copy():  # a copy: scans add to them
                if name not in names:
                    known.pop(name, None)
        self._answers.keep_only(names)
        self._differences.keep_only(names)

    def _ask(self, bucket: BucketSettings, deadline: float) -> int:
        return reported_uploads(self._store, bucket, deadline)

    def _compare(self, name: str, counts: Counts) -> None:
        before = self._before.pop(name, None)
        if counts.found == counts.reported:
            self._differing.pop(name, None)
            self._differences.end(name)
            return
        # uploads came or went during the scan: it is only a first one
        scans = self._differing.get(name, []) if before == counts.reported else []
        self._differing[name] = scans = [*scans, counts][-SCANS:]
        if differ(scans):
            self._differences.begin(name, fields={"uploads": counts.found, "reported": counts.reported})


def differ(scans: Sequence[Counts]) -> bool:
    """Whether scans found more, or less, than can be explained by uploads that come and go.

    What they found has to be all on one side of the reports, and farther off than these are apart.
    """
    found, reported = zip(*scans, strict=True)
    low, high = min(reported), max(reported)
    apart = high - low
    return len(scans) == SCANS and (min(found) > high + apart or max(found) < low - apart)
