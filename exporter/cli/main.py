"""The command line: all commands with their flags; runs one and returns its exit code."""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib import import_module

from exporter import __version__
from exporter.cli import flags
from exporter.cli.errors import UsageError
from exporter.cli.exit_codes import SIGNAL_BASE, USAGE_ERROR
from exporter.cli.help_format import HelpFormatter
from exporter.cli.standard_output import discard_unwritten, flush_output, write_error
from exporter.cli.start import guess_command, prepare_process

TYPE_CHECKING = False  # importing typing would take longer than all of --help
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn


class Command:
    """A command's description, flags and examples; its code is `commands/NAME.py`."""

    def __init__(
        self,
        about: str,
        flags: tuple[Callable[[argparse.ArgumentParser], None], ...],
        examples: tuple[str, ...],
        details: str = "",
    ) -> None:
        """Describe it; `details` follow `about` in its own --help."""
        self.about = about
        self.flags = flags
        self.examples = examples
        self.details = details


COMMANDS = {
    "serve": Command(
        "Scan the config's targets on their schedules and serve what was found.",
        (flags.config_flags, flags.reload_flags, flags.shard_flags, flags.web_flags),
        ("mpu-exporter serve --config.file=config.yaml", "mpu-exporter --config.watch --log.format=json"),
        "SIGHUP has the config read again, SIGUSR1 every bucket scanned; SIGTERM and Ctrl-C end it with 0.",
    ),
    "check": Command(
        "Tell whether the config is valid, and how much it watches.",
        (flags.config_flags, flags.web_config_flags, flags.check_flags, flags.selection_flags),
        (
            "mpu-exporter check --config.file=config.yaml",
            "mpu-exporter check --probe",
            "mpu-exporter check --estimate",
        ),
        "Without --probe and --estimate no store is asked.",
    ),
    "scan": Command(
        "Scan every bucket once and show what it holds.",
        (flags.config_flags, flags.selection_flags, flags.scan_flags),
        (
            "mpu-exporter scan",
            "mpu-exporter scan --target=prod --bucket=media --format=json",
            "mpu-exporter scan --format=prometheus --output=/var/lib/node_exporter/mpu.prom",
        ),
        "The state file is not used: every upload is asked about, unless scan.parts is never.",
    ),
    "uploads": Command(
        "Show the uploads themselves, the worst first, and how to abort them.",
        (flags.config_flags, flags.selection_flags, flags.uploads_flags),
        (
            "mpu-exporter uploads --idle-for=7d --sort=bytes",
            "mpu-exporter uploads --older-than=30d --min-bytes=1GiB --limit=0 --format=csv --output=old.csv",
            "mpu-exporter uploads --stale --target=prod --format=commands --output=abort.sh",
        ),
        "Nothing is ever aborted: --format=commands is a shell script for a person to read, and to run.",
    ),
    "config": Command(
        "Print an example of a config, or the JSON Schema of configs.",
        (flags.document_flags,),
        (
            "mpu-exporter config example --store=s3 > config.yaml",
            "mpu-exporter config schema > mpu-exporter.schema.json",
        ),
        "Both ship with the package. The first line of the example names the schema to editors.",
    ),
    "demo": Command(
        "Show the exporter at work on a server of its own.",
        (flags.demo_flags,),
        ("mpu-exporter demo", "mpu-exporter demo --web.listen-address=127.0.0.1:8080"),
        "Listens on 127.0.0.1:19340, shows uploads, and needs its extra: pip install 'mpu-exporter[demo]'.",
    ),
    "completion": Command(
        "Print what makes a shell complete commands and flags.",
        (flags.completion_flags,),
        (
            "mpu-exporter completion bash > /etc/bash_completion.d/mpu-exporter",
            "mpu-exporter completion zsh > ~/.zfunc/_mpu-exporter",
        ),
    ),
}
_EXITS = """\
exit codes: 0 fine; 1 bad config or usage; 2 a target or bucket failed; 128 + N by signal N (serve: 0)"""


class _Parser(argparse.ArgumentParser):
    """Exits with 1, not 2, on a wrong command line: 2 means that a target failed."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        flush_output()  # of --help and --version
        super().exit(status, message)

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.format_usage()}{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    words = _with_command(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and words[0] != guess_command(words):
        prepare_process(words[0])
    try:
        return _run(words)
    finally:
        discard_unwritten()


def _run(words: list[str]) -> int:
    try:
        return run(_parse(words))
    except UsageError as error:
        write_error(error)
    except BrokenPipeError:  # the reader of standard output has closed it
        import signal  # noqa: PLC0415 - only this needs it

        return SIGNAL_BASE + signal.SIGPIPE
    except Exception as error:
        from exporter.config.problems import ConfigError  # noqa: PLC0415 - what only prints does without

        if not isinstance(error, ConfigError):
            raise
        write_error(*error.problems)
    return USAGE_ERROR


def _parse(words: list[str]) -> argparse.Namespace:
    """Return the options; what a command does not take is told beside that command's own usage."""
    top = parser("" if words[0] == "completion" else words[0])
    options, unknown = top.parse_known_args(words)
    if unknown:
        options.own_parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def run(options: argparse.Namespace) -> int:
    """Run the named command; only its module is imported."""
    if _asks_stores(options):
        from exporter.cli import log_format  # noqa: PLC0415 - what only prints does without
        from exporter.cli.memory_limit import find_shortage, save_address_space  # noqa: PLC0415 - likewise

        if shortage := find_shortage():
            raise UsageError(shortage)
        save_address_space()
        log_format.configure(options.log_level, options.log_format)
    command = import_module(f"exporter.cli.commands.{options.command}")
    code: int = command.run(options)
    return code


def _asks_stores(options: argparse.Namespace) -> bool:
    """Whether a command asks stores, and logs: one that only prints does neither."""
    if options.command == "check":
        return bool(options.probe or options.estimate)
    return options.command not in {"completion", "config"}


def parser(command: str = "") -> argparse.ArgumentParser:
    """Return the parser of the command line. With `command`, other commands have no flags in it."""
    top = _Parser(
        prog="mpu-exporter",
        description="Prometheus exporter for multipart uploads that were started and never finished.",
        epilog=f"Without a command, `serve` is run. `mpu-exporter COMMAND --help` tells more.\n\n{_EXITS}",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"mpu-exporter {__version__}")
    commands = top.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=_Parser, prog="mpu-exporter"
    )
    for name, described in COMMANDS.items():
        subparser = commands.add_parser(
            name,
            help=described.about,
            description="\n".join(filter(None, (described.about, described.details))),
            epilog="\n".join(("examples:", *(f"  {line}" for line in described.examples), "", _EXITS)),
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )
        subparser.set_defaults(own_parser=subparser)
        if command in {"", name}:
            for add_flags in (*described.flags, flags.log_flags):
                add_flags(subparser)
    top.set_defaults(parser=top)
    return top


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Put the command before its flags, `serve` where none is named."""
    words = list(arguments)
    if words and (not words[0].startswith("-") or words[0] in {"-h", "--help", "--version"}):
        return words
    place = _find_command(words)
    return ["serve", *words] if place is None else [words[place], *words[:place], *words[place + 1 :]]


def _find_command(words: Sequence[str]) -> int | None:
    """Return where the command stands behind flags and their values; None where there is none."""
    position = 0
    while position < len(words) and words[position].startswith("-") and words[position] != "--":
        position += 2 if "=" not in words[position] and words[position] in _list_valued_flags() else 1
    return position if position < len(words) and words[position] in COMMANDS else None


def _list_valued_flags() -> set[str]:
    """Return the flags of all commands whose value may be the next word."""
    every = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    for add_flags in {add for command in COMMANDS.values() for add in command.flags} | {flags.log_flags}:
        add_flags(every)
    return {text for action in every._actions if action.nargs != 0 for text in action.option_strings}  # noqa: SLF001 - argparse tells them in no other way
