"""The SQLite database of all ledgers, in a file or in memory."""

from __future__ import annotations

import errno
import json
import logging
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from exporter.state.chunk_cache import ChunkMemory
from exporter.state.erasure import FIND_NAMES, delete_names
from exporter.state.file_lock import FileLock
from exporter.state.open_place import OpenPlace
from exporter.state.place import explain, find_problem
from exporter.state.sqlite_file import in_memory, is_broken, is_busy, open_file, set_aside, told
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_SECONDS = 60.0
"""How long another process may hold the file: a rolling update starts one before it ends the other."""
MAX_NAMES = 100_000
"""Number of a bucket's uploads whose keys and ids are kept, unless another is given."""
_RETRY_SECONDS = 0.2
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class StateError(Exception):
    """The state file cannot be used; the text says why, and what to do."""


class BucketName(NamedTuple):
    """The identity of a bucket in the database: buckets of different stores or accounts never share one."""

    target: str
    store: str
    endpoint_url: str
    account_id: str
    bucket: str


class StateDatabase:
    """The database. Safe to use from many threads; each use is short, one transaction at most.

    Errors of the file do not fail a scan: callers keep in memory what could not be written, and a damaged
    file is set aside and replaced by a new one.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        max_names: int = MAX_NAMES,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """Make it; without a path it is in memory and open at once. `on_failure` is called at each error."""
        self.path = path
        self.max_names = max_names
        """Maximum number of a bucket's uploads whose keys and ids are kept; may be changed at any time."""
        self.salt = b""
        """The key of the hash that row ids are made with: without the file, an id reveals nothing."""
        self.epoch = 0
        """Is raised where rows may have been lost: at each failure, and where the database is another one."""
        self.unread = 0
        """How often rows that may be there were not returned: a query failed, or they were set aside."""
        self.chunk_memory = ChunkMemory()
        """Where chunks of the buckets' listings are kept between scans."""
        self._on_failure = on_failure
        self.lock = threading.RLock()
        """Held while a bucket's number is used: in a new file the number may be that of another bucket."""
        self._file_lock = FileLock(path.with_name(f"{path.name}.lock")) if path else None
        self._place = OpenPlace(path, self._file_lock) if path and self._file_lock else None
        self._numbers: dict[BucketName, int] = {}
        self._failing = self._opened_again = False
        self._connection: sqlite3.Connection | None = None
        if path is None:
            self._use(in_memory())

    def open(
        self,
        stop: threading.Event,
        *,
        wait: float = WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> bool:
        """Open the file, waiting for another process that uses it; false if `stop` is set meanwhile.

        Raises StateError if the file is still in use after `wait` seconds, or its folder cannot be used. If
        the disk is full, the database is in memory, and a warning is logged.
        """
        if self.path is None:
            return True
        deadline, warned = monotonic() + wait, False
        while not self._open(self.path):
            if monotonic() >= deadline:
                text = f"state.path: {self.path} is used by another process: each needs a file of its own"
                raise StateError(text)
            if not warned:
                warned = True
                text = "the state file is used by another process: waiting for it"
                log.warning(text, extra={"fields": {"path": str(self.path), "seconds": wait}})
            if stop.wait(_RETRY_SECONDS):
                return False
        if not self.max_names and any(map(self.read, FIND_NAMES)):
            self.write(delete_names)
        return True

    def close(self) -> None:
        """Close the file and let other processes use it."""
        with self.lock:
            self.keep_in_place(at_end=True)
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._file_lock:
                self._file_lock.release()

    def keep_in_place(self, *, at_end: bool = False) -> None:
        """Write all to a new file where the open one was removed or replaced; to be called now and then."""
        with self.lock:
            place, connection = self._place, self._connection
            if place is None or connection is None or not place.is_lost(at_end=at_end):
                return
            self._on_failure()
            if opened := place.write_anew(connection, self.salt):
                connection.close()
                self._use(opened)

    def keep_only(self, names: Iterable[BucketName]) -> None:
        """Delete all buckets but these."""
        kept = {_text(name) for name in names}

        def forget(connection: sqlite3.Connection) -> None:
            known = connection.execute("SELECT number, name FROM buckets").fetchall()
            gone = [(number,) for number, name in known if name not in kept]
            blocks = "SELECT number FROM name_blocks WHERE bucket = ?"
            connection.executemany(f"DELETE FROM names WHERE number IN ({blocks})", gone)  # noqa: S608
            connection.executemany("DELETE FROM name_blocks WHERE bucket = ?", gone)
            connection.executemany("DELETE FROM uploads WHERE bucket = ?", gone)
            connection.executemany("DELETE FROM buckets WHERE number = ?", gone)

        with self.lock:
            self.write(forget)
            self._numbers.clear()

    def bucket_names(self) -> list[BucketName]:
        """Return the names of all buckets in the database."""
        texts = [text for (text,) in self.read("SELECT name FROM buckets")]
        return [BucketName(*json.loads(str(text))) for text in texts]

    def bucket_number(self, name: BucketName) -> int | None:
        """Return a bucket's number in the tables, and add the bucket if it is new; None on failure."""
        with self.lock:
            if name not in self._numbers:
                number = self._find_number(_text(name))
                if number is None:
                    return None
                self._numbers[name] = number
            return self._numbers[name]

    def _find_number(self, text: str) -> int | None:
        find, add = "SELECT number FROM buckets WHERE name = ?", "INSERT INTO buckets (name) VALUES (?)"
        unread, rows = self.unread, self.read(find, (text,))
        if not rows and unread == self.unread:
            added = self.write(lambda connection: connection.execute(add, (text,)))
            rows = self.read(find, (text,)) if added else []
        return int(rows[0][0]) if rows else None  # type: ignore[call-overload]

    def read(self, sql: str, values: Iterable[object] = ()) -> list[tuple[object, ...]]:
        """Return the rows of a query; [] if it fails, as if nothing had been stored."""
        rows = self._attempt(lambda connection: connection.execute(sql, tuple(values)).fetchall())
        self.unread += rows is None
        return [] if rows is None else rows

    def write(self, work: Callable[[sqlite3.Connection], object]) -> bool:
        """Do the work in a transaction of its own; false, with all of it rolled back, if that fails."""

        def transaction(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            try:
                work(connection)
                connection.execute("COMMIT")
            except BaseException:
                _end_transaction(connection)
                raise
            return True

        with self.lock:
            done = self._attempt(transaction) is True
            if done and self._failing:
                self._failing = False
                log.info("the state file can be used again", extra={"fields": self._fields()})
            return done

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        with self.lock:
            if self._connection is None:
                return None  # closed, or not open yet: the process is ending or starting
            try:
                _end_transaction(self._connection)  # that of a BEGIN, or of a ROLLBACK, that failed
                return work(self._connection)
            except sqlite3.Error as error:
                self._fail(error)
                return None

    def _fail(self, error: sqlite3.Error) -> None:
        self.epoch += 1
        self._on_failure()
        if is_broken(error) and self.path:
            self._open_again(self.path, told(error))
        elif not self._failing:
            self._failing = True
            text = "the state file cannot be used: what is new is kept in memory until it can"
            log.warning(text, extra={"fields": self._fields() | {"error": told(error)}})

    def _open_again(self, path: Path, reason: str) -> None:
        """Open a file that seems to be damaged anew: only once may that have been a single read error."""
        self.unread += 1
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        try:
            if self._opened_again:
                set_aside(path, reason)
            self._opened_again = True
            self._use_file(open_file(path, self.salt))
        except (OSError, sqlite3.Error) as error:
            self._fall_back_to_memory(told(error))

    def _open(self, path: Path) -> bool:
        """Open the file; false where another process uses it."""
        assert self._file_lock  # noqa: S101 - there is one where there is a path
        try:
            if problem := find_problem(path):
                raise StateError(f"state.path: {problem}")
            if not self._file_lock.acquire():
                return False
            self._use_file(open_file(path))
        except sqlite3.Error as error:
            if is_busy(error):
                self._file_lock.release()
                return False
            self._fall_back_to_memory(told(error))
        except OSError as error:
            if error.errno not in _DISK_FULL:
                self._file_lock.release()
                raise StateError(f"state.path: {explain(path, error)}") from None
            self._fall_back_to_memory(because(error))
        return True

    def _fall_back_to_memory(self, reason: str) -> None:
        text = "the state file cannot be used: remembering in memory until the next start"
        log.warning(text, extra={"fields": self._fields() | {"error": reason}})
        self._use(in_memory(self.salt or None))
        if self._place:
            self._place.forget()

    def _use_file(self, connection: sqlite3.Connection) -> None:
        self._use(connection)
        if self._place:
            self._place.note()

    def _use(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.epoch += 1
        weakref.finalize(self, connection.close)  # a ledger in memory has no owner that closes it
        self._numbers.clear()
        [[self.salt]] = connection.execute("SELECT bytes FROM salt")

    def _fields(self) -> dict[str, object]:
        return {"path": str(self.path)} if self.path else {}


def _end_transaction(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _text(name: BucketName) -> str:
    return json.dumps(name)
