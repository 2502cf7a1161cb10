"""Where the state file lies: what is told of a place that it cannot have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.text.file_limit import because

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = ("", "-wal", "-journal", ".lock")
"""What follows the path in the names of the file and of those beside it."""


def find_problem(path: Path) -> str:
    """Return why the file cannot be at `path`; '' where it can. Raises OSError where nobody can tell.

    Opening a pipe or a device may take for ever.
    """
    if path.is_dir():
        return f"{path} is a folder: name a file in it"
    for each in (path.with_name(path.name + end) for end in ENDINGS):
        if each.exists() and not each.is_file():
            return f"{each} is no regular file: remove it, or name another place"
    return ""


def explain(path: Path, error: OSError) -> str:
    """Return why the file at `path` cannot be opened, or one beside it: which one it is, and what to do."""
    refused = error.filename or path
    if os.path.lexists(refused):
        return f"{refused}: {because(error, 'the exporter has to be able to read and write this file')}"
    return f"{path}: {because(error, 'the folder has to be there and writable')}"
