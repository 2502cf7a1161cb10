"""One process at a time: a lock that the system takes back when its holder ends, however that happens.

SQLite's own lock would not do: what is no database cannot be locked by it, and has to be set aside.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """A lock on a file of its own beside the one that it guards."""

    def __init__(self, path: Path) -> None:
        """Make a lock that nobody holds yet."""
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if no other process has it. Raises OSError where its file cannot be made."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back, if it is held; its file stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
