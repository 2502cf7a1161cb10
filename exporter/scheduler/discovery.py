"""Which buckets a target has: the store's list in, those to watch out."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.model.targets import Discovery

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings

import logging
import re
from typing import TYPE_CHECKING

from exporter.config.checks import check_bucket
from exporter.config.settings import BucketSettings
from exporter.config.sharding import ALONE
from exporter.model.errors import Failure, Reason, StoreError
from exporter.stores.pagination import Paginator
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.config.sharding import Shard
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.engine.store_client import StoreClient

log = logging.getLogger(__name__)

MOST_BUCKETS = 100_000
"""A list that goes on beyond so many is not followed; more are no target for one process."""
MOST_TOLD = 100
"""Of so many odd names a line each is logged; a store may have any number of them."""


class BucketDiscovery:
    """Asks one target's store for its list of buckets, page by page, as patiently as a scan asks."""

    def __init__(self, target: TargetSettings, client: StoreClient, *, shard: Shard = ALONE) -> None:
        """Make it for a target and its store. Other shards' buckets are not found."""
        self._target = target
        self._client = client
        self._shard = shard
        self._told: set[str] = set()

    def find(self) -> tuple[BucketSettings, ...]:
        """Return the buckets to watch, by name. Raises StoreError and StoppingError.

        A name that is wanted but cannot be asked for is left out, and told once.
        """
        deadline = self._client.clocks.monotonic() + self._target.scan.timeout
        loop: Paginator[FoundBucket] = Paginator(lambda page: [bucket.name for bucket in page])
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
        client = self._client
        return client.call(lambda until: client.store.list_buckets(marker, until), deadline)

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


RETRY_SECONDS = 60.0
"""A list that could not be had is asked for again after so long at most."""


class DiscoverySchedule:
    """One target's list of buckets. Times are of the monotonic clock; safe to use from many threads."""

    def __init__(self, refresh: float, find: Callable[[], tuple[BucketSettings, ...]], start: float) -> None:
        """Make it first due at `start`; `find` asks for the list. Raises what `find` raises."""
        self.find = find
        self._refresh = refresh
        self._due = start
        self._running = False
        self._lock = threading.Lock()
        self._state = Discovery()

    @property
    def state(self) -> Discovery:
        """What came of asking last."""
        return self._state

    def take(self, now: float) -> bool:
        """Whether the list is to be asked for now; then that counts as under way."""
        with self._lock:
            if self._running or now < self._due:
                return False
            self._running = True
            return True

    def succeed(self, now: float, wall: float) -> None:
        """Note that the list was had; `wall` is Unix seconds."""
        self._end(Discovery(success=True, last_success=wall), now + self._refresh)

    def fail(self, now: float, failure: Failure) -> bool:
        """Note that the list could not be had; returns whether that is news."""
        before = self._state
        failed = replace(before, success=False, failure=failure)
        self._end(failed, now + min(self._refresh, RETRY_SECONDS))
        return failed != before

    def give_up(self) -> None:
        """Note that asking was given up: the process ends, or the target is no longer watched."""
        self._end(self._state, self._due)

    def _end(self, state: Discovery, due: float) -> None:
        with self._lock:
            self._state, self._due, self._running = state, due, False
