"""What is remembered of the uploads of one bucket: rows of numbers by hash, read and written in batches."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from exporter.state.database import BucketName, StateDatabase

BATCH = 500
"""So many rows wait before they are written together."""
MOST_WAITING = 100_000
"""So many rows are kept in memory while they cannot be written; of more, the earliest are forgotten."""
_READ_AT_ONCE = 250
_PARTITIONS = 256
_SHIFT = 56
_COLUMNS = "asked, activity, dated, parts, bytes, class, failed, run, run_bytes, read, abort_at"
_READ = f"SELECT id, {_COLUMNS} FROM uploads WHERE bucket = ? AND id IN ({','.join('?' * _READ_AT_ONCE)})"  # noqa: S608
_WRITE = f"INSERT OR REPLACE INTO uploads (bucket, id, {_COLUMNS}) VALUES ({','.join('?' * 13)})"  # noqa: S608


class Known(NamedTuple):
    """What is remembered of an upload. Times are Unix seconds.

    `asked` is the start of the scan that last had an answer, 0 where there was none yet; `parts` and `bytes`
    are None where they are not known. `activity` is the last activity, and where `dated` is false the scan
    that first saw it so. `failed` is when it was asked in vain since. `run` says that parts 1 to `run` were
    all there, of `run_bytes` together, at `read`, when it was last read in full; only kept for long lists.
    `abort_at` is when the store said that it will abort the upload.
    """

    asked: float
    activity: float
    dated: bool
    parts: int | None = None
    bytes: int | None = None
    storage_class: str | None = None
    failed: float | None = None
    run: int | None = None
    run_bytes: int | None = None
    read: float | None = None
    abort_at: float | None = None


class Seen:
    """The ids that a scan has seen, at eight bytes each, by their highest byte."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ids: dict[int, array[int]] = {}

    def add(self, identity: int) -> None:
        """Note an id, a signed number of 64 bits."""
        number = identity >> _SHIFT
        if number not in self._ids:
            self._ids[number] = array("q")
        self._ids[number].append(identity)

    def partitions(self) -> Iterable[tuple[int, int, set[int]]]:
        """Yield all ids piece by piece, with the first and the last that could be among them."""
        for number in range(-_PARTITIONS // 2, _PARTITIONS // 2):
            first = number << _SHIFT
            yield first, first + (1 << _SHIFT) - 1, set(self._ids.get(number, ()))


class LedgerRows:
    """The rows of one bucket. Used by one scan at a time; what waits to be written is read all the same."""

    def __init__(self, state: StateDatabase, name: BucketName) -> None:
        """Make the shelf of a bucket; nothing is read before it is asked for."""
        self._state = state
        self._name = name
        self._waiting: dict[int, Known] = {}
        self._write_at = BATCH

    @property
    def salt(self) -> bytes:
        """What ids are hashed with."""
        return self._state.salt

    def fetch(self, ids: Sequence[int]) -> dict[int, Known]:
        """Return what is remembered of these uploads."""
        found: dict[int, Known] = {}
        for start in range(0, len(ids), _READ_AT_ONCE):
            piece = ids[start : start + _READ_AT_ONCE]
            padded = [*piece, *[piece[0]] * (_READ_AT_ONCE - len(piece))]  # one text, prepared once
            found |= {row[0]: Known._make(row[1:]) for row in self._read(_READ, *padded)}  # type: ignore[misc]
        if self._waiting:
            found |= {each: self._waiting[each] for each in ids if each in self._waiting}
        return found

    def put(self, identity: int, known: Known) -> None:
        """Remember an upload."""
        self._waiting[identity] = known
        if len(self._waiting) >= self._write_at:
            self.flush()

    def flush(self) -> bool:
        """Write what waits; false where it has to wait on."""
        return self._write(lambda _connection, _number: None)

    def settle(self, seen: Seen | None, rows: int, settings: str, notes: str) -> bool:
        """Write what waits and what the finished scan noted, and forget the uploads that have ended.

        Those are all but the `seen`, of which `rows` are remembered; None: nothing is known of any. False
        where it could not be written.
        """
        ended = self._ended(seen) if seen and self.flush() and self.count() != rows else []

        def work(connection: sqlite3.Connection, number: int) -> None:
            gone = [(number, identity) for identity in ended]
            connection.executemany("DELETE FROM uploads WHERE bucket = ? AND id = ?", gone)
            change = "UPDATE buckets SET settings = ?, notes = ? WHERE number = ?"
            connection.execute(change, (settings, notes, number))

        return self._write(work)

    def notes(self) -> tuple[str, str] | None:
        """Return settings and notes as `settle` was given them last, None where it never was."""
        rows = self._read("SELECT settings, notes FROM buckets WHERE number = ?")
        for settings, notes in rows:
            if isinstance(settings, str) and isinstance(notes, str):
                return settings, notes
        return None

    def count(self) -> int:
        """Return how many uploads are remembered, those aside that wait to be written."""
        rows = self._read("SELECT count(*) FROM uploads WHERE bucket = ?")
        return int(rows[0][0]) if rows else 0  # type: ignore[call-overload]

    def _ended(self, seen: Seen) -> list[int]:
        between = "SELECT id FROM uploads WHERE bucket = ? AND id BETWEEN ? AND ?"
        ended: list[int] = []
        for first, last, ids in seen.partitions():
            rows = self._read(between, first, last)
            ended += [row[0] for row in rows if row[0] not in ids]  # type: ignore[misc]
        return ended

    def _read(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Return rows of this bucket, whose number is the first value."""
        with self._state.lock:
            number = self._state.number(self._name)
            return [] if number is None else self._state.read(sql, (number, *values))

    def _write(self, work: Callable[[sqlite3.Connection, int], None]) -> bool:
        """Write what waits, and do the work, in one transaction; true where that is done."""
        with self._state.lock:
            number = self._state.number(self._name)
            if number is not None and self._write_as(number, work):
                self._waiting.clear()
                self._write_at = BATCH
                return True
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._write_at = min(len(self._waiting) + BATCH, MOST_WAITING + BATCH)
        return False

    def _write_as(self, number: int, work: Callable[[sqlite3.Connection, int], None]) -> bool:
        rows = [(number, identity, *known) for identity, known in self._waiting.items()]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_WRITE, rows)
            work(connection, number)

        return self._state.write(write)
