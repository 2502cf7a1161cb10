"""Flags, signals, exit codes; every command is a few lines."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exporter import __version__, logs
from exporter.config import ConfigError, load
from exporter.reload import Reloader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from exporter.config import Settings
    from exporter.service import Service

log = logging.getLogger(__name__)

DEFAULT_LISTEN = ":19340"
DEMO_LISTEN = "127.0.0.1:19340"
FINE, BAD_USAGE, TARGET_FAILED = 0, 1, 2
SIGNALLED = 128
"""Added to the number of the signal that cut a command short: what shells make of it."""
_PATH = re.compile(r"/[A-Za-z0-9._~/-]+")
LAST_RESORT_SECONDS = 4.5
"""After so long a stopping process ends whatever still runs; Kubernetes and people wait no longer than 5."""


class _Parser(argparse.ArgumentParser):
    """Exits 1, not 2, where the command line cannot be read: 2 says that a target failed."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"{self.format_usage()}{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 fine, 1 bad config or usage, 2 a target failed."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    options = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    logs.configure(options.log_level, options.log_format)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return BAD_USAGE


def serve(options: argparse.Namespace) -> int:
    """Scan the config's targets on their schedules and serve what was found."""
    _on_signals(_leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the config is about to be read anyway
    reloader = Reloader(options.config_file, partial(load, options.config_file, os.environ))

    def start(service: Service) -> None:
        reloader.start(service.reload, service.note_reload, watch=options.watch_config)
        signal.signal(signal.SIGHUP, lambda *_: reloader.ask())

    return run(reloader.load(), options, start)


def check(options: argparse.Namespace) -> int:
    """Tell whether the config is valid, and how much it watches."""
    settings = load(options.config_file, os.environ)
    buckets = sum(len(target.buckets) for target in settings.targets)
    print(f"{options.config_file}: valid; targets: {len(settings.targets)}, buckets: {buckets}", flush=True)
    return _estimate(settings) if options.estimate else FINE


def _estimate(settings: Settings) -> int:
    """List every bucket once and print what its scans will ask."""
    _on_signals(_break_off)
    from exporter.estimate_table import table  # noqa: PLC0415 - only this flag needs it
    from exporter.foretell import foretell  # noqa: PLC0415 - loads the SDKs, which a mere check does without

    foretold = foretell(settings)
    print(table(foretold))
    return TARGET_FAILED if any(isinstance(each.outcome, str) for each in foretold) else FINE


def demo(options: argparse.Namespace) -> int:
    """Show the exporter at work on a server of its own."""
    _on_signals(_leave)
    from exporter.demo import run_demo  # noqa: PLC0415 - only the demo needs it

    return run_demo(options, run)


def run(
    settings: Settings,
    options: argparse.Namespace,
    on_start: Callable[[Service], None] = lambda _: None,
) -> int:
    """Serve `settings` until SIGTERM or Ctrl-C."""
    from exporter.ledger import StateError  # noqa: PLC0415 - likewise
    from exporter.service import Service  # noqa: PLC0415 - loads the SDKs, which other commands do without
    from exporter.web.server import ListenError  # noqa: PLC0415 - likewise uvicorn

    try:
        service = Service(settings, options.listen, options.telemetry_path)
    except ListenError as error:
        print(f"--web.listen-address: {error}", file=sys.stderr)
        return BAD_USAGE
    _on_signals(lambda *_: _stop(service))
    fields = {"version": __version__, "port": service.port, "targets": len(settings.targets)}
    log.info("mpu-exporter is listening", extra={"fields": fields})
    on_start(service)
    try:
        service.run()
    except StateError as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    log.info("mpu-exporter has stopped")
    return FINE


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handler)


def _leave(*_: object) -> None:
    """End a process that has not begun to serve; what it has begun is cleaned up on the way out."""
    _on_signals(signal.SIG_IGN)
    sys.exit(FINE)


def _break_off(number: int, _: FrameType | None) -> None:
    """End a process that has told nothing yet: not with 0, which would say that all is fine."""
    _on_signals(signal.SIG_IGN)
    _end_at_last(SIGNALLED + number)
    sys.exit(SIGNALLED + number)


def _stop(service: Service) -> None:
    _end_at_last(FINE)
    # not on this thread: it may be inside the very lock that setting the event takes
    threading.Thread(target=service.stop, daemon=True).start()


def _end_at_last(code: int) -> None:
    last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, [code])
    last_resort.daemon = True
    last_resort.start()


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Put in `serve` where no command is named: it is what an exporter is for."""
    first = arguments[0] if arguments else ""
    if first in {"serve", "check", "demo", "-h", "--help", "--version"}:
        return list(arguments)
    return ["serve", *arguments]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mpu-exporter",
        description="Prometheus exporter for multipart uploads that were started and never finished.",
        epilog="Without a command, `serve` is run. "
        "Exit codes: 0 fine, 1 bad config or usage, 2 a target failed.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mpu-exporter {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add(commands, "serve", serve, (_config_flags, _watch_flag, _web_flags))
    _add(commands, "check", check, (_config_flags, _estimate_flag))
    demo_parser = _add(commands, "demo", demo, (_web_flags,))
    demo_parser.set_defaults(listen=DEMO_LISTEN)
    return parser


def _add(
    commands: argparse._SubParsersAction[_Parser],
    name: str,
    command: Callable[[argparse.Namespace], int],
    flags: Sequence[Callable[[argparse.ArgumentParser], None]],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=command.__doc__, description=command.__doc__, allow_abbrev=False)
    for add_flags in (*flags, _log_flags):
        add_flags(parser)
    parser.set_defaults(command=command)
    return parser


def _config_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config.file",
        dest="config_file",
        metavar="FILE",
        type=Path,
        default=Path("config.yaml"),
        help="what to watch (default: config.yaml)",
    )


def _watch_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config.watch",
        dest="watch_config",
        action="store_true",
        help="read the config again when its file changes, and not on SIGHUP only (default: off)",
    )


def _estimate_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="also list every bucket once and foretell requests and money of a month",
    )


def _web_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--web.listen-address",
        dest="listen",
        metavar="HOST:PORT",
        default=DEFAULT_LISTEN,
        help=f"where to serve (default: {DEFAULT_LISTEN}, on all addresses)",
    )
    parser.add_argument(
        "--web.telemetry-path",
        dest="telemetry_path",
        metavar="PATH",
        type=_path,
        default="/metrics",
        help="path of the metrics (default: /metrics)",
    )


def _log_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log.level", dest="log_level", choices=logs.LEVELS, default="info", help="(default: info)"
    )
    parser.add_argument(
        "--log.format", dest="log_format", choices=logs.FORMATS, default="logfmt", help="(default: logfmt)"
    )


def _path(text: str) -> str:
    if not _PATH.fullmatch(text) or text.startswith("/-/"):
        raise argparse.ArgumentTypeError("has to be / and then letters, digits or any of ._~/- but not /-/")
    return text
