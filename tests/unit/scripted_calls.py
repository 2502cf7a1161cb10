"""An Executor over calls with scripted outcomes; its clock moves only while something is waited for."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from fakes import BUCKET, Clock

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import CompletedCall, Page, PageRequest
from exporter.stores.engine.concurrency import ConcurrencyLimit
from exporter.stores.engine.executor import Executor
from exporter.stores.engine.retry import Deadline, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.stores.engine.rate_limit import RateLimit
    from exporter.stores.pagination.listing import Task

PAGE: Page[Any] = Page([], truncated=False)


def name_of(request: PageRequest) -> str:
    """Return what `task_for` was told to ask for."""
    assert request.marker is not None
    return request.marker[0]


def task_for(*names: str) -> Task[str]:
    """Ask for these pages, one after the other; return the last one's name."""
    for name in names:
        yield PageRequest(BUCKET, None, (name,))
    return names[-1]


def failing(
    reason: Reason = Reason.THROTTLED, *, retryable: bool = True, retry_after: float | None = None
) -> StoreError:
    return StoreError(reason, "no", retryable=retryable, retry_after=retry_after)


class Begun(NamedTuple):
    """A call as it was begun: when, what for, until when; how many were then in flight, and allowed."""

    when: float
    name: str
    deadline: float
    in_flight: int
    allowed: int


@dataclass
class ScriptedCalls:
    """Calls that end after `seconds` with the next outcome of their script, without one with a page."""

    clock: Clock
    concurrency_limit: Any
    scripts: dict[str, list[StoreError]] = field(default_factory=dict)
    seconds: Callable[[str], float] = lambda _: 0.0
    begun: list[Begun] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    closed: bool = False
    _in_flight: list[tuple[float, int, str, object]] = field(default_factory=list)
    _order: Any = field(default_factory=count)

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        name = name_of(request)
        ends = self.clock.now + self.seconds(name)
        heapq.heappush(self._in_flight, (ends, next(self._order), name, label))
        self.begun.append(
            Begun(self.clock.now, name, deadline, len(self._in_flight), self.concurrency_limit.limit)
        )

    def completed(self, timeout: float) -> Sequence[CompletedCall]:
        self.timeouts.append(timeout)
        end = self.clock.now + timeout
        self.clock.now = max(self.clock.now, min(end, self._in_flight[0][0]))
        ended = []
        while self._in_flight and self._in_flight[0][0] <= self.clock.now:
            _, _, name, label = heapq.heappop(self._in_flight)
            script = self.scripts.get(name)
            ended.append((label, script.pop(0) if script else PAGE))
        return ended

    def close(self) -> None:
        self.closed = True


class Stream:
    """Executor with all that they depend on; time begins at 100."""

    def __init__(
        self,
        concurrency_limit: ConcurrencyLimit | None = None,
        stop: Any = None,
        rate: RateLimit | None = None,
        **calls: Any,
    ) -> None:
        self.clock = Clock(100.0)
        self.concurrency_limit = concurrency_limit or ConcurrencyLimit(32)
        self.calls = ScriptedCalls(self.clock, self.concurrency_limit, **calls)
        self.monotonic = self.clock.monotonic
        self.jitter: Callable[[float, float], float] = lambda _low, high: high
        self.executor = Executor(
            self.calls,
            self.concurrency_limit,
            stop or self.clock,
            monotonic=self._read_clock,
            jitter=self._draw,
            rate_limit=rate,
        )

    def _read_clock(self) -> float:
        return self.monotonic()

    def _draw(self, low: float, high: float) -> float:
        return self.jitter(low, high)

    def start(
        self,
        *names: str,
        request_timeout: float = 30.0,
        retries: int = 3,
        deadline: float = 1000.0,
        label: object = None,
        max_calls: float = math.inf,
    ) -> Deadline:
        """Begin a task that asks for these; its label is its last one's name."""
        ends = Deadline(deadline)
        policy = RetryPolicy(request_timeout, retries, ends, max_calls)
        self.executor.start(task_for(*names), names[-1] if label is None else label, policy)
        return ends

    def all(self) -> dict[Any, Any]:
        """Return what each task came to, by its label, after all have ended."""
        outcomes: dict[Any, Any] = {}
        while ended := self.executor.completed():
            for label, outcome in ended:
                assert label not in outcomes
                outcomes[label] = outcome
        return outcomes

    def when(self, name: str) -> list[float]:
        """Return when the calls for this were begun."""
        return [begun.when for begun in self.calls.begun if begun.name == name]
