"""A lock file for one process at a time; the system releases it when its holder ends, however that happens.

SQLite's own lock is not enough: a file that is no database cannot be locked by it, but has to be set aside.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """A lock on a file of its own, beside the file that it protects."""

    def __init__(self, path: Path) -> None:
        """Make it without taking the lock."""
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

    def is_in_place(self) -> bool:
        """Whether the file that is locked still has its name: else another process can lock one there.

        Raises OSError where nobody can tell.
        """
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return self._descriptor is not None and os.path.samestat(found, os.fstat(self._descriptor))

    def renew(self) -> bool:
        """Take the lock on what has its file's name now; false where another process has it, or OSError."""
        before = self._descriptor
        if self.is_in_place():
            return True
        if not self.acquire():
            return False
        if before is not None:
            os.close(before)
        return True

    def release(self) -> None:
        """Release the lock if it is held; its file stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
