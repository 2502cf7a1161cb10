"""Erases what names uploads from the state file, where no names are wanted any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_NOTES_WITH_KEYS = """SELECT number, notes FROM buckets WHERE notes LIKE '%"boundaries"%'"""
FIND_NAMES = ("SELECT 1 FROM name_blocks LIMIT 1", _NOTES_WITH_KEYS)
"""Queries that have a row each where there is something to erase."""


def delete_names(connection: sqlite3.Connection) -> None:
    """Delete all names and keys, in a transaction of the caller."""
    connection.execute("UPDATE uploads SET name = NULL WHERE name IS NOT NULL")
    connection.execute("DELETE FROM name_blocks")
    connection.execute("DELETE FROM names")
    for number, notes in connection.execute(_NOTES_WITH_KEYS).fetchall():
        connection.execute("UPDATE buckets SET notes = ? WHERE number = ?", (_without_keys(notes), number))


def _without_keys(notes: str) -> str | None:
    """Return notes without the keys at which the listing can be cut; None where they are damaged."""
    try:
        stored = json.loads(notes)
        del stored["boundaries"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return json.dumps(stored)
