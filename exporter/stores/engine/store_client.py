"""One target's store with all that its calls need: timeouts, retries, the stop event and the clocks."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from exporter.model.errors import StoppingError, StoreError
from exporter.stores.engine.executor import Executor
from exporter.stores.engine.rate_limit import RateLimit
from exporter.stores.engine.retry import RetryPolicy, pause_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings, ScanSettings
    from exporter.stores.base import Store
    from exporter.stores.engine.concurrency import ConcurrencyLimit
    from exporter.stores.engine.retry import Deadline, Stop

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clocks:
    """Sources of time and chance. `wall` returns Unix seconds, `jitter` a number between its arguments."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    jitter: Callable[[float, float], float] = random.uniform


@dataclass(frozen=True, slots=True)
class StoreClient:
    """Makes calls to one store, with timeout and retries as `settings` say. Safe to use from many threads.

    All deadlines are readings of the monotonic clock. Once `stop` is set, calls end with StoppingError.
    `rate_limit` is that of all calls to the target, None where the settings have none.
    """

    store: Store
    settings: ScanSettings
    stop: Stop
    clocks: Clocks = field(default_factory=Clocks)
    rate_limit: RateLimit | None = field(init=False)

    def __post_init__(self) -> None:
        """Make the rate limit."""
        per_second = self.settings.requests_per_second
        object.__setattr__(self, "rate_limit", RateLimit(per_second) if per_second else None)

    def retry_policy(self, deadline: Deadline, max_calls: float = math.inf) -> RetryPolicy:
        """Return the policy of an executor's calls."""
        return RetryPolicy(self.settings.request_timeout, self.settings.retries, deadline, max_calls)

    def wait_for_turn(self) -> None:
        """Wait until the rate limit allows one more request. Raises StoppingError."""
        if self.rate_limit is not None:
            now = self.clocks.monotonic()
            if self.stop.wait(max(0.0, self.rate_limit.reserve(now) - now)):
                raise StoppingError

    def call(self, request: Callable[[float], T], deadline: float) -> T:
        """Make one call, which blocks this thread, and retry it until `deadline`.

        `request` is given the deadline of each attempt. An answer that is garbled is asked for once more.
        Raises StoreError where the last attempt failed, and StoppingError.
        """
        monotonic, retries, may_be_garbled = self.clocks.monotonic, 0, True
        while True:
            try:
                return request(min(deadline, monotonic() + self.settings.request_timeout))
            except StoreError as error:
                if error.garbled and may_be_garbled and monotonic() < deadline:
                    may_be_garbled = False
                    continue
                pause = pause_before(error, retries, self.clocks.jitter)
                late = monotonic() + pause >= deadline
                if not error.retryable or retries >= self.settings.retries or late:
                    raise
            if self.stop.wait(pause):
                raise StoppingError
            retries += 1

    def open(
        self,
        bucket: BucketSettings,
        deadline: float,
        concurrency_limit: ConcurrencyLimit,
    ) -> Executor:
        """Return an executor of calls about one bucket. Raises StoreError and StoppingError.

        Opening is a call of its own, with retries: the store may have to request credentials.
        """
        session = self.call(lambda until: self.store.open(bucket, until), deadline)
        return Executor(
            session,
            concurrency_limit,
            self.stop,
            monotonic=self.clocks.monotonic,
            jitter=self.clocks.jitter,
            rate_limit=self.rate_limit,
        )
