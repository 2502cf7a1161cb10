"""How many requests a second a target may be sent, by all its scans together."""

from __future__ import annotations

import threading


class RateLimit:
    """Hands out moments, evenly spaced. Safe to use from many threads.

    Nothing is saved up: a target that was not asked for an hour is asked no faster for it.
    """

    def __init__(self, per_second: float) -> None:
        """Allow so many requests a second."""
        self.per_second = per_second
        self._gap = 1.0 / per_second
        self._lock = threading.Lock()
        self._next = float("-inf")

    def reserve(self, now: float) -> float:
        """Return the moment of the next request, not before `now` (seconds of the monotonic clock)."""
        with self._lock:
            moment = max(now, self._next)
            self._next = moment + self._gap
            return moment
