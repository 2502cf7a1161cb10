"""Opens the state file: a SQLite database that is verified, or else set aside and replaced by a new one."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.text.file_limit import shortage

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

APPLICATION_ID = 0x4D505531
"""Identifies our files in SQLite's header: "MPU1"."""
VERSION = 4
"""Version of the tables. A file of an earlier one is migrated, a file of a later one is set aside."""
_NAMES = """
CREATE TABLE name_blocks (
    bucket INTEGER NOT NULL,
    number INTEGER NOT NULL,
    names INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (bucket, number)
) WITHOUT ROWID;
CREATE TABLE names (number INTEGER PRIMARY KEY, texts BLOB NOT NULL);
"""
MIGRATIONS = {
    1: "ALTER TABLE uploads ADD COLUMN abort_at REAL",
    2: f"ALTER TABLE uploads ADD COLUMN name INTEGER; {_NAMES}",
    3: "ALTER TABLE uploads ADD COLUMN first_seen REAL; ALTER TABLE uploads ADD COLUMN mark INTEGER",
}
"""SQL that turns a file of each earlier version into one of the next."""
SALT_BYTES = 16
_SCHEMA = """
CREATE TABLE salt (bytes BLOB NOT NULL);
CREATE TABLE buckets (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT, notes TEXT);
CREATE TABLE uploads (
    bucket INTEGER NOT NULL,
    id INTEGER NOT NULL,
    asked REAL NOT NULL,
    activity REAL NOT NULL,
    dated INTEGER NOT NULL,
    parts INTEGER,
    bytes INTEGER,
    class TEXT,
    failed REAL,
    run INTEGER,
    run_bytes INTEGER,
    read REAL,
    abort_at REAL,
    name INTEGER,
    first_seen REAL,
    mark INTEGER,
    PRIMARY KEY (bucket, id)
) WITHOUT ROWID;
"""
READINGS = 2
"""How often a file is read before it counts as damaged: SQLite takes a single read error for damage."""
_PIECE_BYTES = 2**20
_HEAD = b"SQLite format 3\0"
_SMALLEST_PAGE = 512
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CACHE_KIB = 4096
_WAL_BYTES = 4 * 1024 * 1024
_VACUUM_PAGES = 256


class ForeignError(Exception):
    """A file that is not a database of this program, or of an unknown version."""


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code of an error, -1 for an error of the Python module itself."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF


def is_broken(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, or was never a database."""
    return code_of(error) in _BROKEN


def is_busy(error: sqlite3.Error) -> bool:
    """Whether an error says that another connection holds the file."""
    return code_of(error) in _BUSY


def told(error: Exception) -> str:
    """Return what an error says, and what to do where SQLite cannot open its files."""
    advice = shortage()
    return f"{error}: {advice}" if advice else str(error)


def in_memory(salt: bytes | None = None) -> sqlite3.Connection:
    """Return a fresh database that lives as long as its connection."""
    connection = _connect(":memory:")
    _create(connection, salt)
    return connection


def open_file(path: Path, salt: bytes | None = None) -> sqlite3.Connection:
    """Return the verified database at `path`; a file that cannot be used is set aside with a warning.

    A new one gets this `salt`, or a random one for None. Raises sqlite3.Error where the file can be neither
    used nor replaced: it is in use, the disk is full, or cannot be read.
    """
    reason = ""
    for _ in range(READINGS):
        try:
            return _open_verified(path, salt)
        except ForeignError as error:
            reason = str(error)
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            reason = str(error)
    _read_through(path)
    set_aside(path, reason)
    return _open_verified(path, salt)


def set_aside(path: Path, reason: str) -> None:
    """Rename a file that cannot be used, and SQLite's files beside it, with a warning."""
    aside = move_aside(path)
    text = "the state file cannot be read: it is set aside, and a new one is begun"
    log.warning(text, extra={"fields": {"path": str(path), "aside": aside, "error": reason}})


def move_aside(path: Path) -> str:
    """Rename a file, and SQLite's files beside it; nothing is deleted. Return its new name, '' for none."""
    suffix = f".set-aside-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    aside, moved = path.with_name(path.name + suffix), ""
    for end in ("-journal", "-wal", "-shm", ""):  # SQLite would apply a left-over log to the new file
        with suppress(FileNotFoundError):
            os.rename(f"{path}{end}", f"{aside}{end}")  # noqa: PTH104 - names with endings are no paths
            moved = aside.name
    return moved


def _read_through(path: Path) -> None:
    """Raise sqlite3.OperationalError where the disk does not yield all of a file: SQLite calls it damaged."""
    try:
        with path.open("rb") as file:
            start = 0
            while piece := os.pread(file.fileno(), _PIECE_BYTES, start):
                start += len(piece)
    except OSError as error:
        raise sqlite3.OperationalError(str(error.strerror)) from None


def _open_verified(path: Path, salt: bytes | None) -> sqlite3.Connection:
    _verify_header(path)
    connection = _connect(path)
    try:
        _verify(connection, salt)
    except BaseException:
        connection.close()
        raise
    return connection


def _verify_header(path: Path) -> None:
    """Raise ForeignError where a file is no database: SQLite would write to it before it reports that.

    It takes a file shorter than a page for an empty database.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        head = file.read(_SMALLEST_PAGE)
        if head and (len(head) < _SMALLEST_PAGE or not head.startswith(_HEAD)):
            raise ForeignError("it is no database")


def _connect(path: Path | str) -> sqlite3.Connection:
    """Connect without verification; StateDatabase lets one thread at a time use the connection."""
    if path != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)


def _verify(connection: sqlite3.Connection, salt: bytes | None) -> None:
    # exclusive: the log's index stays in our memory, which also works on network file systems
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")
    version = _read_version(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    connection.execute("PRAGMA secure_delete = ON")  # the names of ended uploads do not stay in free pages
    if version is None:
        _create(connection, salt)
        return
    [[verdict]] = connection.execute("PRAGMA quick_check(1)")
    if verdict != "ok":
        raise ForeignError(verdict)
    for step in range(version, VERSION):
        connection.executescript(f"BEGIN; {MIGRATIONS[step]}; PRAGMA user_version = {step + 1}; COMMIT")
    _verify_tables(connection)
    _shrink(connection)


def _read_version(connection: sqlite3.Connection) -> int | None:
    """Return the version of the tables, None where there are none yet. Raises ForeignError."""
    [[tables]] = connection.execute("SELECT count(*) FROM sqlite_schema")
    [[owner]] = connection.execute("PRAGMA application_id")
    [[version]] = connection.execute("PRAGMA user_version")
    if not tables and not owner and not version:
        return None
    if owner != APPLICATION_ID:
        raise ForeignError("it is a database of another program")
    if version != VERSION and version not in MIGRATIONS:
        raise ForeignError(f"it is of version {version}, and this program knows version {VERSION}")
    return int(version)


def _create(connection: sqlite3.Connection, salt: bytes | None) -> None:
    """Make all tables in one transaction."""
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    salted = f"INSERT INTO salt VALUES (x'{(salt or os.urandom(SALT_BYTES)).hex()}');"  # noqa: S608 - hexadecimal
    try:
        connection.executescript(f"BEGIN; {_SCHEMA} {_NAMES} {salted} {marks} COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _verify_tables(connection: sqlite3.Connection) -> None:
    """Raise ForeignError where the tables are not those of this version."""
    try:
        [[salt]] = connection.execute("SELECT bytes FROM salt")
        connection.execute("SELECT number, name, settings, notes FROM buckets LIMIT 1").fetchall()
        connection.execute(
            "SELECT bucket, id, asked, activity, dated, parts, bytes, class, failed, run, run_bytes, read,"
            " abort_at, name, first_seen, mark FROM uploads LIMIT 1"
        ).fetchall()
        connection.execute("SELECT bucket, number, names, size FROM name_blocks LIMIT 1").fetchall()
        connection.execute("SELECT number, texts FROM names LIMIT 1").fetchall()
    except (ValueError, sqlite3.OperationalError) as error:
        if isinstance(error, sqlite3.Error) and code_of(error) != sqlite3.SQLITE_ERROR:
            raise
        raise ForeignError(f"its tables are not those of version {VERSION}") from None
    if not isinstance(salt, bytes) or len(salt) != SALT_BYTES:
        raise ForeignError("its salt is none")


def _shrink(connection: sqlite3.Connection) -> None:
    """Vacuum a file of which more than half is free; on failure it stays as it is."""
    [[pages]] = connection.execute("PRAGMA page_count")
    [[free]] = connection.execute("PRAGMA freelist_count")
    if free > max(_VACUUM_PAGES, pages / 2):
        with suppress(sqlite3.OperationalError):
            _use_own_folder_for_copies(connection)
            connection.execute("VACUUM")


def _use_own_folder_for_copies(connection: sqlite3.Connection) -> None:
    """Have SQLite write its temporary copy beside the file: other folders of a container may be read-only."""
    [_, _, file], *_ = connection.execute("PRAGMA database_list")
    folder = os.path.dirname(file).replace("'", "''")  # noqa: PTH120 - a text that SQLite returned
    connection.execute(f"PRAGMA temp_store_directory = '{folder}'")
