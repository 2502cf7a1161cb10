"""The time that a scan has for work of its own: what takes long looks at it now and then.

Calls have deadlines; reading what they answered has none: a page may hold two million uploads.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoppingError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.stores.engine.retry import Stop


class _Limit(NamedTuple):
    deadline: float
    monotonic: Callable[[], float]
    stop: Stop


_limit: ContextVar[_Limit | None] = ContextVar("limit", default=None)


@contextmanager
def time_limit(deadline: float, monotonic: Callable[[], float], stop: Stop) -> Iterator[None]:
    """Limit the work in this block: until `deadline` (a reading of `monotonic`), and until `stop` is set.

    Threads that are started in it have the limit where they run in a copy of its context.
    """
    token = _limit.set(_Limit(deadline, monotonic, stop))
    try:
        yield
    finally:
        _limit.reset(token)


def check_time(operation: str) -> None:
    """Raise StoppingError at a stop, StoreError (timeout) where the time is over; without a limit nothing."""
    limit = _limit.get()
    if limit is None:
        return
    if limit.stop.is_set():
        raise StoppingError
    if limit.monotonic() >= limit.deadline:
        what = "scan.timeout was over before the answer was read; allow more time"
        raise StoreError(Reason.TIMEOUT, f"{operation}: {what}")
