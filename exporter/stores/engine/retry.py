"""One call, tried again as any call is; it holds its thread meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exporter.model.errors import StoppingError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable


from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")


def retried(
    ask: Callable[[float], T],
    patience: RetryPolicy,
    stop: Stop,
    monotonic: Callable[[], float],
    jitter: Callable[[float, float], float],
) -> T:
    """Return what `ask` does, which is given each try's deadline.

    Raises StoreError where it fails for good or for too long, StoppingError where `stop` is set meanwhile.
    """
    tries = 0
    while True:
        try:
            return ask(min(patience.deadline, monotonic() + patience.request_timeout))
        except StoreError as error:
            pause = pause_before(error, tries, jitter)
            late = monotonic() + pause >= patience.deadline
            if not error.retryable or tries >= patience.retries or late:
                raise
        if stop.wait(pause):
            raise StoppingError
        tries += 1


BACKOFF_BASE_SECONDS = 0.5

BACKOFF_CAP_SECONDS = 20.0


class Stop(Protocol):
    """What says that the process is ending: a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether it is."""

    def wait(self, timeout: float) -> bool:
        """Wait for it, at most so many seconds; returns whether it is."""


@dataclass(slots=True)
class RetryPolicy:
    """How long a call may take, and how often it is tried again; none outlasts `deadline`.

    Seconds; `deadline` is a reading of the monotonic clock, and may be moved while calls are made. Once the
    driver is committed to `most_calls`, none is tried again.
    """

    request_timeout: float
    retries: int
    deadline: float
    most_calls: float = math.inf


def pause_before(error: StoreError, tries: int, jitter: Callable[[float, float], float]) -> float:
    """Return the seconds to wait before the next try: full jitter, but what the server asked for at least.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    drawn = jitter(0.0, min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**tries))
    return max(drawn, error.retry_after or 0.0)
