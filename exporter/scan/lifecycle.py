"""The lifecycle rules that abort uploads, read from the store once an hour."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.errors import Reason
    from exporter.model.results import AbortRules
    from exporter.stores.engine.store_client import StoreClient

log = logging.getLogger(__name__)

CACHE_SECONDS = 3600.0


class AbortRulesCache:
    """The abort rules of one target's buckets. Several scans may use it at once, each for its own bucket."""

    def __init__(self, target: TargetSettings, client: StoreClient) -> None:
        """Make it empty."""
        self._target = target
        self._client = client
        self._monotonic = client.clocks.monotonic
        self._cache: dict[str, tuple[float, AbortRules | None]] = {}
        self._warned: set[tuple[str, Reason]] = set()

    def get(self, bucket: BucketSettings, deadline: float) -> AbortRules | None:
        """Return a bucket's rules as they were at most an hour ago; None where they could not be read.

        A failure is logged once, and does not fail the scan. Raises StoppingError.
        """
        now = self._monotonic()
        cached = self._cache.get(bucket.name)
        if cached and now < cached[0] + CACHE_SECONDS:
            return cached[1]
        rules, is_final = self._read(bucket, deadline)
        if is_final:
            self._cache[bucket.name] = now, rules
        else:
            self._cache.pop(bucket.name, None)
        return rules

    def _read(self, bucket: BucketSettings, deadline: float) -> tuple[AbortRules | None, bool]:
        """Return the rules, and whether the answer may be cached: any but a failure that may pass.

        The scan waits for it, so all attempts together take no longer than one call may.
        """
        client = self._client
        deadline = min(deadline, self._monotonic() + client.settings.request_timeout)
        try:
            rules = client.call(lambda until: client.store.abort_rules(bucket, until), deadline)
        except StoreError as error:
            self._warn_once(bucket, error)
            return None, not error.retryable
        self._warned -= {each for each in self._warned if each[0] == bucket.name}
        return rules, True

    def _warn_once(self, bucket: BucketSettings, error: StoreError) -> None:
        if (bucket.name, error.reason) in self._warned:
            return
        self._warned.add((bucket.name, error.reason))
        fields = {"target": self._target.name, "bucket": bucket.name, "reason": error.reason.value}
        text = "the bucket's lifecycle rules are not known"
        log.warning(text, extra={"fields": fields | {"error": str(error)}})
