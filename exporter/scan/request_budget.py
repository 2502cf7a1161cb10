"""Request budget of one pass over a bucket: scan.max_requests and scan.requests_per_second."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import ScanSettings
    from exporter.stores.engine.executor import Executor
    from exporter.stores.engine.retry import Deadline

OVERSIZED_SHARE = 4
"""An upload that needs more calls than the whole budget starts while 1/4 of the budget is free."""


class RequestBudget:
    """Decides how many calls about parts a pass may still make. The listing itself is never limited."""

    def __init__(
        self, settings: ScanSettings, executor: Executor, deadline: Deadline, monotonic: Callable[[], float]
    ) -> None:
        """Make it of the settings; `deadline` is that of calls about parts, and may be moved."""
        self._settings = settings
        self._executor = executor
        self._deadline = deadline
        self._monotonic = monotonic
        self._reserved = 0
        self._listing_calls: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether the settings limit requests at all."""
        return self._settings.max_requests is not None or self._settings.requests_per_second is not None

    def max_uploads(self, *, listed: bool) -> int:
        """Return the maximum number of uploads that can be asked about.

        `listed` is true once the last page of the listing is here.
        """
        limits = [sys.maxsize]
        if self._settings.max_requests is not None:
            limits.append(self._settings.max_requests - self._executor.committed - (not listed))
        if self._settings.requests_per_second is not None:
            seconds = min(self._settings.interval, self._deadline.at - self._monotonic())
            limits.append(int(self._settings.requests_per_second * seconds))
        return max(0, min(limits))

    def end_listing(self) -> None:
        """Note that the last page is here: from now on all calls are about parts."""
        if self._listing_calls is None:
            self._listing_calls = self._executor.committed

    def reserve(self, calls: int) -> bool:
        """Reserve the calls that an upload needs, of which the first is sent at once; false without room.

        One that needs more than the whole budget would wait for ever: for it a share of the budget is enough.
        """
        limit = self._settings.max_requests
        if limit is not None:
            room = max(0, limit - (self._listing_calls or 0))
            needed = calls if calls <= room else max(1, room // OVERSIZED_SHARE)
            if self._executor.committed + self._reserved + needed > limit:
                return False
        self._reserved += calls - 1
        return True

    def release(self, calls: int) -> None:
        """Give back what `reserve` reserved, once the upload has been asked about."""
        self._reserved -= calls - 1
