"""Drives many flows at once over the calls of one store: sends what they ask, tries again, hands out results.

All on the thread of the scan: a pause between two tries is an entry in a heap and holds nobody up.
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
from exporter.stores.pagination import RestartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.base import BucketSession, Page, PageRequest
    from exporter.stores.engine.concurrency import ConcurrencyLimit
    from exporter.stores.engine.rate_limit import RateLimit
    from exporter.stores.engine.retry import RetryPolicy, Stop
    from exporter.stores.pagination import Task

log = logging.getLogger(__name__)

_SLICE_SECONDS = 0.2
"""How soon a stop is noticed while waiting."""


@dataclass(slots=True, eq=False)
class _Run:
    """A flow under way: what it asks now, and how often that was tried."""

    flow: Task[Any]
    label: object
    patience: RetryPolicy
    ask: PageRequest | None = None
    tries: int = 0
    epoch: int = 0


Ended = tuple[object, Any]
"""The label that a flow was started with, and what it returned, or the error that ended it."""


class Executor:
    """Runs flows until they end. For one thread."""

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        calls: BucketSession,
        pace: ConcurrencyLimit,
        stop: Stop,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
        rate: RateLimit | None = None,
    ) -> None:
        """Make a driver of flows over `calls`; `jitter` draws the pause between two tries."""
        self.active = 0
        """Executor that have not ended."""
        self._rate = rate
        self._turn: float | None = None
        self.sent = 0
        """Calls that were made, those tried again included."""
        self._calls = calls
        self._pace = pace
        self._stop = stop
        self._monotonic = monotonic
        self._jitter = jitter
        self._in_flight = 0
        self._ready: deque[_Run] = deque()
        self._pausing: list[tuple[float, int, _Run]] = []
        self._order = count()
        self._ended: list[Ended] = []

    @property
    def committed(self) -> int:
        """Calls that were sent or will be: those that wait for their turn, or to be tried again, too."""
        return self.sent + len(self._ready) + len(self._pausing)

    def start(self, flow: Task[Any], label: object, patience: RetryPolicy) -> None:
        """Begin a flow; what becomes of it comes out of `ended` under this label."""
        self.active += 1
        self._step(_Run(flow, label, patience), flow.send, None)

    def ended(self) -> list[Ended]:
        """Wait until flows end and return them; [] where none is active.

        Raises StoppingError.
        """
        self._send_ready()
        while self.active and not self._ended:
            self._wait()
            self._send_ready()
        ended, self._ended = self._ended, []
        return ended

    def pause_no_more(self) -> None:
        """Have what pauses go on at once: there is no time left to wait for it."""
        self._ready.extend(run for _, _, run in self._pausing)
        self._pausing.clear()

    def close(self) -> None:
        """Give up what is under way."""
        self._calls.close()

    def _step(self, run: _Run, move: Callable[[Any], PageRequest], with_what: object) -> None:
        """Let the flow go on (send) or fail (throw), and send what it asks next."""
        try:
            run.ask = move(with_what)
        except StopIteration as end:
            self._end(run, end.value)
        except (StoreError, RestartError) as error:
            self._end(run, error)
        except Exception as error:  # our own bug is one flow's trouble, like any other
            log.exception("a flow failed unexpectedly")
            self._end(run, StoreError(Reason.INTERNAL, f"unexpected {type(error).__name__}"))
        else:
            run.tries = 0
            self._send(run)

    def _end(self, run: _Run, outcome: object) -> None:
        self.active -= 1
        self._ended.append((run.label, outcome))

    def _send(self, run: _Run) -> None:
        """Send what the flow asks, or have it wait for its turn."""
        if self._may_send(run):
            self._send_now(run)
        elif self._rate is not None and run.ask and run.ask.upload is None:
            self._ready.appendleft(run)  # where calls are rationed, the listing comes first
        else:
            self._ready.append(run)

    def _may_send(self, run: _Run) -> bool:
        """Whether a call may be sent now, or need not be since its time is over."""
        if self._in_flight >= self._pace.limit:
            return False
        now = self._monotonic()
        if self._rate is None or now >= run.patience.deadline.at:
            return True
        if self._turn is None:
            self._turn = self._rate.reserve(now)
        return self._turn <= now

    def _send_now(self, run: _Run) -> None:
        patience, now = run.patience, self._monotonic()
        if now >= patience.deadline.at:
            self._step(run, run.flow.throw, StoreError(Reason.TIMEOUT, "scan.timeout is over"))
            return
        self._turn = None
        run.epoch = self._pace.epoch
        self._in_flight += 1
        self.sent += 1
        assert run.ask is not None  # noqa: S101
        self._calls.start(run.ask, min(patience.deadline.at, now + patience.request_timeout), run)

    def _send_ready(self) -> None:
        """Send what has paused for long enough, as far as the pace and the rate allow."""
        while self._pausing and self._pausing[0][0] <= self._monotonic():
            self._ready.append(heapq.heappop(self._pausing)[2])
        self._give_up_late()
        while self._ready and self._may_send(self._ready[0]):
            self._send_now(self._ready.popleft())

    def _give_up_late(self) -> None:
        """End what would wait for its turn though its time is over."""
        now = self._monotonic()
        if self._turn is None or all(now < run.patience.deadline.at for run in self._ready):
            return
        waiting, self._ready = self._ready, deque()
        for run in waiting:
            if now < run.patience.deadline.at:
                self._ready.append(run)
            else:
                self._send_now(run)

    def _wait(self) -> None:
        if self._stop.is_set():
            raise StoppingError
        if not self._in_flight:
            if self._stop.wait(self._until_next()):
                raise StoppingError
            return
        for run, answer in self._calls.answers(min(_SLICE_SECONDS, self._until_next())):
            self._in_flight -= 1
            self._take(run, answer)  # type: ignore[arg-type]  # the label that we gave

    def _until_next(self) -> float:
        """Return the seconds until something can be sent that waits for a moment."""
        moments = [self._pausing[0][0]] if self._pausing else []
        if self._ready and self._turn is not None and self._in_flight < self._pace.limit:
            moments.append(min(self._turn, *(run.patience.deadline.at for run in self._ready)))
        return max(0.0, min(moments) - self._monotonic()) if moments else _SLICE_SECONDS

    def _take(self, run: _Run, answer: Page[Any] | StoreError) -> None:
        if not isinstance(answer, StoreError):
            self._pace.succeeded()
            self._step(run, run.flow.send, answer)
            return
        if answer.reason is Reason.THROTTLED:
            self._pace.throttled(run.epoch)
        elif not answer.retryable:
            self._pace.succeeded()  # refused, but not for having asked too often
        if not (answer.retryable and run.tries < run.patience.retries and self._pause(run, answer)):
            self._step(run, run.flow.throw, answer)

    def _pause(self, run: _Run, error: StoreError) -> bool:
        """Let the flow wait before its next try; false where that would outlast its time."""
        due = self._monotonic() + pause_before(error, run.tries, self._jitter)
        if due >= run.patience.deadline.at or self.committed >= run.patience.max_calls:
            return False
        run.tries += 1
        heapq.heappush(self._pausing, (due, next(self._order), run))
        return True
