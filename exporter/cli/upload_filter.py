"""Uploads of many buckets in; those that match the flags out, sorted, at most --limit of them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.top_uploads import BoundedHeap, rank_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import ScanResult
    from exporter.model.top_uploads import Order
    from exporter.model.uploads import CountedUpload, Upload


class FoundUpload(NamedTuple):
    """An upload with its target and bucket, and the region that the target's requests were signed for."""

    target: TargetSettings
    bucket: BucketSettings
    found: CountedUpload
    signing_region: str = ""

    @property
    def upload(self) -> Upload:
        """The upload as listed."""
        return self.found.upload


@dataclass(frozen=True, slots=True)
class UploadFilter:
    """Which uploads, in which order, how many (0: all). Ages are seconds; `now` is Unix seconds.

    `stale` is by each bucket's own setting, as its scan judged it.
    """

    now: float
    order: Order = "age"
    limit: int = 0
    older_than: float | None = None
    idle_for: float | None = None
    min_bytes: int | None = None
    stale: bool = False
    inactive: bool = False
    """Only uploads whose parts told that nobody adds to them."""


@dataclass(slots=True)
class Counts:
    """Number of matching uploads, and of those left out because their date, size or activity is not known.

    `denied` is the number of matching ones that the store denies; in no other number.
    """

    matched: int = 0
    undated: int = 0
    unsized: int = 0
    denied: int = 0
    unasked: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of another bucket."""
        self.matched += other.matched
        self.undated += other.undated
        self.unsized += other.unsized
        self.denied += other.denied
        self.unasked += other.unasked


_Rank = tuple[bool, bool, float]
"""Whether the store has it, whether the value that the order goes by is known, and its rank.

Denied uploads come last, after those whose value is not known.
"""


class UploadSelection:
    """Filters the uploads of one bucket and keeps the top ones. Not thread-safe."""

    def __init__(self, upload_filter: UploadFilter, target: TargetSettings, bucket: BucketSettings) -> None:
        """Begin empty."""
        self.counts = Counts()
        self.result: ScanResult | None = None
        """Of the scan whose uploads these are, once it has ended."""
        self.signing_region = ""
        """Known once the scan has ended."""
        self.tells_initiations_alone = False
        """Whether the store does not tell when parts came, so that activity is initiation."""
        self._filter = upload_filter
        self._target = target
        self._bucket = bucket
        self._heap: BoundedHeap[FoundUpload] = BoundedHeap(upload_filter.limit)

    def add(self, found: CountedUpload) -> None:
        """Add an upload if it matches."""
        if found.nameless or not self._passes(found):
            return
        if found.denied:
            self.counts.denied += 1
        else:
            self.counts.matched += 1
        rank = rank_of(self._filter.order, found)
        row = FoundUpload(self._target, self._bucket, found)
        self._heap.add((not found.denied, rank is not None, rank or 0.0), row)

    def _passes(self, found: CountedUpload) -> bool:
        criteria, counts = self._filter, Counts() if found.denied else self.counts
        if criteria.stale and not found.stale:
            counts.undated += found.activity is None
            return False
        for since, least in (
            (found.upload.initiated, criteria.older_than),
            (found.activity, criteria.idle_for),
        ):
            if least is None:
                continue
            if since is None:
                counts.undated += 1
                return False
            if criteria.now - since < least:
                return False
        return self._tells_enough(found, counts)

    def _tells_enough(self, found: CountedUpload, counts: Counts) -> bool:
        if self._filter.inactive and not found.tells_activity:
            counts.unasked += 1
            return False
        if self._filter.min_bytes is None:
            return True
        if found.bytes is None:
            counts.unsized += 1
            return False
        return found.bytes >= self._filter.min_bytes

    def ranked(self) -> list[tuple[_Rank, FoundUpload]]:
        """Return the kept uploads with their ranks, the top one first."""
        region = self.signing_region
        return [(rank, row._replace(signing_region=region)) for rank, row in self._heap.ranked()]


def merge_selections(selections: Iterable[UploadSelection], limit: int) -> tuple[list[FoundUpload], Counts]:
    """Return the top uploads of all selections, sorted, and the summed counts."""
    ranked: list[tuple[_Rank, FoundUpload]] = []
    total = Counts()
    for selection in selections:
        ranked += selection.ranked()
        total.add(selection.counts)
    ranked.sort(key=itemgetter(0), reverse=True)  # stable: of equal ranks, the first bucket's first
    return [row for _, row in ranked[: limit or None]], total
