"""The lifecycle rules that should abort what nobody completes, asked for once an hour."""

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

ASK_AGAIN_SECONDS = 3600.0


class Lifecycle:
    """What is known of the rules of one target's buckets. Scans of several buckets may use it at once."""

    def __init__(self, target: TargetSettings, client: StoreClient) -> None:
        """Make it without knowing any."""
        self._target = target
        self._client = client
        self._monotonic = client.clocks.monotonic
        self._known: dict[str, tuple[float, AbortRules | None]] = {}
        self._told: set[tuple[str, Reason]] = set()

    def rules(self, bucket: BucketSettings, deadline: float) -> AbortRules | None:
        """Return a bucket's rules, of the last hour; None where they cannot be known.

        A failure is told once, and fails nothing. Raises StoppingError.
        """
        known = self._known.get(bucket.name)
        if known and self._monotonic() < known[0] + ASK_AGAIN_SECONDS:
            return known[1]
        asked = self._monotonic()
        rules, for_good = self._ask(bucket, deadline)
        if for_good:
            self._known[bucket.name] = asked, rules
        else:
            self._known.pop(bucket.name, None)
        return rules

    def _ask(self, bucket: BucketSettings, deadline: float) -> tuple[AbortRules | None, bool]:
        """Return the rules, and whether the answer stands for an hour.

        The scan waits for it, so all tries together take no longer than one call may.
        """
        client = self._client
        deadline = min(deadline, self._monotonic() + client.settings.request_timeout)
        try:
            rules = client.call(lambda until: client.store.abort_rules(bucket, until), deadline)
        except StoreError as error:
            self._tell(bucket, error)
            return None, not error.retryable
        self._told -= {told for told in self._told if told[0] == bucket.name}
        return rules, True

    def _tell(self, bucket: BucketSettings, error: StoreError) -> None:
        if (bucket.name, error.reason) in self._told:
            return
        self._told.add((bucket.name, error.reason))
        fields = {"target": self._target.name, "bucket": bucket.name, "reason": error.reason.value}
        text = "the bucket's lifecycle rules are not known"
        log.warning(text, extra={"fields": fields | {"error": str(error)}})
