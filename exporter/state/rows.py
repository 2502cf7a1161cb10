"""The ledger's rows of one bucket: a record per upload under its hash, read and written in batches."""

from __future__ import annotations

import logging
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.state.chunk_cache import ChunkCache
from exporter.state.names import (
    ID_PLACES,
    IDS_PER_QUERY,
    READ_BLOCK,
    READ_BLOCKS,
    BucketNames,
    padded,
    read_block,
)
from exporter.state.seen_ids import SUM_BITS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from exporter.model.uploads import Upload
    from exporter.state.database import BucketName, StateDatabase
    from exporter.state.seen_ids import SeenIds

log = logging.getLogger(__name__)

BATCH = 500
"""Number of rows that are written together."""
MAX_PENDING = 100_000
"""Maximum number of rows kept in memory while they cannot be written; beyond it the oldest are dropped."""
_NOT_STORABLE = (OverflowError, UnicodeError)
"""What the driver raises for a number of more than 64 bits, and for a text that has no UTF-8."""
_COLUMNS = (
    "asked, activity, dated, parts, bytes, class, failed, run, run_bytes, read, abort_at, first_seen, mark"
)
_READ = f"SELECT id, {_COLUMNS} FROM uploads WHERE bucket = ? AND id IN ({ID_PLACES})"  # noqa: S608
_FEW = 50
"""Number of ids that are read at once where there are few, as most uploads are in known chunks."""
_READ_FEW = _READ.replace(ID_PLACES, ",".join("?" * _FEW))
_SUMS = f"SELECT count(*), coalesce(sum(id & {SUM_BITS}), 0) FROM uploads WHERE bucket = ?"  # noqa: S608
_CHANGES = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", "))
_WRITE = (
    f"INSERT INTO uploads (bucket, id, {_COLUMNS}, name) VALUES ({','.join('?' * 16)})"  # noqa: S608
    f" ON CONFLICT (bucket, id) DO UPDATE SET {_CHANGES}, name = coalesce(excluded.name, name)"
)


class UploadRecord(NamedTuple):
    """What is stored of an upload, in the order of the table's columns. Times are Unix seconds.

    `checked_at` is the start of the last scan that got an answer about its parts, 0 where none did; `parts`
    and `bytes` are None where they are not known. `idle_since` is the last activity where `dated`, else the
    start of the scan that first saw the parts as they are. `failed_at` is when a later question failed.
    Parts 1 to `contiguous_parts`, of `contiguous_bytes` in total, were all there at `read_in_full_at`, the
    last time that the whole list was read; stored for long lists only. `abort_at` is when the store said that
    it will abort the upload. `first_seen` is when it was first listed, for a store that gives no initiation;
    None where it is to be dated anew once it is seen again. `mark` is that of its parts.
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
    first_seen: float | None = None
    mark: int | None = None

    @property
    def is_no_upload(self) -> bool:
        """Whether what is listed turned out to be no upload: it has no parts, nor bytes, not even 0."""
        return self.parts == 0 and self.bytes is None


class RememberedUpload(NamedTuple):
    """An upload that the ledger remembers; `upload` is None where it does not know key and id."""

    row_id: int
    record: UploadRecord
    upload: Upload | None


class LedgerRows:
    """The rows of one bucket. Used by one scan at a time; rows not yet written are read like all others."""

    def __init__(self, database: StateDatabase, name: BucketName) -> None:
        """Make it for a bucket; the database is read on first use."""
        self._database = database
        self._name = name
        self._pending: dict[int, UploadRecord] = {}
        self.is_unread = False
        """Whether rows may be there that were not returned, as they could not be read; to be reset."""
        self._names = BucketNames(lambda: database.max_names)
        self._flush_at = BATCH

    @property
    def keeps_names(self) -> bool:
        """Whether keys of uploads may be stored."""
        return self._database.max_names > 0

    @property
    def labels(self) -> dict[str, str]:
        """The target and the bucket, for the log."""
        return {"target": self._name.target, "bucket": self._name.bucket}

    @property
    def is_in_file(self) -> bool:
        """Whether the database is to be in a file."""
        return self._database.path is not None

    @property
    def salt(self) -> bytes:
        """The key of the hash that row ids are made with."""
        return self._database.salt

    @property
    def epoch(self) -> int:
        """Changes where rows may have been lost: the database could not be used, or is another one."""
        return self._database.epoch

    def new_chunk_cache(self) -> ChunkCache:
        """Return an empty cache that shares its memory with those of the database's other buckets."""
        return ChunkCache(self._database.chunk_memory)

    def fetch(self, ids: Sequence[int]) -> dict[int, UploadRecord]:
        """Return the records that are stored under these ids."""
        query, size = (_READ_FEW, _FEW) if len(ids) <= 2 * _FEW else (_READ, IDS_PER_QUERY)
        found: dict[int, UploadRecord] = {
            row[0]: UploadRecord._make(row[1:])  # type: ignore[misc]
            for batch in padded(ids, size)
            for row in self._read(query, *batch)
        }
        if self._pending:
            found |= {each: self._pending[each] for each in ids if each in self._pending}
        return found

    def fetch_names(self, ids: Sequence[int]) -> dict[int, Upload]:
        """Return the uploads that are stored by name under these ids."""
        blocks: dict[object, list[object]] = defaultdict(list)
        for batch in padded(ids):
            for row_id, block in self._read(READ_BLOCKS, *batch):
                blocks[block].append(row_id)
        found: dict[int, Upload] = {}
        for block, members in blocks.items():
            names = read_block(self._read(READ_BLOCK, block))
            found |= {each: names[each] for each in members if each in names}
        pending = self._names.pending
        return found | {each: pending[each] for each in ids if each in pending} if pending else found

    def in_order_of_names(self, ids: Sequence[int]) -> list[int]:
        """Return these ids in the order of the blocks with their names, which are then read once each."""
        blocks: dict[object, Any] = {
            row[0]: row[1] for batch in padded(ids) for row in self._read(READ_BLOCKS, *batch)
        }
        return sorted(ids, key=lambda each: blocks.get(each, 0))

    def put(self, row_id: int, record: UploadRecord, upload: Upload | None = None) -> None:
        """Store a record; and key and id of its upload, where they are given and not stored yet."""
        self._pending[row_id] = record
        if upload:
            self._names.note(row_id, upload)
        if len(self._pending) >= self._flush_at:
            self.flush()

    def flush(self) -> bool:
        """Write the pending rows; false, and they stay pending, where that fails."""
        return self._write(self._names.trim if self._names.are_many else lambda _connection, _number: None)

    def missing(self, seen: SeenIds) -> array[int]:
        """Return the ids of all rows but those seen, in ascending order as far as they are written."""
        if self.flush() and self.sums() == seen.sums():
            return array("q")
        between = "SELECT id FROM uploads WHERE bucket = ? AND id BETWEEN ? AND ?"
        missing: array[int] = array("q")
        for first, last, ids in seen.partitions():
            rows = self._read(between, first, last)
            missing.extend(row[0] for row in rows if row[0] not in ids)  # type: ignore[misc]
            missing.extend(self._unwritten(first, last, ids))
        return missing

    def commit(self, ended: Sequence[int], settings: str, notes: str) -> bool:
        """Write the pending rows and a finished scan's notes, and delete the rows of uploads that have ended.

        False where it could not be written.
        """

        def work(connection: sqlite3.Connection, number: int) -> None:
            self._names.delete_uploads(connection, number, ended)
            self._names.trim(connection, number)
            change = "UPDATE buckets SET settings = ?, notes = ? WHERE number = ?"
            connection.execute(change, (settings, notes, number))

        self._database.keep_in_place()
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
        return self.sums()[0]

    def sums(self) -> tuple[int, int]:
        """Return number and checksum of the ids of all rows in the database; pending ones are left out."""
        rows = self._read(_SUMS)
        return (int(rows[0][0]), int(rows[0][1]) & SUM_BITS) if rows else (0, 0)  # type: ignore[call-overload]

    def _unwritten(self, first: int, last: int, seen: set[int]) -> Iterable[int]:
        """Return the ids of pending rows between two ids that were neither seen nor are in the database."""
        if not self._pending:
            return ()
        pending = [each for each in self._pending if first <= each <= last and each not in seen]
        stored = {row[0] for batch in padded(pending) for row in self._read(_READ, *batch)}
        return [each for each in pending if each not in stored]

    def _read(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Run a query whose first parameter is the bucket's number; [] where that fails."""
        with self._database.lock:
            unread = self._database.unread
            number = self._database.bucket_number(self._name)
            rows = [] if number is None else self._database.read(sql, (number, *values))
            self.is_unread |= unread != self._database.unread
            return rows

    def _write(self, work: Callable[[sqlite3.Connection, int], None]) -> bool:
        """Write the pending rows, and do the work, in one transaction; true where that succeeds."""
        with self._database.lock:
            unread = self._database.unread
            number = self._database.bucket_number(self._name)
            written = number is not None and self._write_as(number, work)
            self.is_unread |= unread != self._database.unread
            if written:
                self._pending.clear()
                self._names.written()
                self._flush_at = BATCH
                return True
        while len(self._pending) > MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._flush_at = min(len(self._pending) + BATCH, MAX_PENDING + BATCH)
        return False

    def _write_as(self, number: int, work: Callable[[sqlite3.Connection, int], None]) -> bool:
        def write(connection: sqlite3.Connection) -> None:
            blocks = self._names.write(connection, number)
            rows = [(number, row_id, *record, blocks.get(row_id)) for row_id, record in self._pending.items()]
            _write_rows(connection, rows)
            work(connection, number)

        return self._database.write(write)


def _write_rows(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Write rows; one that SQLite cannot hold is left out, so that its upload is asked about again."""
    try:
        connection.executemany(_WRITE, rows)
    except _NOT_STORABLE:
        lost = sum(not _is_written(connection, row) for row in rows)
        text = "records of uploads cannot be stored: these uploads are asked about again; please report it"
        log.warning(text, extra={"fields": {"records": lost}})


def _is_written(connection: sqlite3.Connection, row: tuple[object, ...]) -> bool:
    try:
        connection.execute(_WRITE, row)
    except _NOT_STORABLE:
        return False
    return True
