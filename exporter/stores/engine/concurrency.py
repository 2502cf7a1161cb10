"""How many calls about one bucket may be in flight, by whether the store throttles.

Additive increase, multiplicative decrease, as TCP does it for segments: RFC 5681, section 3.1 (half at
congestion, one more for every window that came through) and 4.3 (losses of one window are one indication).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _ignore() -> None:
    """Do nothing."""


class ConcurrencyLimit:
    """Maximum number of calls in flight about a bucket: halved by throttling, restored by successes.

    `limit` is the present one, from 1 to `maximum`. A caller notes `epoch` when a call begins, and passes it
    to `throttled` if that call was throttled. For one thread at a time.
    """

    __slots__ = ("_halved", "_maximum", "_restored", "_successes", "epoch", "limit")

    def __init__(
        self,
        maximum: int,
        *,
        halved: Callable[[], None] = _ignore,
        restored: Callable[[], None] = _ignore,
    ) -> None:
        """Start at `maximum`; `halved` is called at a halving, `restored` when it is back at `maximum`."""
        self.limit = maximum
        self.epoch = 0
        self._maximum = maximum
        self._halved = halved
        self._restored = restored
        self._successes = 0

    def throttled(self, epoch: int) -> None:
        """Halve the limit, unless the call began before the last halving, which answered this one too."""
        if epoch < self.epoch:
            return
        self.epoch += 1
        self._successes = 0
        if self.limit > 1:
            self.limit //= 2
            self._halved()

    def succeeded(self) -> None:
        """Count a call that was not throttled; after `limit` of them the limit grows by one."""
        if self.limit == self._maximum:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._grow()

    def _grow(self) -> None:
        self._successes = 0
        self.limit += 1
        if self.limit == self._maximum:
            self._restored()
