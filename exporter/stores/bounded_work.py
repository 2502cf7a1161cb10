"""Work that may hang: done on a thread of its own, and waited for until a deadline."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from exporter.model.errors import StoppingError

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_CHECK_SECONDS = 0.1

T = TypeVar("T")


class BoundedWork(Generic[T]):
    """Does one piece of work at a time; who asks meanwhile waits for the same outcome.

    Work that hangs keeps its one thread: no other is started until it has ended. Safe to use from many
    threads.
    """

    def __init__(self, stop: threading.Event) -> None:
        """Once `stop` is set, nobody waits any longer."""
        self._stop = stop
        self._lock = threading.Lock()
        self._running: _Run[T] | None = None

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        return self._running is not None

    def run(self, work: Callable[[], T], deadline: float) -> T:
        """Return what `work`, or the work that is under way, returns before `deadline` (monotonic clock).

        Raises what it raises, TimeoutError, StoppingError, and RuntimeError where no thread can be started.
        """
        running = self._begin(work)
        while not running.done.wait(max(0.0, min(STOP_CHECK_SECONDS, deadline - time.monotonic()))):
            if self._stop.is_set():
                raise StoppingError
            if time.monotonic() >= deadline:
                raise TimeoutError
        if running.error is not None:
            raise running.error
        (outcome,) = running.outcome
        return outcome

    def _begin(self, work: Callable[[], T]) -> _Run[T]:
        with self._lock:
            if self._running is None:
                running: _Run[T] = _Run()
                threading.Thread(
                    target=self._do, args=(running, work), name="credentials", daemon=True
                ).start()
                self._running = running
            return self._running

    def _do(self, running: _Run[T], work: Callable[[], T]) -> None:
        try:
            running.outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by those who wait
            running.error = error
        finally:
            with self._lock:
                self._running = None
            running.done.set()


class _Run(Generic[T]):
    """One piece of work, and what it came to."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.outcome: list[T] = []
        self.error: BaseException | None = None
