"""What a store says of a bucket as a whole: lifecycle rules and tags, once an hour; its own count."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from exporter.model.errors import StoreError
from exporter.scan.bucket_problems import BucketProblems

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.stores.engine.store_client import StoreClient

CACHE_SECONDS = 3600.0

T = TypeVar("T")


class _Answer(NamedTuple, Generic[T]):
    """What was read of a bucket, None where it cannot be; `moment` is of the monotonic clock."""

    moment: float
    value: T | None


class HourlyAnswers(Generic[T]):
    """Answers about one target's buckets. Several scans may use it at once, each for its own bucket."""

    def __init__(  # noqa: PLR0913 - what it asks, and how long answers hold
        self,
        target: TargetSettings,
        client: StoreClient,
        ask: Callable[[BucketSettings, float], T],
        problem: str,
        *,
        keep_for: float = 0.0,
        lasts: float = CACHE_SECONDS,
    ) -> None:
        """Make it without any call. `ask` reads the answer by a deadline; `problem` is logged where it fails.

        In seconds, `keep_for` is how long the last answer outlives failures that may pass, and `lasts` how
        long an answer is not asked for again. What was refused is asked for again after an hour.
        """
        self._client = client
        self._ask = ask
        self._keep_for = keep_for
        self._lasts = lasts
        self._monotonic = client.clocks.monotonic
        self._lock = threading.Lock()
        self._answers: dict[str, _Answer[T]] = {}
        self._problems = BucketProblems(target.name, problem, self._monotonic, logging.WARNING)

    def get(self, bucket: BucketSettings, deadline: float) -> T | None:
        """Return the answer about a bucket, None where it could not be read.

        A failure is logged once, of many buckets in few lines, and fails no scan. Raises StoppingError.
        """
        now = self._monotonic()
        known = self._answers.get(bucket.name)
        if known and now < known.moment + (CACHE_SECONDS if known.value is None else self._lasts):
            return known.value
        try:
            value = self._read(bucket, deadline)
        except StoreError as error:
            fields = {"reason": error.reason.value, "error": str(error)}
            self._problems.begin(bucket.name, error.reason.value, fields)
            if error.retryable:
                return known.value if known and now < known.moment + self._keep_for else None
            value = None
        else:
            self._problems.end(bucket.name)
        self._remember(bucket, _Answer(now, value))
        return value

    def keep_only(self, names: Container[str]) -> None:
        """Forget the answers about all buckets but those of these names."""
        with self._lock:
            self._answers = {name: each for name, each in self._answers.items() if name in names}
        self._problems.keep_only(names)

    def _read(self, bucket: BucketSettings, deadline: float) -> T:
        """Return the answer; the scan waits, so all attempts together take no longer than one call may."""
        self._client.wait_for_turn()
        deadline = min(deadline, self._monotonic() + self._client.settings.request_timeout)
        return self._client.call(lambda until: self._ask(bucket, until), deadline)

    def _remember(self, bucket: BucketSettings, answer: _Answer[T]) -> None:
        """Keep an answer, and drop those that are too old for any use: of buckets that are gone."""
        oldest = answer.moment - CACHE_SECONDS - self._keep_for
        with self._lock:
            self._answers.pop(bucket.name, None)
            self._answers[bucket.name] = answer
            while self._answers[first := next(iter(self._answers))].moment < oldest:
                del self._answers[first]
