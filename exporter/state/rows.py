"""The ledger's rows of one bucket: a record per upload under its hash, read and written in batches."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from exporter.state.database import BucketName, StateDatabase

BATCH = 500
"""Number of rows that are written together."""
MAX_PENDING = 100_000
"""Maximum number of rows kept in memory while they cannot be written; beyond it the oldest are dropped."""
_IDS_PER_QUERY = 250
_PARTITIONS = 256
_SHIFT = 56
_COLUMNS = "asked, activity, dated, parts, bytes, class, failed, run, run_bytes, read, abort_at"
_READ = f"SELECT id, {_COLUMNS} FROM uploads WHERE bucket = ? AND id IN ({','.join('?' * _IDS_PER_QUERY)})"  # noqa: S608
_WRITE = f"INSERT OR REPLACE INTO uploads (bucket, id, {_COLUMNS}) VALUES ({','.join('?' * 13)})"  # noqa: S608


class UploadRecord(NamedTuple):
    """What is stored of an upload, in the order of the table's columns. Times are Unix seconds.

    `checked_at` is the start of the last scan that got an answer about its parts, 0 where none did; `parts`
    and `bytes` are None where they are not known. `idle_since` is the last activity where `dated`, else the
    start of the scan that first saw the parts as they are. `failed_at` is when a later question failed.
    Parts 1 to `contiguous_parts`, of `contiguous_bytes` in total, were all there at `read_in_full_at`, the
    last time that the whole list was read; stored for long lists only. `abort_at` is when the store said that
    it will abort the upload.
    """

    checked_at: float
    idle_since: float
    dated: bool
    parts: int | None = None
    bytes: int | None = None
    storage_class: str | None = None
    failed_at: float | None = None
    contiguous_parts: int | None = None
    contiguous_bytes: int | None = None
    read_in_full_at: float | None = None
    abort_at: float | None = None


class SeenIds:
    """The row ids that a scan has seen, at eight bytes each, grouped by their highest byte."""

    def __init__(self) -> None:
        """Make an empty set."""
        self._ids: dict[int, array[int]] = {}

    def add(self, row_id: int) -> None:
        """Add an id, a signed 64-bit number."""
        partition = row_id >> _SHIFT
        if partition not in self._ids:
            self._ids[partition] = array("q")
        self._ids[partition].append(row_id)

    def partitions(self) -> Iterable[tuple[int, int, set[int]]]:
        """Yield the lowest and the highest possible id of each partition, and the ids in it."""
        for partition in range(-_PARTITIONS // 2, _PARTITIONS // 2):
            first = partition << _SHIFT
            yield first, first + (1 << _SHIFT) - 1, set(self._ids.get(partition, ()))


class LedgerRows:
    """The rows of one bucket. Used by one scan at a time; rows not yet written are read like all others."""

    def __init__(self, database: StateDatabase, name: BucketName) -> None:
        """Make it for a bucket; the database is read on first use."""
        self._database = database
        self._name = name
        self._pending: dict[int, UploadRecord] = {}
        self._flush_at = BATCH

    @property
    def salt(self) -> bytes:
        """The key of the hash that row ids are made with."""
        return self._database.salt

    def fetch(self, ids: Sequence[int]) -> dict[int, UploadRecord]:
        """Return the records that are stored under these ids."""
        found: dict[int, UploadRecord] = {}
        for start in range(0, len(ids), _IDS_PER_QUERY):
            batch = ids[start : start + _IDS_PER_QUERY]
            padded = [*batch, *[batch[0]] * (_IDS_PER_QUERY - len(batch))]  # one statement, prepared once
            found |= {row[0]: UploadRecord._make(row[1:]) for row in self._read(_READ, *padded)}  # type: ignore[misc]
        if self._pending:
            found |= {each: self._pending[each] for each in ids if each in self._pending}
        return found

    def put(self, row_id: int, record: UploadRecord) -> None:
        """Store a record."""
        self._pending[row_id] = record
        if len(self._pending) >= self._flush_at:
            self.flush()

    def flush(self) -> bool:
        """Write the pending rows; false, and they stay pending, where that fails."""
        return self._write(lambda _connection, _number: None)

    def commit(self, seen: SeenIds | None, rows: int, settings: str, notes: str) -> bool:
        """Write the pending rows and a finished scan's notes, and delete the rows of uploads that have ended.

        Those are all rows but the `seen` ones, which are `rows` in number; with None none is deleted. False
        where it could not be written.
        """
        ended = self._ended(seen) if seen and self.flush() and self.count() != rows else []

        def work(connection: sqlite3.Connection, number: int) -> None:
            keys = [(number, row_id) for row_id in ended]
            connection.executemany("DELETE FROM uploads WHERE bucket = ? AND id = ?", keys)
            change = "UPDATE buckets SET settings = ?, notes = ? WHERE number = ?"
            connection.execute(change, (settings, notes, number))

        return self._write(work)

    def notes(self) -> tuple[str, str] | None:
        """Return settings and notes of the last `commit`, None where there was none."""
        rows = self._read("SELECT settings, notes FROM buckets WHERE number = ?")
        for settings, notes in rows:
            if isinstance(settings, str) and isinstance(notes, str):
                return settings, notes
        return None

    def count(self) -> int:
        """Return the number of rows in the database; pending ones are not counted."""
        rows = self._read("SELECT count(*) FROM uploads WHERE bucket = ?")
        return int(rows[0][0]) if rows else 0  # type: ignore[call-overload]

    def _ended(self, seen: SeenIds) -> list[int]:
        between = "SELECT id FROM uploads WHERE bucket = ? AND id BETWEEN ? AND ?"
        ended: list[int] = []
        for first, last, ids in seen.partitions():
            rows = self._read(between, first, last)
            ended += [row[0] for row in rows if row[0] not in ids]  # type: ignore[misc]
        return ended

    def _read(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Run a query whose first parameter is the bucket's number; [] where that fails."""
        with self._database.lock:
            number = self._database.bucket_number(self._name)
            return [] if number is None else self._database.read(sql, (number, *values))

    def _write(self, work: Callable[[sqlite3.Connection, int], None]) -> bool:
        """Write the pending rows, and do the work, in one transaction; true where that succeeds."""
        with self._database.lock:
            number = self._database.bucket_number(self._name)
            if number is not None and self._write_as(number, work):
                self._pending.clear()
                self._flush_at = BATCH
                return True
        while len(self._pending) > MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._flush_at = min(len(self._pending) + BATCH, MAX_PENDING + BATCH)
        return False

    def _write_as(self, number: int, work: Callable[[sqlite3.Connection, int], None]) -> bool:
        rows = [(number, row_id, *record) for row_id, record in self._pending.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_WRITE, rows)
            work(connection, number)

        return self._database.write(write)
