"""Throttling and success in, how many calls a bucket may have in flight out.

Additive increase, multiplicative decrease, as TCP does it for segments: RFC 5681, section 3.1 (half at
congestion, one more for every window that came through) and 4.3 (losses of one window are one indication).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _nothing() -> None:
    """Tell nobody."""


class ConcurrencyLimit:
    """How many calls a bucket may have in flight: halved where the store throttles, restored by success.

    `limit` is what is allowed now, from 1 to `most`. A call notes `epoch` when it begins, and gives it back
    if it was throttled. Used by one thread at a time.
    """

    __slots__ = ("_halved", "_most", "_restored", "_successes", "epoch", "limit")

    def __init__(
        self, most: int, *, halved: Callable[[], None] = _nothing, restored: Callable[[], None] = _nothing
    ) -> None:
        """Allow `most` calls; `halved` is called at a halving, `restored` once `most` are allowed again."""
        self.limit = most
        self.epoch = 0
        self._most = most
        self._halved = halved
        self._restored = restored
        self._successes = 0

    def throttled(self, epoch: int) -> None:
        """Halve what is allowed, unless the call began before the last halving: that was for it, too."""
        if epoch < self.epoch:
            return
        self.epoch += 1
        self._successes = 0
        if self.limit > 1:
            self.limit //= 2
            self._halved()

    def succeeded(self) -> None:
        """Count a call that was not throttled: after `limit` of them one more is allowed."""
        if self.limit == self._most:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._allow_one_more()

    def _allow_one_more(self) -> None:
        self._successes = 0
        self.limit += 1
        if self.limit == self._most:
            self._restored()
