"""The oldest, longest idle or largest uploads of all buckets, merged from the lists of each bucket."""

from __future__ import annotations

import heapq
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from exporter.config.settings import BucketSettings
from exporter.model.top_uploads import ORDERS
from exporter.model.uploads import age_at
from exporter.stores.abort_command import abort_commands, command_line
from exporter.web.query import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.model.top_uploads import Order
    from exporter.model.uploads import CountedUpload
    from exporter.web.bucket_rows import BucketRow
    from exporter.web.query import Query

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
"""Number of uploads shown without `limit`, and its maximum."""


class TopUpload(NamedTuple):
    """An upload of a bucket, as of its last successful scan at `seen` (Unix seconds)."""

    row: BucketRow
    found: CountedUpload
    seen: float

    @property
    def age(self) -> float | None:
        """Seconds from its initiation to the scan, None where the former is not known."""
        return age_at(self.seen, self.found.upload.initiated)

    @property
    def idle(self) -> float | None:
        """Seconds from its last activity to the scan, None where the former is not known."""
        return age_at(self.seen, self.found.activity)

    @property
    def command(self) -> str | None:
        """The command that aborts it; None for one that the store denies, and while its target is removed."""
        if self.row.status is None or self.found.denied:
            return None
        status, name = self.row.status, self.row.entry.bucket
        bucket = next((each for each in status.buckets if each.name == name), BucketSettings(name))
        return command_line(abort_commands(status.settings, bucket, self.found.upload, status.signing_region))


def order_and_limit(query: Query, *, lenient: bool = False) -> tuple[Order, int]:
    """Return `sort` and `limit` of a query. Raises QueryError; with `lenient` the defaults stand in."""
    try:
        order = query.choice("sort", ORDERS, "age")
        return next(each for each in ORDERS if each == order), query.number("limit", DEFAULT_LIMIT, MAX_LIMIT)
    except QueryError:
        if not lenient:
            raise
        return "age", DEFAULT_LIMIT


def stale_only(query: Query, *, lenient: bool = False) -> bool:
    """Return whether `stale` of a query is true. Raises QueryError; `lenient` takes it as false."""
    try:
        return query.choice("stale", ("true", "false"), "false") == "true"
    except QueryError:
        if not lenient:
            raise
        return False


def merge_top_uploads(
    rows: Sequence[BucketRow], order: Order, limit: int, *, stale: bool = False
) -> list[TopUpload]:
    """Return at most `limit` uploads of these buckets, by this order; with `stale` only those that are.

    Unlisted ones come first, denied ones last.
    """
    merged = heapq.merge(
        *(_of_bucket(row, order, stale=stale) for row in rows), key=itemgetter(0), reverse=True
    )
    return [top_upload for _, top_upload in islice(merged, limit)]


def count_never_scanned(rows: Iterable[BucketRow]) -> int:
    """Return the number of buckets without a successful scan by this process: their uploads are unknown."""
    return sum(row.entry.top_uploads is None for row in rows)


def _of_bucket(row: BucketRow, order: Order, *, stale: bool) -> Iterator[tuple[tuple[int, float], TopUpload]]:
    entry = row.entry
    if entry.top_uploads is None:
        return
    seen = entry.last_success or 0.0
    for rank, found in entry.top_uploads.ranked(order, stale=stale):
        yield rank, TopUpload(row, found, seen)
