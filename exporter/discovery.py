"""Which buckets a target has: the store's list in, those to watch out."""

from __future__ import annotations

import logging
import random
import re
import time
from typing import TYPE_CHECKING

from exporter.config.settings import BucketSettings
from exporter.config.texts import check_bucket
from exporter.model import Reason, StoreError
from exporter.quoting import one_line
from exporter.retrying import retried
from exporter.sharding import ALONE
from exporter.stores.flows import Patience
from exporter.stores.paging import PageLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.sharding import Shard
    from exporter.stores.base import FoundBucket, Marker, Page, Store
    from exporter.stores.flows import Stop

log = logging.getLogger(__name__)

MOST_BUCKETS = 100_000
"""A list that goes on beyond so many is not followed; more are no target for one process."""
MOST_TOLD = 100
"""Of so many odd names a line each is logged; a store may have any number of them."""


class Finder:
    """Asks one target's store for its list of buckets, page by page, as patiently as a scan asks."""

    def __init__(  # noqa: PLR0913 - whom it asks, for whom, and the clocks
        self,
        target: TargetSettings,
        store: Store,
        stop: Stop,
        *,
        shard: Shard = ALONE,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Make it for a target; it gives up once `stop` is set. Other shards' buckets are not found."""
        self._target = target
        self._store = store
        self._stop = stop
        self._shard = shard
        self._monotonic = monotonic
        self._jitter = jitter
        self._told: set[str] = set()

    def find(self) -> tuple[BucketSettings, ...]:
        """Return the buckets to watch, by name. Raises StoreError and StoppingError.

        A name that is wanted but cannot be asked for is left out, and told once.
        """
        deadline = self._monotonic() + self._target.scan.timeout
        loop: PageLoop[FoundBucket] = PageLoop(lambda page: [bucket.name for bucket in page])
        found: dict[str, BucketSettings] = {}
        while not loop.done:
            for name, region in loop.accept(self._page(loop.marker, deadline)):
                if self._is_wanted(name) and self._is_fit(name):
                    found[name] = bucket_settings(self._target, name, region)
            if len(found) > MOST_BUCKETS:
                text = f"there are more than {MOST_BUCKETS} buckets to watch here: narrow discover.include"
                raise StoreError(Reason.UNSUPPORTED, f"{text}, or add shards")
        return tuple(bucket for _, bucket in sorted(found.items()))

    def _page(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        scan = self._target.scan
        return retried(
            lambda until: self._store.list_buckets(marker, until),
            Patience(scan.request_timeout, scan.retries, deadline),
            self._stop,
            self._monotonic,
            self._jitter,
        )

    def _is_wanted(self, name: str) -> bool:
        return matches(self._target, name) and self._shard.has(self._target.name, name)

    def _is_fit(self, name: str) -> bool:
        try:
            check_bucket(name)
        except ValueError as error:
            if name not in self._told and len(self._told) < MOST_TOLD:
                self._told.add(name)
                fields = {"target": self._target.name, "bucket": one_line(name), "error": str(error)}
                log.warning("a bucket's name cannot be asked for: it is left out", extra={"fields": fields})
            return False
        return True


def matches(target: TargetSettings, name: str) -> bool:
    """Whether a bucket of this name is one to watch."""
    discover = target.discover
    if discover is None:
        return False
    wanted = not discover.include or any(re.search(each, name) for each in discover.include)
    return wanted and not any(re.search(each, name) for each in discover.exclude)


def bucket_settings(target: TargetSettings, name: str, region: str | None = None) -> BucketSettings:
    """Return the settings of a bucket that was found."""
    return BucketSettings(name, target.prefix, target.stale_after, region)
