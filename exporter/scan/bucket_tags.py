"""The tags of a bucket that the config names, read from the store once an hour."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exporter.scan.bucket_problems import BucketProblems
from exporter.scan.hourly import HourlyAnswers
from exporter.text.labels import label_value

if TYPE_CHECKING:
    from collections.abc import Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.stores.engine.store_client import StoreClient

Tags = tuple[tuple[str, str], ...]
"""Key and value of each."""
MAX_VALUE_LENGTH = 256
"""Number of characters of a value that is shown whole; S3 allows no more."""


class BucketTags:
    """The tags of one target's buckets. Several scans may use it at once, each for its own bucket."""

    def __init__(self, target: TargetSettings, client: StoreClient) -> None:
        """Make it without any call; the last values outlive failures that may pass as a scan's do."""
        self._target = target
        self._store = client.store
        text = "the bucket's tags are not known"
        self._answers = HourlyAnswers(target, client, self._read, text, keep_for=target.scan.keep_for)
        none = "the bucket has no tags: it is not in mpu_bucket_info"
        self._untagged = BucketProblems(target.name, none, client.clocks.monotonic, logging.INFO)

    def get(self, bucket: BucketSettings, deadline: float) -> Tags | None:
        """Return key and value of each tag that the target names, the value '' where the bucket lacks it.

        None for a bucket without any tag, and where they could not be read, each logged once. Raises
        StoppingError.
        """
        tags = self._answers.get(bucket, deadline)
        if tags == ():
            self._untagged.begin(bucket.name)
        elif tags:
            self._untagged.end(bucket.name)
        return tags or None

    def keep_only(self, names: Container[str]) -> None:
        """Forget what is known of all buckets but those of these names."""
        self._answers.keep_only(names)
        self._untagged.keep_only(names)

    def _read(self, bucket: BucketSettings, deadline: float) -> Tags:
        """Return the tags that the target names, () for a bucket without any tag. Raises StoreError."""
        found = self._store.bucket_tags(bucket, deadline)
        if not found:
            return ()
        return tuple((key, label_value(found.get(key, ""), MAX_VALUE_LENGTH)) for key in self._target.tags)
