"""When a target's list of buckets is asked for, and what came of it last."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.watched import Discovery

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings
    from exporter.model import StoreError

RETRY_SECONDS = 60.0
"""A list that could not be had is asked for again after so long at most."""


class Finding:
    """One target's list of buckets. Times are of the monotonic clock; safe to use from many threads."""

    def __init__(self, refresh: float, find: Callable[[], tuple[BucketSettings, ...]], start: float) -> None:
        """Make it first due at `start`; `find` asks for the list. Raises what `find` raises."""
        self.find = find
        self._refresh = refresh
        self._due = start
        self._running = False
        self._lock = threading.Lock()
        self._state = Discovery()

    @property
    def state(self) -> Discovery:
        """What came of asking last."""
        return self._state

    def take(self, now: float) -> bool:
        """Whether the list is to be asked for now; then that counts as under way."""
        with self._lock:
            if self._running or now < self._due:
                return False
            self._running = True
            return True

    def succeed(self, now: float, wall: float) -> None:
        """Note that the list was had; `wall` is Unix seconds."""
        self._end(Discovery(success=True, last_success=wall), now + self._refresh)

    def fail(self, now: float, error: StoreError) -> bool:
        """Note that the list could not be had; returns whether that is news."""
        before = self._state
        failed = replace(before, success=False, reason=error.reason, message=str(error))
        self._end(failed, now + min(self._refresh, RETRY_SECONDS))
        return failed != before

    def give_up(self) -> None:
        """Note that asking was given up: the process ends, or the target is no longer watched."""
        self._end(self._state, self._due)

    def _end(self, state: Discovery, due: float) -> None:
        with self._lock:
            self._state, self._due, self._running = state, due, False
