"""The width of the terminal, as shutil tells it, whose import brings all compressors."""

from __future__ import annotations

import os
import sys

_COLUMNS = 80


def count_columns() -> int:
    """Return the terminal's width: of $COLUMNS, of standard output, or a usual one."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _COLUMNS
    except (AttributeError, ValueError, OSError):  # it is closed, no terminal, or no file at all
        return _COLUMNS
