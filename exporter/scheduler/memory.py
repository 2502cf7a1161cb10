"""Gives memory back that scans and responses have freed."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_PAUSE_SECONDS = 60.0
"""Time between two returns: each takes a millisecond or more, and the next scan takes the memory again."""

LARGE_BYTES = 2**19
"""Size of a block that is asked for of the system, and goes back to it, by itself."""
_M_MMAP_THRESHOLD = -3
"""Of mallopt(3), as in malloc.h."""


def system_trim() -> Callable[[int], object] | None:
    """Return glibc's malloc_trim, None where the C library has none.

    By itself glibc keeps what was freed below the last block in use: 2 to 5 MiB after a scan.
    """
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def return_large_blocks() -> None:
    """Have glibc give blocks of over LARGE_BYTES back to the system when they are freed.

    By itself it raises that bound with each such block that is freed, up to 32 MiB: many responses of some
    MiB to clients that do not read them left five times their size in holes between what was in use.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        set_option(_M_MMAP_THRESHOLD, LARGE_BYTES)


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
