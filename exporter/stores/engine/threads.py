"""Makes the calls of a scan on threads, for stores whose calls block."""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.model.scarcity import TOO_LITTLE
from exporter.stores.base import ListingStart

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Part, Upload
    from exporter.stores.base import CompletedCall, Marker, Page, PageRequest

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.1


class BlockingStore(Protocol):
    """A store whose calls block until the answer is there. Safe to use from many threads.

    A call is one request, without retries, that ends before `deadline` (a reading of the monotonic clock).
    It raises StoreError where it failed or the answer did not prove itself, StoppingError at a stop.
    """

    def list_uploads(
        self, bucket: BucketSettings, marker: Marker | None, deadline: float, **options: bool
    ) -> Page[Upload]:
        """Return the page of the bucket's uploads after `marker`.

        `options` are `by_name` and `encoded` of PageRequest, where true.
        """

    def list_parts(
        self, bucket: BucketSettings, upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        """Return the page of the upload's parts after `marker`; raises GoneError if the upload has ended."""


class ThreadedSession:
    """Makes each call on a thread of its own pool, which grows to the number of calls in flight."""

    listing_start = ListingStart.NOTHING
    """So it is for directory buckets and Glacier, whose markers mean nothing but to the store."""

    def __init__(self, store: BlockingStore) -> None:
        """Make a session for one scan; threads start when first needed."""
        self._store = store
        self._queued: queue.SimpleQueue[tuple[PageRequest, float, object] | None] = queue.SimpleQueue()
        self._completed: queue.SimpleQueue[tuple[object, Any]] = queue.SimpleQueue()
        self._threads = 0
        self._in_flight = 0
        self._closed = False

    def start(self, request: PageRequest, deadline: float, label: object) -> None:
        """Hand a call to a thread."""
        self._in_flight += 1
        if self._threads < self._in_flight:
            self._start_thread()
        self._queued.put((request, deadline, label))

    def _start_thread(self) -> None:
        """Start one more; raises RuntimeError or MemoryError where there is none, and no other to go on."""
        try:
            threading.Thread(target=copy_context().run, args=(self._work,), name="calls", daemon=True).start()
        except (RuntimeError, MemoryError):
            if not self._threads:
                raise
        else:
            self._threads += 1

    def completed(self, timeout: float) -> list[CompletedCall]:
        """Return the calls that end next, after at most `timeout` seconds. Raises StoppingError."""
        completed: list[tuple[object, Any]] = []
        with suppress(queue.Empty):
            completed.append(self._completed.get(timeout=timeout))
            while True:
                completed.append(self._completed.get_nowait())
        self._in_flight -= len(completed)
        for _, outcome in completed:
            if isinstance(outcome, StoppingError):
                raise outcome
        return [(label, outcome or StoreError(Reason.INTERNAL, TOO_LITTLE)) for label, outcome in completed]

    def close(self) -> None:
        """End each thread after its present call; queued calls are not sent."""
        self._closed = True
        for _ in range(self._threads):
            self._queued.put(None)

    def _work(self) -> None:
        while (call := self._queued.get()) is not None and not self._closed:
            request, deadline, label = call
            outcome: Page[Any] | StoreError | StoppingError | None = None
            # a thread that dies would leave its call in flight for ever; where memory lacks, handling that
            # fails as well
            with suppress(BaseException):
                outcome = self._outcome(request, deadline)
            self._put(label, outcome)

    def _put(self, label: object, outcome: Page[Any] | StoreError | StoppingError | None) -> None:
        """Hand an outcome to the thread of the scan, once there is memory for that."""
        while not self._closed:
            try:
                self._completed.put((label, outcome))
            except MemoryError:
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _outcome(self, request: PageRequest, deadline: float) -> Page[Any] | StoreError | StoppingError:
        try:
            if request.upload is None:
                options = {name: True for name in ("by_name", "encoded") if getattr(request, name)}
                return self._store.list_uploads(request.bucket, request.marker, deadline, **options)
            return self._store.list_parts(request.bucket, request.upload, request.marker, deadline)
        except StoreError as error:
            return error.detached()
        except StoppingError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave its call in flight for ever
            return StoreError.unexpected(error, log, "a call failed unexpectedly")
