"""One call, tried again as any call is; it holds its thread meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from exporter.model import StoppingError, StoreError
from exporter.stores.flows import pause_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.flows import Patience, Stop

T = TypeVar("T")


def retried(
    ask: Callable[[float], T],
    patience: Patience,
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
