"""Sizes uploads many at a time, streaming: uploads in, what became of each out, in any order."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from exporter.model import PartTotals, Reason, StoppingError, StoreError, Upload

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

Sized = tuple[Upload, PartTotals | StoreError | StoppingError]


class Sizer:
    """A few threads that ask for the parts of uploads; holds no more uploads than are in flight.

    Used by one thread: `put` hands an upload in, `get` waits for one that is done.
    """

    def __init__(self, size: Callable[[Upload], PartTotals], concurrency: int) -> None:
        """Make a sizer of at most `concurrency` threads, each started when first needed."""
        self._size = size
        self._concurrency = concurrency
        self._todo: queue.SimpleQueue[Upload | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Sized] = queue.SimpleQueue()
        self._threads = 0
        self.in_flight = 0

    @property
    def full(self) -> bool:
        """Whether an upload must come out before the next goes in."""
        return self.in_flight >= self._concurrency

    def put(self, upload: Upload) -> None:
        """Hand in an upload."""
        self.in_flight += 1
        if self._threads < self.in_flight:
            self._threads += 1
            threading.Thread(target=self._work, name="sizing", daemon=True).start()
        self._todo.put(upload)

    def get(self) -> Sized:
        """Return an upload with its totals, or with what went wrong; waits for one."""
        sized = self._done.get()
        self.in_flight -= 1
        return sized

    def close(self) -> None:
        """Let the threads end once they have done what is in flight."""
        for _ in range(self._threads):
            self._todo.put(None)
        self._threads = 0

    def _work(self) -> None:
        while (upload := self._todo.get()) is not None:
            self._done.put((upload, self._outcome(upload)))

    def _outcome(self, upload: Upload) -> PartTotals | StoreError | StoppingError:
        try:
            return self._size(upload)
        except (StoreError, StoppingError) as error:
            return error
        except Exception as error:  # a thread that dies would leave its upload in flight for ever
            log.exception("sizing an upload failed unexpectedly")
            return StoreError(Reason.INTERNAL, f"unexpected {type(error).__name__}")
