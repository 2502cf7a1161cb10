"""Asks a store as a scan does, one question after the other."""

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from exporter.config.settings import BucketSettings
from exporter.model.uploads import PartTotals, Upload
from exporter.stores.base import Store
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.executor import Executor
from exporter.stores.engine.retry import Deadline, RetryPolicy
from exporter.stores.pagination.listing import (
    KeyListing,
    Task,
    list_by_key,
    list_next_page,
    uploads_paginator,
)
from exporter.stores.pagination.part_listing import sum_parts


@dataclass
class SequentialClient:
    """How a store is asked: times are seconds, `deadline` is a reading of the monotonic clock."""

    request_timeout: float = 30.0
    retries: int = 3
    deadline: float = threading.TIMEOUT_MAX
    stop: Any = field(default_factory=threading.Event)
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = random.uniform

    def pages(self, store: Store, bucket: BucketSettings) -> Iterator[Collection[Upload]]:
        """Yield the bucket's uploads page by page, each once."""
        listing = uploads_paginator()
        with self.executor(store, bucket) as executor:
            while not listing.done:
                yield self._ask(executor, list_next_page(listing, bucket))

    def size(self, store: Store, bucket: BucketSettings, upload: Upload) -> PartTotals:
        """Return what the upload's parts add up to."""
        with self.executor(store, bucket) as executor:
            return self._ask(executor, sum_parts(bucket, upload, store.new_part_sum()))

    def by_name(self, store: Store, bucket: BucketSettings, key: str) -> KeyListing:
        """Return what is listed of a key alone."""
        with self.executor(store, bucket) as executor:
            return self._ask(executor, list_by_key(bucket, key))

    @contextmanager
    def executor(self, store: Store, bucket: BucketSettings, concurrency: int = 32) -> Iterator[Executor]:
        opened_by = min(self.deadline, self.monotonic() + self.request_timeout)
        calls = store.open(bucket, opened_by)
        executor = Executor(
            calls, ConcurrencyLimit(concurrency), self.stop, monotonic=self.monotonic, jitter=self.jitter
        )
        try:
            yield executor
        finally:
            executor.close()

    def _ask(self, executor: Executor, task: Task[Any]) -> Any:
        executor.start(task, None, RetryPolicy(self.request_timeout, self.retries, Deadline(self.deadline)))
        ((_, outcome),) = executor.completed()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
