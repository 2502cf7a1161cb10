"""What a target's scans find beyond sums: groups of uploads, and the rules that should clean up."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from exporter.scan.groups import Groups
from exporter.scan.lifecycle import Lifecycle

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import Summary
    from exporter.stores.engine.store_client import StoreClient

log = logging.getLogger(__name__)


class Enrichment:
    """Of one target, as far as its settings ask for any. Scans of several buckets may use it at once."""

    def __init__(self, target: TargetSettings, client: StoreClient) -> None:
        """Make it; nothing is asked yet."""
        self._target = target
        self._lifecycle = Lifecycle(target, client) if target.lifecycle else None
        self._told: set[tuple[str, str]] = set()

    def new_groups(self) -> Groups | None:
        """Return what counts one scan's uploads by groups, None where nobody asked for any."""
        return Groups(self._target.top) if self._target.top else None

    def enrich(
        self, summary: Summary, bucket: BucketSettings, groups: Groups | None, deadline: float
    ) -> Summary:
        """Return a scan's sums with what else is known of the bucket. Raises StoppingError."""
        if self._lifecycle:
            summary = replace(summary, abort_rules=self._lifecycle.rules(bucket, deadline))
        if groups:
            self._tell(bucket, groups)
            largest = partial(groups.largest, uploads=summary.uploads, sizes_known=summary.bytes is not None)
            summary = replace(summary, prefixes=largest("prefix"), initiators=largest("initiator"))
        return summary

    def _tell(self, bucket: BucketSettings, groups: Groups) -> None:
        """Say once where a bucket has too many groups, and again where it had fewer meanwhile."""
        too_many = {(bucket.name, by) for by in groups.too_many}
        for _, by in sorted(too_many - self._told):
            fields = {"target": self._target.name, "bucket": bucket.name, "by": by}
            log.warning("too many groups of uploads: none of them is shown", extra={"fields": fields})
        self._told -= {told for told in self._told if told[0] == bucket.name}
        self._told |= too_many
