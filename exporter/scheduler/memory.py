"""Gives memory back that scans have freed."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_PAUSE_SECONDS = 60.0
"""Time between two returns: each takes a millisecond or more, and the next scan takes the memory again."""


def system_trim() -> Callable[[int], object] | None:
    """Return glibc's malloc_trim, None where the C library has none.

    By itself glibc keeps what was freed below the last block in use: 2 to 5 MiB after a scan.
    """
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


class FreedMemory:
    """Returns freed memory to the system, now and then. Safe to use from many threads."""

    def __init__(
        self, trim: Callable[[int], object] | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`trim` is that of `system_trim`."""
        self._trim = trim
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._due = monotonic()

    def give_back(self) -> None:
        """Return what is free, unless that was done within the last minute."""
        with self._lock:
            now = self._monotonic()
            if self._trim is None or now < self._due:
                return
            self._due = now + MIN_PAUSE_SECONDS
        self._trim(0)
