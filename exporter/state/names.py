"""Names of one bucket's remembered uploads, their keys and ids, with which the store can be asked for them.

They are stored in blocks, in the order of their arrival: a table with a row for each would be three times as
large, and every row would be written at another place. A row of `uploads` has the number of its block, and
`name_blocks` counts the names of each block, and those that still have an upload.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from exporter.state.name_blocks import pack_names, unpack_names

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.model.uploads import Upload

NAMES_PER_BLOCK = 250
"""Maximum number of names in a block."""
FULL_ENOUGH = 0.75
"""Share of a block's names that still have an upload; a block with fewer is written anew."""
MAX_PENDING_NAMES = 5000
"""Maximum number of names kept in memory while they cannot be written; beyond it they are dropped."""
IDS_PER_QUERY = 250
ID_PLACES = ",".join("?" * IDS_PER_QUERY)
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_OF_UPLOADS = f"FROM uploads WHERE bucket = ? AND id IN ({ID_PLACES}) AND name IS NOT NULL"
_NAMED = f"SELECT id {_OF_UPLOADS}"
READ_BLOCKS = f"SELECT id, name {_OF_UPLOADS}"
_WITH_NAMES = "WHERE bucket = ? AND id BETWEEN ? AND ? AND name IS NOT NULL"
_BLOCKS_BETWEEN = f"SELECT name FROM uploads {_WITH_NAMES}"  # noqa: S608
_LAST_BLOCK = "SELECT number, size FROM name_blocks WHERE bucket = ? ORDER BY number DESC LIMIT 1"
READ_BLOCK = (
    "SELECT texts FROM name_blocks JOIN names USING (number) WHERE name_blocks.bucket = ? AND number = ?"
)
_PUT_NAMES = "INSERT OR REPLACE INTO names (number, texts) VALUES (?, ?)"


def padded(ids: Sequence[int], size: int = IDS_PER_QUERY) -> Iterable[list[int]]:
    """Yield the ids in lists of one `size`, by default that of ID_PLACES: one statement, prepared once."""
    for start in range(0, len(ids), size):
        batch = ids[start : start + size]
        yield [*batch, *[batch[0]] * (size - len(batch))]


def read_block(rows: Sequence[tuple[object, ...]]) -> dict[int, Upload]:
    """Return the names in the answer to READ_BLOCK; {} where the block is not there, or is damaged."""
    names: dict[int, Upload] = {}
    for (texts,) in rows:
        names |= unpack_names(texts) if isinstance(texts, bytes) else {}
    return names


class BucketNames:
    """Writes the names of one bucket's uploads; for as many as `maximum` returns.

    These are those of the smallest row ids, which are hashes: new ones have the same chance as old ones.
    All methods with a connection run in a transaction of the caller, who calls `written` once it succeeded.
    """

    def __init__(self, maximum: Callable[[], int]) -> None:
        """Make it; `maximum` is called again and again, since it may change."""
        self._maximum = maximum
        self.pending: dict[int, Upload] = {}
        self._end: int | None = None
        """The row id from which on uploads get no name; None until it is known."""
        self._named_before = _HIGHEST
        """The row id from which on no stored upload has a name."""
        self._untrimmed = 0
        """Number of names written since the last `trim`, a guess while a transaction fails."""
        self._new_end: int | None = None

    def note(self, row_id: int, upload: Upload) -> None:
        """Have the name of an upload written with its row."""
        if self._end is None or row_id < self._end:
            if len(self.pending) >= MAX_PENDING_NAMES:
                self.pending.clear()
            self.pending[row_id] = upload

    @property
    def are_many(self) -> bool:
        """Whether so many were written that they have to be trimmed before the scan ends."""
        return self._untrimmed > max(self._maximum() // 4, NAMES_PER_BLOCK)

    def write(self, connection: sqlite3.Connection, bucket: int) -> dict[int, int]:
        """Store the pending names of rows that have none yet; return the number of each one's block."""
        self._new_end = None  # that of a transaction that failed
        if not self.pending:
            return {}
        if self._end is None:
            self._end = self._find_end(connection, bucket)
        ids = [each for each in self.pending if each < self._end]
        named = {
            row_id for batch in padded(ids) for (row_id,) in connection.execute(_NAMED, (bucket, *batch))
        }
        lacking = [each for each in ids if each not in named]
        self._untrimmed += len(lacking)
        blocks: dict[int, int] = {}
        while lacking:
            number, room = _open_block(connection, bucket)
            batch, lacking = lacking[:room], lacking[room:]
            _add(connection, bucket, number, {each: self.pending[each] for each in batch})
            blocks |= dict.fromkeys(batch, number)
        return blocks

    def delete_uploads(self, connection: sqlite3.Connection, bucket: int, ids: Sequence[int]) -> None:
        """Delete the rows of uploads, and their names."""
        lost: Counter[int] = Counter()
        for batch in padded(ids):
            lost.update(block for _, block in connection.execute(READ_BLOCKS, (bucket, *batch)))
        delete = "DELETE FROM uploads WHERE bucket = ? AND id = ?"
        connection.executemany(delete, [(bucket, row_id) for row_id in ids])
        _take_from_blocks(connection, bucket, lost)

    def trim(self, connection: sqlite3.Connection, bucket: int) -> None:
        """Delete names beyond the maximum, and find out which uploads get names from now on."""
        end = self._new_end = self._find_end(connection, bucket)
        between = (bucket, end, self._named_before)
        lost = Counter(block for (block,) in connection.execute(_BLOCKS_BETWEEN, between))
        if lost:
            update = (
                "UPDATE uploads SET name = NULL WHERE bucket = ? AND id BETWEEN ? AND ? AND name IS NOT NULL"
            )
            connection.execute(update, between)
            _take_from_blocks(connection, bucket, lost)

    def written(self) -> None:
        """Note that the transaction succeeded."""
        self.pending.clear()
        if self._new_end is not None:
            self._end = self._named_before = self._new_end
            self._new_end, self._untrimmed = None, 0

    def _find_end(self, connection: sqlite3.Connection, bucket: int) -> int:
        maximum = self._maximum()
        if not maximum:
            return _LOWEST
        query = "SELECT id FROM uploads WHERE bucket = ? ORDER BY id LIMIT 1 OFFSET ?"
        rows = connection.execute(query, (bucket, maximum)).fetchall()
        return int(rows[0][0]) if rows else _HIGHEST


def _open_block(connection: sqlite3.Connection, bucket: int) -> tuple[int, int]:
    """Return the number of the block that new names go to, and for how many it has room."""
    for number, size in connection.execute(_LAST_BLOCK, (bucket,)):
        if size < NAMES_PER_BLOCK:
            return number, NAMES_PER_BLOCK - size
    [[last]] = connection.execute("SELECT coalesce(max(number), 0) FROM names")
    return last + 1, NAMES_PER_BLOCK


def _add(connection: sqlite3.Connection, bucket: int, number: int, names: Mapping[int, Upload]) -> None:
    """Add names to a block, which need not be there yet."""
    block = read_block(connection.execute(READ_BLOCK, (bucket, number)).fetchall())
    put = (
        "INSERT INTO name_blocks (bucket, number, names, size) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (bucket, number) DO UPDATE SET names = names + excluded.names, size = excluded.size"
    )
    block |= names
    connection.execute(put, (bucket, number, len(names), len(block)))
    connection.execute(_PUT_NAMES, (number, pack_names(block)))


def _take_from_blocks(connection: sqlite3.Connection, bucket: int, lost: Mapping[int, int]) -> None:
    """Note how many names each block has lost; those that lost too many are written anew."""
    take = "UPDATE name_blocks SET names = names - ? WHERE bucket = ? AND number = ?"
    connection.executemany(take, [(count, bucket, number) for number, count in lost.items()])
    for number in lost:
        left = "SELECT names, size FROM name_blocks WHERE bucket = ? AND number = ?"
        for names, size in connection.execute(left, (bucket, number)).fetchall():
            if names < FULL_ENOUGH * size:
                _pack(connection, bucket, number)


def _pack(connection: sqlite3.Connection, bucket: int, number: int) -> None:
    """Write a block anew with the names that still have their upload; without any, delete it."""
    block = read_block(connection.execute(READ_BLOCK, (bucket, number)).fetchall())
    kept: dict[int, Upload] = {}
    for batch in padded(list(block)):
        rows = connection.execute(f"{_NAMED} AND name = ?", (bucket, *batch, number))
        kept |= {row_id: block[row_id] for (row_id,) in rows}
    where = "WHERE bucket = ? AND number = ?"
    if kept:
        update = f"UPDATE name_blocks SET names = ?, size = ? {where}"  # noqa: S608
        connection.execute(update, (len(kept), len(kept), bucket, number))
        connection.execute(_PUT_NAMES, (number, pack_names(kept)))
    else:
        connection.execute(f"DELETE FROM name_blocks {where}", (bucket, number))  # noqa: S608
        connection.execute("DELETE FROM names WHERE number = ?", (number,))
