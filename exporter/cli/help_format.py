"""The texts of --help, as wide as the terminal."""

from __future__ import annotations

import argparse
import os
import sys

_COLUMNS = 80
_MARGIN = 2


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves descriptions as they are. argparse itself asks shutil, which imports all compressors."""

    def __init__(self, prog: str) -> None:
        """Make it as wide as the terminal."""
        super().__init__(prog, width=_count_columns() - _MARGIN)


def _count_columns() -> int:
    """Return the terminal's width: of $COLUMNS, of standard output, or a usual one."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _COLUMNS
    except (ValueError, OSError):  # no terminal, or no file at all
        return _COLUMNS
