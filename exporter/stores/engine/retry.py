"""When and how long a failed call waits before it is tried again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model.errors import StoreError

BACKOFF_BASE_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 20.0


class Stop(Protocol):
    """Says that the process is ending: a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether it is."""

    def wait(self, timeout: float) -> bool:
        """Wait for it for at most `timeout` seconds; returns whether it is set."""


@dataclass(slots=True, eq=False)
class Deadline:
    """A reading of the monotonic clock that ends calls. Its owner may move it while they are under way."""

    at: float


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeout in seconds of one attempt, and maximum number of retries; none of them outlasts `deadline`.

    Once an executor is committed to `max_calls` calls, no call is tried again.
    """

    request_timeout: float
    retries: int
    deadline: Deadline
    max_calls: float = math.inf


def pause_before(error: StoreError, tries: int, jitter: Callable[[float, float], float]) -> float:
    """Return the seconds to wait before the next try: full jitter, but what the server asked for at least.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    drawn = jitter(0.0, min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**tries))
    return max(drawn, error.retry_after or 0.0)
