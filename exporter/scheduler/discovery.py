"""Discovery: which buckets a target has, by the store's own list, and when that list is read."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from exporter.config.advice import endpoint_advice
from exporter.config.settings import BucketSettings, StoreKind
from exporter.config.sharding import UNSHARDED
from exporter.config.target_sections import DiscoverSettings
from exporter.model.errors import Failure, Reason, StoreError
from exporter.model.targets import Discovery, DroppedBucket, Selection
from exporter.stores.pagination.paginator import Paginator
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.config.settings import TargetSettings
    from exporter.config.sharding import Shard
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.engine.store_client import StoreClient

    Find = Callable[[], "FoundBuckets"]

log = logging.getLogger(__name__)

BUCKETS_LIMIT = 100_000
"""Maximum number of buckets that one process watches of a target; a longer list is refused."""
LOGGED_NAMES_LIMIT = 100
"""Maximum number of invalid names that are logged, a line each; a store may have any number of them."""
DROPPED_LIMIT = 20
"""Maximum number of buckets of which it is kept why they are not watched."""
RETRY_SECONDS = 60.0
"""Maximum time until a list that could not be read is asked for again."""


_MAX_NAME_LENGTH = 255
_IPV4 = r"(?:[0-9]+\.){3}[0-9]+"
_BUCKET = re.compile(rf"(?!arn:|{_IPV4}$)(?=[A-Za-z0-9_])[A-Za-z0-9._:-]{{1,{_MAX_NAME_LENGTH}}}(?<!:)")
"""What no store's names go beyond: S3's of before 2018 have up to 255 characters, capitals, `_`, and points
in a row; a colon stands behind the tenant of Ceph. With ARNs, stores would choose the host that is asked."""
_VAULT = re.compile(rf"(?!\.\.?$)[A-Za-z0-9._-]{{1,{_MAX_NAME_LENGTH}}}")
_BUCKET_RULE = (
    f"must be a bucket's name: 1 to {_MAX_NAME_LENGTH} letters, digits and . _ - :, the first one a letter, "
    "a digit or _, the last one no colon; no ARN and no IP address"
)
_VAULT_RULE = f"must be a vault's name: 1 to {_MAX_NAME_LENGTH} letters, digits and . _ -"
_CONTAINER = re.compile(rf"\$?{_VAULT.pattern}")
"""A `$` is before the names of containers that Azure itself has: $root, $web, $logs."""
_CONTAINER_RULE = (
    f"must be a container's name: 1 to {_MAX_NAME_LENGTH} letters, digits and . _ -, or $ before them"
)
_NAMES = {
    StoreKind.GLACIER: (_VAULT, _VAULT_RULE),
    StoreKind.AZURE: (_CONTAINER, _CONTAINER_RULE),
}
"""How names look, and what is said of others, where it is not as buckets have them."""


class FoundBuckets(NamedTuple):
    """The buckets to watch, sorted by name, and what became of the others."""

    buckets: tuple[BucketSettings, ...]
    selection: Selection


class BucketDiscovery:
    """Reads one target's list of buckets, page by page, with the retries of a scan."""

    def __init__(self, target: TargetSettings, client: StoreClient, *, shard: Shard = UNSHARDED) -> None:
        """Make it for a target and its store; buckets of other shards are left out."""
        self._target = target
        self._client = client
        self._shard = shard
        self._logged_names: set[str] = set()

    def find(self) -> FoundBuckets:
        """Return the buckets to watch. Raises StoreError and StoppingError.

        An invalid name that the patterns include is left out, and logged once.
        """
        deadline = self._client.clocks.monotonic() + self._target.scan.timeout
        pages: Paginator[FoundBucket] = Paginator(lambda page: [bucket.name for bucket in page])
        found: dict[str, BucketSettings] = {}
        selection = Selection()
        while not pages.done:
            for name, region in pages.accept(self._page(pages.marker, deadline)):
                why = self._why_dropped(name)
                selection = _counted(selection, name, why)
                if not why and self._shard.owns(self._target.name, name):
                    found[name] = bucket_settings(self._target, name, region)
            if len(found) > BUCKETS_LIMIT:
                text = f"there are more than {BUCKETS_LIMIT} buckets to watch here: narrow discover.include"
                raise StoreError(Reason.UNSUPPORTED, f"{text}, or add shards")
        return FoundBuckets(tuple(bucket for _, bucket in sorted(found.items())), selection)

    def _page(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        client = self._client
        client.wait_for_turn()
        return client.call(lambda until: client.store.list_buckets(marker, until), deadline)

    def _why_dropped(self, name: str) -> str:
        """Return why no shard watches a bucket, '' where one does."""
        if pattern := pattern_that_drops(self._target.discover or DiscoverSettings(), name):
            return pattern
        return "" if self._is_valid(name) else "its name cannot be asked for"

    def _is_valid(self, name: str) -> bool:
        looks, rule = _NAMES.get(self._target.store, (_BUCKET, _BUCKET_RULE))
        if looks.fullmatch(name):
            return True
        shown = one_line(_shortened(name))
        is_told = shown in self._logged_names or not self._shard.owns(self._target.name, name)
        if not is_told and len(self._logged_names) < LOGGED_NAMES_LIMIT:
            self._logged_names.add(shown)
            fields = {"target": self._target.name, "bucket": shown, "error": rule}
            log.warning("a bucket's name cannot be asked for: it is left out", extra={"fields": fields})
        return False


def warn_of_endpoint(target: TargetSettings, buckets: Iterable[BucketSettings]) -> None:
    """Log where the URL of the target's server already names one of the buckets that were found."""
    for text in endpoint_advice(target, (bucket.name for bucket in buckets)):
        fields = {"target": target.name, "advice": text}
        log.warning("the config is valid, and likely meant otherwise", extra={"fields": fields})


def matches(target: TargetSettings, name: str) -> bool:
    """Whether the target's `discover` patterns select a bucket of this name."""
    return target.discover is not None and not pattern_that_drops(target.discover, name)


def pattern_that_drops(discover: DiscoverSettings, name: str) -> str:
    """Return which key of `discover` drops a bucket of this name, '' where none does."""
    if discover.include and not any(re.search(each, name) for each in discover.include):
        return "no pattern of discover.include finds it"
    found = next((each for each in discover.exclude if re.search(each, name)), None)
    return "" if found is None else f"discover.exclude: {found}"


def _counted(selection: Selection, name: str, why: str) -> Selection:
    """Return the selection with one bucket more; `why` is '' where it is watched."""
    seen, matched, dropped = selection
    if why and len(dropped) < DROPPED_LIMIT:
        dropped += (DroppedBucket(_shortened(name), why),)
    return Selection(seen + 1, matched + (not why), dropped)


def _shortened(name: str) -> str:
    """Return as much of a name as any valid one has."""
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[:_MAX_NAME_LENGTH]}…"


def bucket_settings(target: TargetSettings, name: str, region: str | None = None) -> BucketSettings:
    """Return the settings of a discovered bucket."""
    return BucketSettings(name, target.prefix, target.stale_after, region)


class DiscoverySchedule:
    """When one target's list of buckets is read, and the outcome of the last time.

    Times are seconds of the monotonic clock. Safe to use from many threads.
    """

    def __init__(self, refresh: float, find: Find, start: float) -> None:
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

    def succeed(self, now: float, wall: float, selection: Selection) -> bool:
        """Note that the list was read; returns whether the problem with it differs from the last one.

        `wall` is Unix seconds.
        """
        before = self._state.selection or Selection(matched=1)
        state = Discovery(success=True, last_success=wall, selection=selection)
        self._end(state, now + self._refresh)
        return selection.problem != before.problem

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
