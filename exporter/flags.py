"""The flags of the commands, by what they are about."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from exporter import logs

DEFAULT_LISTEN = ":19340"
DEMO_LISTEN = "127.0.0.1:19340"
_PATH = re.compile(r"/[A-Za-z0-9._~/-]+")


def config_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says which config is read."""
    parser.add_argument(
        "--config.file",
        dest="config_file",
        metavar="FILE",
        type=Path,
        default=Path("config.yaml"),
        help="what to watch (default: config.yaml)",
    )


def reload_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says when the config is read again."""
    parser.add_argument(
        "--config.watch",
        dest="watch_config",
        action="store_true",
        help="read the config again when its file changes, and not on SIGHUP only (default: off)",
    )


def check_flags(parser: argparse.ArgumentParser) -> None:
    """Add what `check` may ask of the stores."""
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="also list every bucket once and foretell requests and money of a month",
    )


def web_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says where and how to serve."""
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


def demo_flags(parser: argparse.ArgumentParser) -> None:
    """Have the demo seen from this machine only, unless told otherwise."""
    parser.set_defaults(listen=DEMO_LISTEN)


def log_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says which log lines are written, and how."""
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
