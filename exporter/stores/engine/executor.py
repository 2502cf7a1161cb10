"""Runs many tasks at once on one thread: sends the calls they request, retries them, returns the results.

A pause before a retry is an entry in a heap, so that it blocks nothing else.
"""

from __future__ import annotations

import heapq
import logging
import random
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.stores.engine.retry import pause_before
from exporter.stores.pagination.listing import RestartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.base import BucketSession, ListingStart, Page, PageRequest
    from exporter.stores.engine.concurrency import ConcurrencyLimit
    from exporter.stores.engine.rate_limit import RateLimit
    from exporter.stores.engine.retry import RetryPolicy, Stop
    from exporter.stores.pagination.listing import Task

log = logging.getLogger(__name__)

_STOP_CHECK_SECONDS = 0.2
"""Maximum time from a stop until it is noticed while waiting."""


@dataclass(slots=True, eq=False)
class _RunningTask:
    """A task that has not ended: what it requests now, and how often that was retried."""

    task: Task[Any]
    label: object
    retry_policy: RetryPolicy
    request: PageRequest | None = None
    retries: int = 0
    epoch: int = 0


CompletedTask = tuple[object, Any]
"""The label that a task was started with, and what it returned, or the error that ended it."""


class Executor:
    """Runs tasks until they end. For one thread."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        session: BucketSession,
        concurrency_limit: ConcurrencyLimit,
        stop: Stop,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
        rate_limit: RateLimit | None = None,
    ) -> None:
        """Make an executor of calls in `session`; `jitter` draws the pause before a retry."""
        self.active = 0
        """Number of tasks that have not ended."""
        self.sent = 0
        """Number of calls sent, retries included."""
        self._session = session
        self._concurrency_limit = concurrency_limit
        self._rate_limit = rate_limit
        self._stop = stop
        self._monotonic = monotonic
        self._jitter = jitter
        self._in_flight = 0
        self._reserved_moment: float | None = None
        self._ready: deque[_RunningTask] = deque()
        self._pausing: list[tuple[float, int, _RunningTask]] = []
        self._order = count()
        self._completed: list[CompletedTask] = []

    @property
    def listing_start(self) -> ListingStart:
        """What a listing of uploads may begin after."""
        return self._session.listing_start

    @property
    def committed(self) -> int:
        """Number of calls sent or to be sent: those that wait for a limit or before a retry included."""
        return self.sent + len(self._ready) + len(self._pausing)

    def start(self, task: Task[Any], label: object, retry_policy: RetryPolicy) -> None:
        """Start a task; `completed` returns its result under this label."""
        self.active += 1
        self._step(_RunningTask(task, label, retry_policy), task.send, None)

    def completed(self) -> list[CompletedTask]:
        """Wait until tasks end and return them; [] where none is active. Raises StoppingError."""
        self._send_ready()
        while self.active and not self._completed:
            self._wait()
            self._send_ready()
        completed, self._completed = self._completed, []
        return completed

    def skip_pauses(self) -> None:
        """Retry at once whatever pauses: there is no time left to wait."""
        self._ready.extend(running for _, _, running in self._pausing)
        self._pausing.clear()

    def close(self) -> None:
        """Cancel the calls in flight."""
        self._session.close()

    def _step(self, running: _RunningTask, move: Callable[[Any], PageRequest], value: object) -> None:
        """Resume the task (`move` is its send or throw), and send what it requests next."""
        before = running.request
        try:
            running.request = move(value)
        except StopIteration as end:
            self._end(running, end.value)
        except StoreError as error:
            self._end(running, error.detached())
        except RestartError as error:
            self._end(running, error)
        except StoppingError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug of the exporter ends one task, as any failure does
            self._end(running, StoreError.unexpected(error, log, "a task failed unexpectedly"))
        else:
            if before is None or before[:-1] != running.request[:-1]:  # not only in another encoding
                running.retries = 0
            self._send(running)

    def _end(self, running: _RunningTask, outcome: object) -> None:
        self.active -= 1
        self._completed.append((running.label, outcome))

    def _send(self, running: _RunningTask) -> None:
        """Send what the task requests, or queue it until the limits allow it."""
        if self._may_send(running):
            self._send_now(running)
        elif self._rate_limit is not None and running.request and running.request.upload is None:
            self._ready.appendleft(running)  # under a rate limit, the listing goes first
        else:
            self._ready.append(running)

    def _may_send(self, running: _RunningTask) -> bool:
        """Whether the limits allow a call now, or its deadline has passed so that none is sent."""
        if self._in_flight >= self._concurrency_limit.limit:
            return False
        if self._rate_limit is None:
            return True
        now = self._monotonic()
        if now >= running.retry_policy.deadline.at:
            return True
        if self._reserved_moment is None:
            self._reserved_moment = self._rate_limit.reserve(now)
        return self._reserved_moment <= now

    def _send_now(self, running: _RunningTask) -> None:
        policy, now = running.retry_policy, self._monotonic()
        if now >= policy.deadline.at:
            self._step(running, running.task.throw, StoreError(Reason.TIMEOUT, "scan.timeout is over"))
            return
        self._reserved_moment = None
        running.epoch = self._concurrency_limit.epoch
        self._in_flight += 1
        self.sent += 1
        assert running.request is not None  # noqa: S101
        deadline = min(policy.deadline.at, now + policy.request_timeout)
        self._session.start(running.request, deadline, running)

    def _send_ready(self) -> None:
        """Send what has paused for long enough, as far as the limits allow."""
        while self._pausing and self._pausing[0][0] <= self._monotonic():
            self._ready.append(heapq.heappop(self._pausing)[2])
        self._end_overdue()
        while self._ready and self._may_send(self._ready[0]):
            self._send_now(self._ready.popleft())

    def _end_overdue(self) -> None:
        """End tasks that wait for the rate limit and whose deadline has passed."""
        if self._reserved_moment is None:
            return
        now = self._monotonic()
        if all(now < each.retry_policy.deadline.at for each in self._ready):
            return
        waiting, self._ready = self._ready, deque()
        for running in waiting:
            if now < running.retry_policy.deadline.at:
                self._ready.append(running)
            else:
                self._send_now(running)

    def _wait(self) -> None:
        if self._stop.is_set():
            raise StoppingError
        if not self._in_flight:
            if self._stop.wait(self._seconds_to_next()):
                raise StoppingError
            return
        for running, answer in self._session.completed(min(_STOP_CHECK_SECONDS, self._seconds_to_next())):
            self._in_flight -= 1
            self._take(running, answer)  # type: ignore[arg-type]  # the label that we gave

    def _seconds_to_next(self) -> float:
        """Return the seconds until a pause ends or the rate limit allows a call."""
        moments = [self._pausing[0][0]] if self._pausing else []
        if (
            self._ready
            and self._reserved_moment is not None
            and self._in_flight < self._concurrency_limit.limit
        ):
            deadlines = (running.retry_policy.deadline.at for running in self._ready)
            moments.append(min(self._reserved_moment, *deadlines))
        return max(0.0, min(moments) - self._monotonic()) if moments else _STOP_CHECK_SECONDS

    def _take(self, running: _RunningTask, answer: Page[Any] | StoreError) -> None:
        if not isinstance(answer, StoreError):
            self._concurrency_limit.succeeded()
            self._step(running, running.task.send, answer)
            return
        if answer.reason is Reason.THROTTLED:
            self._concurrency_limit.throttled(running.epoch)
        elif not answer.retryable:
            self._concurrency_limit.succeeded()  # refused, but not throttled
        may_retry = answer.retryable and running.retries < running.retry_policy.retries
        if not (may_retry and self._pause(running, answer)):
            self._step(running, running.task.throw, answer)

    def _pause(self, running: _RunningTask, error: StoreError) -> bool:
        """Schedule the next retry; false where it would be after the deadline or the maximum of calls."""
        due = self._monotonic() + pause_before(error, running.retries, self._jitter)
        policy = running.retry_policy
        if due >= policy.deadline.at or self.committed >= policy.max_calls:
            return False
        running.retries += 1
        heapq.heappush(self._pausing, (due, next(self._order), running))
        return True
