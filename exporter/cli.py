"""The command line: which commands there are, with which flags, and what each returns."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from exporter import __version__, flags, logs
from exporter.config import ConfigError
from exporter.exits import BAD_USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS: dict[str, tuple[str, tuple[Callable[[argparse.ArgumentParser], None], ...]]] = {
    "serve": (
        "Scan the config's targets on their schedules and serve what was found.",
        (flags.config_flags, flags.reload_flags, flags.web_flags),
    ),
    "check": (
        "Tell whether the config is valid, and how much it watches.",
        (flags.config_flags, flags.check_flags),
    ),
    "demo": (
        "Show the exporter at work on a server of its own.",
        (flags.web_flags, flags.demo_flags),
    ),
}
"""Each command's description and flags; what it does is in the file of its name in `exporter/commands`."""


class _Parser(argparse.ArgumentParser):
    """Exits 1, not 2, where the command line cannot be read: 2 says that a target failed."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"{self.format_usage()}{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 fine, 1 bad config or usage, 2 a target failed."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    options = parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    logs.configure(options.log_level, options.log_format)
    try:
        return run(options)
    except ConfigError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return BAD_USAGE


def run(options: argparse.Namespace) -> int:
    """Run the command that was named; only its file is loaded."""
    command = import_module(f"exporter.commands.{options.command}")
    code: int = command.run(options)
    return code


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    top = _Parser(
        prog="mpu-exporter",
        description="Prometheus exporter for multipart uploads that were started and never finished.",
        epilog="Without a command, `serve` is run. "
        "Exit codes: 0 fine, 1 bad config or usage, 2 a target failed.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"mpu-exporter {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command", parser_class=_Parser)
    for name, (text, groups) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for add_flags in (*groups, flags.log_flags):
            add_flags(command)
    return top


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Put in `serve` where no command is named: it is what an exporter is for."""
    first = arguments[0] if arguments else ""
    if first in {*COMMANDS, "-h", "--help", "--version"}:
        return list(arguments)
    return ["serve", *arguments]
