"""Discovery: which buckets a target has, by the store's own list, and when that list is read."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.config.checks import check_bucket
from exporter.config.settings import BucketSettings
from exporter.config.sharding import UNSHARDED
from exporter.model.errors import Failure, Reason, StoreError
from exporter.model.targets import Discovery
from exporter.stores.pagination.paginator import Paginator
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.config.sharding import Shard
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.engine.store_client import StoreClient

log = logging.getLogger(__name__)

BUCKETS_LIMIT = 100_000
"""Maximum number of buckets that one process watches of a target; a longer list is refused."""
LOGGED_NAMES_LIMIT = 100
"""Maximum number of invalid names that are logged, a line each; a store may have any number of them."""
RETRY_SECONDS = 60.0
"""Maximum time until a list that could not be read is asked for again."""


class BucketDiscovery:
    """Reads one target's list of buckets, page by page, with the retries of a scan."""

    def __init__(self, target: TargetSettings, client: StoreClient, *, shard: Shard = UNSHARDED) -> None:
        """Make it for a target and its store; buckets of other shards are left out."""
        self._target = target
        self._client = client
        self._shard = shard
        self._logged_names: set[str] = set()

    def find(self) -> tuple[BucketSettings, ...]:
        """Return the buckets to watch, sorted by name. Raises StoreError and StoppingError.

        An invalid name that the patterns include is left out, and logged once.
        """
        deadline = self._client.clocks.monotonic() + self._target.scan.timeout
        pages: Paginator[FoundBucket] = Paginator(lambda page: [bucket.name for bucket in page])
        found: dict[str, BucketSettings] = {}
        while not pages.done:
            for name, region in pages.accept(self._page(pages.marker, deadline)):
                if self._is_selected(name) and self._is_valid(name):
                    found[name] = bucket_settings(self._target, name, region)
            if len(found) > BUCKETS_LIMIT:
                text = f"there are more than {BUCKETS_LIMIT} buckets to watch here: narrow discover.include"
                raise StoreError(Reason.UNSUPPORTED, f"{text}, or add shards")
        return tuple(bucket for _, bucket in sorted(found.items()))

    def _page(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        client = self._client
        return client.call(lambda until: client.store.list_buckets(marker, until), deadline)

    def _is_selected(self, name: str) -> bool:
        return matches(self._target, name) and self._shard.owns(self._target.name, name)

    def _is_valid(self, name: str) -> bool:
        try:
            check_bucket(name)
        except ValueError as error:
            if name not in self._logged_names and len(self._logged_names) < LOGGED_NAMES_LIMIT:
                self._logged_names.add(name)
                fields = {"target": self._target.name, "bucket": one_line(name), "error": str(error)}
                log.warning("a bucket's name cannot be asked for: it is left out", extra={"fields": fields})
            return False
        return True


def matches(target: TargetSettings, name: str) -> bool:
    """Whether the target's `discover` patterns select a bucket of this name."""
    discover = target.discover
    if discover is None:
        return False
    included = not discover.include or any(re.search(each, name) for each in discover.include)
    return included and not any(re.search(each, name) for each in discover.exclude)


def bucket_settings(target: TargetSettings, name: str, region: str | None = None) -> BucketSettings:
    """Return the settings of a discovered bucket."""
    return BucketSettings(name, target.prefix, target.stale_after, region)


class DiscoverySchedule:
    """When one target's list of buckets is read, and the outcome of the last time.

    Times are seconds of the monotonic clock. Safe to use from many threads.
    """

    def __init__(self, refresh: float, find: Callable[[], tuple[BucketSettings, ...]], start: float) -> None:
        """Make one that is first due at `start`, then every `refresh`; `find` reads the list."""
        self.find = find
        self._refresh = refresh
        self._due = start
        self._running = False
        self._lock = threading.Lock()
        self._state = Discovery()

    @property
    def state(self) -> Discovery:
        """The outcome of the last time."""
        return self._state

    def take(self, now: float) -> bool:
        """Whether the list is due to be read; then that counts as under way."""
        with self._lock:
            if self._running or now < self._due:
                return False
            self._running = True
            return True

    def request(self, now: float) -> bool:
        """Have the list read now; false while it is being read, and after a failure, which has its pause."""
        with self._lock:
            if self._running or self._state.success is False:
                return False
            self._due = min(self._due, now)
            return True

    def succeed(self, now: float, wall: float) -> None:
        """Note that the list was read; `wall` is Unix seconds."""
        self._end(Discovery(success=True, last_success=wall), now + self._refresh)

    def fail(self, now: float, failure: Failure) -> bool:
        """Note that the list could not be read; returns whether the failure differs from the last one."""
        before = self._state
        failed = replace(before, success=False, failure=failure)
        self._end(failed, now + min(self._refresh, RETRY_SECONDS))
        return failed != before

    def cancel(self) -> None:
        """Note that reading was cancelled: the process ends, or the target is no longer watched."""
        self._end(self._state, self._due)

    def _end(self, state: Discovery, due: float) -> None:
        with self._lock:
            self._state, self._due, self._running = state, due, False
