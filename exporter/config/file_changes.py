"""Which files have changed: config files, compared by content, and secrets, compared by `stat`.

A secret is read for each signature, so that reading its content each time would cost too much.
"""

from __future__ import annotations

import time
from errno import EINVAL
from stat import S_ISREG
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LOOK_SECONDS = 1.0
"""Time between two looks at watched files."""

CLOCK_STEP_SECONDS = 2.0
"""A file changed less than this ago is not cached: a second change may have the same timestamp."""


class ChangedFiles:
    """A watched file and the files that it names; links are followed, so that a swapped link is a change."""

    def __init__(self, file: Path, list_named: Callable[[], Iterable[Path]] = tuple) -> None:
        """Take the present contents as used. `list_named` is called again whenever `file` has changed."""
        self._file = file
        self._list_named = list_named
        self._listed_for = b""
        self._named: tuple[Path, ...] = ()
        self._used = self._seen = self._digests()

    def look(self) -> bool:
        """Return, once per change, whether the contents differ from those in use.

        They must be equal at two looks in a row, so that a file that is being written is not used.
        """
        before, self._seen = self._seen, self._digests()
        if not before == self._seen != self._used:
            return False
        self._used = self._seen
        return True

    def mark_used(self) -> None:
        """Take the present contents as used; call it before they are read."""
        self._used = self._digests()

    def _digests(self) -> tuple[bytes, ...]:
        digest = _digest(self._file)
        if digest != self._listed_for:
            self._listed_for, self._named = digest, tuple(self._list_named())
        return (digest, *map(_digest, self._named))


class CachedFile:
    """The text of a file, read again where the file may have changed since."""

    def __init__(self, file: Path) -> None:
        """Read nothing yet."""
        self._file = file
        self._known: tuple[tuple[int, ...], str] | None = None

    def read(self) -> str:
        """Return the text without white space around it. Raises OSError where the file cannot be read."""
        found = self._file.stat()
        if not S_ISREG(found.st_mode):  # reading a FIFO would wait for a writer
            raise OSError(EINVAL, "is not a regular file", str(self._file))
        version = (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)
        known = self._known
        if known and known[0] == version:
            return known[1]
        text = self._file.read_text(encoding="utf-8").strip()
        settled = time.time() - found.st_ctime > CLOCK_STEP_SECONDS
        self._known = (version, text) if settled else None
        return text


def _digest(path: Path) -> bytes:
    """Return a digest of the content; of what is not a file or cannot be read, one of the reason."""
    from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL; only reloading needs it

    try:
        return sha256(path.read_bytes()).digest() if path.is_file() else b"no file"
    except OSError as error:
        return repr(error.errno).encode()
