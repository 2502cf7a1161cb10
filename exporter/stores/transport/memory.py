"""The memory that answers of stores may take: fixed amounts, shared by all targets, for which calls wait.

Whoever needs more than is left waits. So that nobody waits for ever, one lease of each budget at a time may
exceed it: its answer ends in time, and then the next one may. What holds such a lease has to need nothing
more of the same budget until it gives it back.
"""

from __future__ import annotations

import threading
from collections import deque

MIB = 1024 * 1024
MAX_BODY_BYTES = 8 * MIB
"""A larger body is refused, a listing aside; a page of 1,000 uploads with the longest keys has 3 MiB."""
FREE_BYTES = 64 * 1024
"""What each body may have at once, without asking for it."""


class Share:
    """What one target may have of a budget."""

    __slots__ = ("_budget", "held", "limit")

    def __init__(self, budget: Budget, limit: int) -> None:
        """Begin with nothing held; `limit` is bytes."""
        self._budget = budget
        self.limit = limit
        self.held = 0

    def lease(self) -> Lease:
        """Return a lease of nothing yet."""
        return Lease(self._budget, self)


class Budget:
    """A number of bytes that leases hold parts of. Safe to use from many threads."""

    def __init__(self, total: int) -> None:
        """`total` is bytes."""
        self.total = total
        self._lock = threading.Lock()
        self._held = 0
        self._exceeding: object = None
        # leases come back when they are no longer referred to: at any moment, also while the lock is held
        self._returned: deque[tuple[Share, int, object]] = deque()

    @property
    def held(self) -> int:
        """The bytes that are held."""
        with self._lock:
            self._take_back()
            return self._held

    def share(self, limit: int | None = None) -> Share:
        """Return a share of at most `limit` bytes, None: of all."""
        return Share(self, self.total if limit is None else limit)

    def grow(self, share: Share, size: int, token: object) -> bool:
        """Give `size` bytes more to the lease of this `token`; false where it has to wait."""
        with self._lock:
            self._take_back()
            if self._held + size > self.total or share.held + size > share.limit:
                if self._exceeding not in (None, token):
                    return False
                self._exceeding = token
            self._held += size
            share.held += size
            return True

    def give_back(self, share: Share, size: int, token: object) -> None:
        """Take back all that a lease held."""
        self._returned.append((share, size, token))

    def _take_back(self) -> None:
        while self._returned:
            share, size, token = self._returned.popleft()
            self._held -= size
            share.held -= size
            if token is self._exceeding:
                self._exceeding = None


class Lease:
    """What one answer holds of a share, until nothing refers to it any more. For one thread at a time."""

    __slots__ = ("_budget", "_share", "_token", "size")

    def __init__(self, budget: Budget, share: Share) -> None:
        """Begin with nothing held."""
        self._budget = budget
        self._share = share
        self._token = object()
        self.size = 0
        """Bytes held."""

    def grow(self, size: int) -> bool:
        """Hold `size` bytes more; false where these are to be waited for."""
        if not self._budget.grow(self._share, size, self._token):
            return False
        self.size += size
        return True

    def __del__(self) -> None:
        """Give back what is held."""
        if self.size:
            self._budget.give_back(self._share, self.size, self._token)


class TargetMemory:
    """The shares of one target, for each of the ways in which answers come."""

    __slots__ = ("blocking", "listings", "multi")

    def __init__(self) -> None:
        """Take them of the process's budgets."""
        self.multi = MULTI_BODIES.share(16 * MIB)
        self.blocking = BLOCKING_BODIES.share()
        self.listings = LISTINGS.share()


MULTI_BODIES = Budget(32 * MIB)
"""Bodies of calls that one thread has many of in flight, as far as received, until they are read."""
BLOCKING_BODIES = Budget(16 * MIB)
"""Those of calls that block a thread: apart, as a thread that has many in flight makes such a call, too."""
LISTINGS = Budget(48 * MIB)
"""Large listings, packed, until all of their uploads are handed on."""
READING = Budget(48 * MIB)
"""Trees of documents, and texts of large pages, while they are read."""
