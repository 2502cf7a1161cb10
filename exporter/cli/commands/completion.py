"""`completion`: prints a completion script for a shell."""

from __future__ import annotations

import argparse

import shtab

from exporter.cli.exit_codes import OK
from exporter.cli.flag_types import file_name
from exporter.cli.standard_output import write_line


def run(options: argparse.Namespace) -> int:
    """Print the script for the shell."""
    _complete_files(options.parser)
    write_line(shtab.complete(options.parser, options.shell))
    return OK


def _complete_files(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:  # noqa: SLF001 - argparse tells them in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - likewise
            for command in action.choices.values():
                _complete_files(command)
        elif action.type is file_name:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # as shtab wants it
