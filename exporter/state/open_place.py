"""Notices that the open state file was removed or replaced, and writes it anew.

The system keeps a removed file for whoever has it open: without this, all goes well until the process ends,
and then everything is lost.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.state.sqlite_file import move_aside, open_file, told
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.state.file_lock import FileLock

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 60.0
"""Time after a first attempt at writing the file anew before there is another; it doubles each time."""
_ENDINGS = ("", "-wal")
_IN_USE = BlockingIOError(errno.EWOULDBLOCK, "another process uses it now")


class OpenPlace:
    """The place of the open state file, and of its log. Used by one thread at a time."""

    def __init__(self, path: Path, lock: FileLock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make it; nothing is open yet."""
        self._path = path
        self._lock = lock
        self._monotonic = monotonic
        self._known: dict[str, tuple[int, int]] = {}
        self._pause = FIRST_PAUSE_SECONDS
        self._next_attempt = float("-inf")

    def note(self) -> None:
        """Note which files have been opened."""
        found = {end: _identity(f"{self._path}{end}") for end in _ENDINGS}
        self._known = {end: identity for end, identity in found.items() if identity}

    def forget(self) -> None:
        """Note that no file is open."""
        self._known = {}

    def is_lost(self, *, at_end: bool = False) -> bool:
        """Whether an open file, or the lock, is no longer in its place; after an attempt, only `at_end`."""
        if not self._known or (self._monotonic() < self._next_attempt and not at_end):
            return False
        with suppress(OSError):  # whoever cannot look knows nothing
            return not (self._lock.is_in_place() and self._has_files())
        return False

    def write_anew(self, connection: sqlite3.Connection, salt: bytes) -> sqlite3.Connection | None:
        """Write all that an open database holds to a new file in its place, and open that.

        None where that is not needed, as only the lock was lost, or fails: there is a warning, and
        `connection` can still be used.
        """
        self._next_attempt = self._monotonic() + self._pause
        self._pause *= 2
        fields: dict[str, object] = {"path": str(self._path)}
        try:
            if not self._lock.renew():
                raise _IN_USE
            if self._has_files():
                log.warning(
                    "the lock of the state file was removed: it is taken anew", extra={"fields": fields}
                )
                return None
            fields["aside"] = self._copy(connection) or None
            opened = open_file(self._path, salt)
        except (OSError, sqlite3.Error) as error:
            text = "the state file was removed or replaced: what is remembered ends with this process"
            reason = because(error) if isinstance(error, OSError) else told(error)
            log.warning(text, extra={"fields": fields | {"error": reason}})
            return None
        self.note()
        text = "the state file was removed or replaced while in use: it is written anew, and nothing is lost"
        log.warning(text, extra={"fields": fields})
        return opened

    def _has_files(self) -> bool:
        return all(_identity(f"{self._path}{end}") == identity for end, identity in self._known.items())

    def _copy(self, connection: sqlite3.Connection) -> str:
        """Put a copy in the file's place; return the new name of another file that was there, or ''."""
        copy = f"{self._path}.new"
        _remove(copy)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            if connection.in_transaction:  # that of a BEGIN, or of a ROLLBACK, that failed
                connection.execute("ROLLBACK")
            connection.execute("VACUUM INTO ?", (copy,))
            for end, identity in self._known.items():
                if _identity(f"{self._path}{end}") == identity:  # its content is in the copy
                    _remove(f"{self._path}{end}")
            aside = move_aside(self._path)
            os.rename(copy, self._path)  # noqa: PTH104 - names with endings are no paths
        except BaseException:
            _remove(copy)
            raise
        return aside


def _identity(file: str) -> tuple[int, int] | None:
    """Return which file has a name, None where none has. Raises OSError where nobody can tell."""
    try:
        found = os.stat(file)  # noqa: PTH116 - names with endings are no paths
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _remove(file: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(file)  # noqa: PTH108 - names with endings are no paths
