"""What a target's scans report beyond sums: groups of uploads, a bucket's rules, tags, and own count."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from exporter.scan.bucket_problems import BucketProblems
from exporter.scan.bucket_tags import BucketTags
from exporter.scan.groups import Groups
from exporter.scan.hourly import HourlyAnswers
from exporter.scan.reported_uploads import ReportedUploads

if TYPE_CHECKING:
    from collections.abc import Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import Summary
    from exporter.stores.engine.store_client import StoreClient


class Enrichment:
    """What one target's settings ask for beyond sums. Safe to use from several scans."""

    def __init__(self, target: TargetSettings, client: StoreClient) -> None:
        """Make it without any call."""
        self._target = target
        text = "the bucket's lifecycle rules are not known"
        rules = HourlyAnswers(target, client, client.store.abort_rules, text) if target.lifecycle else None
        self._abort_rules = rules
        self._tags = BucketTags(target, client) if target.tags else None
        self._reported = ReportedUploads(target, client) if target.ceph_admin else None
        text = "too many groups of uploads: none of them is shown"
        self._overflows = BucketProblems(target.name, text, client.clocks.monotonic, logging.WARNING)

    def new_groups(self) -> Groups | None:
        """Return what counts one scan's uploads by groups, None where the settings ask for none."""
        return Groups(self._target.top) if self._target.top else None

    def keep_only(self, names: Container[str]) -> None:
        """Forget what is known of all buckets but those of these names."""
        for each in (self._abort_rules, self._tags, self._reported, self._overflows):
            if each:
                each.keep_only(names)

    def begin(self, bucket: BucketSettings, deadline: float) -> None:
        """Ask what has to be known before a scan, by `deadline`. Raises StoppingError."""
        if self._reported:
            self._reported.begin(bucket, deadline)

    def enrich(
        self, summary: Summary, bucket: BucketSettings, groups: Groups | None, deadline: float
    ) -> Summary:
        """Return the summary with all that was asked for, by `deadline`. Raises StoppingError."""
        if self._abort_rules:
            summary = replace(summary, abort_rules=self._abort_rules.get(bucket, deadline))
        if self._tags:
            summary = replace(summary, tags=self._tags.get(bucket, deadline))
        if self._reported:
            reported = self._reported.get(bucket, summary.uploads, deadline)
            summary = replace(summary, reported=reported)
        if groups:
            self._warn_of_overflow(bucket, groups)
            largest = partial(groups.largest, uploads=summary.uploads, sizes_known=summary.bytes is not None)
            summary = replace(summary, prefixes=largest("prefix"), initiators=largest("initiator"))
        return summary

    def _warn_of_overflow(self, bucket: BucketSettings, groups: Groups) -> None:
        """Log once that a bucket has too many groups, and again after it had fewer."""
        self._overflows.end(bucket.name, but=groups.overflowed)
        for by in sorted(groups.overflowed):
            self._overflows.begin(bucket.name, by, {"by": by})
