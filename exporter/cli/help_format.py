"""The texts of --help, as wide as the terminal."""

from __future__ import annotations

import argparse

from exporter.cli.columns import count_columns

_MARGIN = 2


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves descriptions as they are. argparse itself asks shutil, which imports all compressors."""

    def __init__(self, prog: str) -> None:
        """Make it as wide as the terminal."""
        super().__init__(prog, width=count_columns() - _MARGIN)
