"""Maximum number of requests per second to one target, all its scans together."""

from __future__ import annotations

import threading


class RateLimit:
    """Reserves evenly spaced moments for requests. Safe to use from many threads.

    There are no bursts: after an idle hour requests are spaced as before.
    """

    def __init__(self, per_second: float) -> None:
        """Allow `per_second` requests a second."""
        self.per_second = per_second
        self._interval = 1.0 / per_second
        self._lock = threading.Lock()
        self._next = float("-inf")

    def reserve(self, now: float) -> float:
        """Return the moment of the next request, not before `now` (seconds of the monotonic clock)."""
        with self._lock:
            moment = max(now, self._next)
            self._next = moment + self._interval
            return moment
