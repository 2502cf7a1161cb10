"""Makes the calls of a scan on threads, for stores whose calls block: an SDK sends them."""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from exporter.model.errors import Reason, StoppingError, StoreError

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Part, Upload
    from exporter.stores.base import CompletedCall, Marker, Page, PageRequest

log = logging.getLogger(__name__)


class BlockingStore(Protocol):
    """A store whose calls return when the answer is there. They may be made from many threads at once.

    They send one request, no retries, before `deadline` (a reading of the monotonic clock), and raise
    StoreError where it failed or the answer did not prove itself, StoppingError where the process ends.
    """

    def list_uploads(self, bucket: BucketSettings, marker: Marker | None, deadline: float) -> Page[Upload]:
        """Return the page of the bucket's uploads that follows `marker`."""

    def list_parts(
        self, bucket: BucketSettings, upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        """Return the page of the upload's parts that follows `marker`; raises GoneError if it has ended."""


class ThreadedSession:
    """As many threads as there are calls in flight at once, each started when first needed."""

    def __init__(self, store: BlockingStore) -> None:
        """Make the calls of one scan of this store."""
        self._store = store
        self._todo: queue.SimpleQueue[tuple[PageRequest, float, object] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[object, Any]] = queue.SimpleQueue()
        self._threads = 0
        self._in_flight = 0
        self._closed = False

    def start(self, ask: PageRequest, deadline: float, label: object) -> None:
        """Hand a call to a thread."""
        self._in_flight += 1
        if self._threads < self._in_flight:
            self._threads += 1
            threading.Thread(target=self._work, name="calls", daemon=True).start()
        self._todo.put((ask, deadline, label))

    def answers(self, timeout: float) -> list[CompletedCall]:
        """Wait for the calls that end next, at most `timeout` seconds. Raises StoppingError."""
        done: list[CompletedCall] = []
        with suppress(queue.Empty):
            done.append(self._done.get(timeout=timeout))
            while True:
                done.append(self._done.get_nowait())
        self._in_flight -= len(done)
        for _, outcome in done:
            if isinstance(outcome, StoppingError):
                raise outcome
        return done

    def close(self) -> None:
        """Let the threads end once the call that each is at has ended; what waits is not sent."""
        self._closed = True
        for _ in range(self._threads):
            self._todo.put(None)

    def _work(self) -> None:
        while (job := self._todo.get()) is not None and not self._closed:
            ask, deadline, label = job
            self._done.put((label, self._outcome(ask, deadline)))

    def _outcome(self, ask: PageRequest, deadline: float) -> Page[Any] | StoreError | StoppingError:
        try:
            if ask.upload is None:
                return self._store.list_uploads(ask.bucket, ask.marker, deadline)
            return self._store.list_parts(ask.bucket, ask.upload, ask.marker, deadline)
        except (StoreError, StoppingError) as error:
            return error
        except Exception as error:  # a thread that dies would leave its call in flight for ever
            log.exception("a call failed unexpectedly")
            return StoreError(Reason.INTERNAL, f"unexpected {type(error).__name__}")
