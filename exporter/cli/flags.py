"""The flags of all commands, one function per group."""

from __future__ import annotations

import argparse

from exporter.cli.flag_types import (
    allowed_hosts,
    duration,
    file_name,
    limit,
    no_standard_input,
    path,
    size,
    whole_number,
)

TYPE_CHECKING = False  # as in main.py
if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_LISTEN = ":19340"
DEMO_LISTEN = "127.0.0.1:19340"
DEFAULT_LIMIT = 50
"""Number of uploads that `uploads` shows without --limit."""
STORES = ("s3", "obs", "glacier", "gcs", "azure")
"""StoreKind's, whose module --help does without."""
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("logfmt", "json")


def config_flags(parser: argparse.ArgumentParser) -> None:
    """Add --config.file."""
    parser.add_argument(
        "--config.file",
        dest="config_file",
        metavar="FILE",
        type=file_name,
        default="config.yaml",
        help="what to watch; - reads standard input (default: config.yaml)",
    )


def reload_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of reloading the config."""
    parser.add_argument(
        "--config.watch",
        dest="watch_config",
        action="store_true",
        help="read the config again when its file changes, and not on SIGHUP only (default: off)",
    )
    parser.add_argument(
        "--web.enable-lifecycle",
        dest="enable_lifecycle",
        action="store_true",
        help="read the config again on POST /-/reload, and scan on POST /-/scan (default: off)",
    )


def shard_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of sharding."""
    parser.add_argument(
        "--shard.total",
        dest="shard_total",
        metavar="N",
        type=whole_number,
        default=1,
        help="number of processes that share the buckets (default: 1)",
    )
    parser.add_argument(
        "--shard.ordinal",
        dest="shard_ordinal",
        metavar="I",
        type=whole_number,
        help="number of this process (default: 0, or of several the number that ends $POD_NAME or host name)",
    )


def selection_flags(parser: argparse.ArgumentParser) -> None:
    """Add --target and --bucket."""
    parser.add_argument(
        "--target",
        dest="targets",
        metavar="NAME",
        action="append",
        default=[],
        help="only this target; may be repeated (default: all)",
    )
    parser.add_argument(
        "--bucket",
        dest="buckets",
        metavar="NAME",
        action="append",
        default=[],
        help="only this bucket, container or vault, of whichever target; may be repeated (default: all)",
    )


def scan_flags(parser: argparse.ArgumentParser) -> None:
    """Add the output flags of `scan`."""
    _output_flags(parser, ("table", "json", "prometheus"))


def uploads_flags(parser: argparse.ArgumentParser) -> None:
    """Add the filter, sort and output flags of `uploads`."""
    parser.add_argument(
        "--stale",
        action="store_true",
        help="without activity for the bucket's own stale_after: those that mpu_stale_uploads counts",
    )
    parser.add_argument(
        "--all",
        dest="every",
        action="store_true",
        help="have --format=commands abort all uploads, those that are still running as well",
    )
    parser.add_argument(
        "--older-than", metavar="AGE", type=duration, help="initiated at least this long ago: 90s, 1h30m, 7d"
    )
    parser.add_argument(
        "--idle-for", metavar="AGE", type=duration, help="without a new part for at least this long"
    )
    parser.add_argument(
        "--min-bytes", metavar="SIZE", type=size, help="holding at least this much: 1GiB, 500MB, 1000"
    )
    parser.add_argument(
        "--sort",
        choices=("age", "idle", "bytes"),
        default="age",
        help="sort order, worst first (default: age)",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=limit,
        help=f"maximum number shown, 0 for all (default: {DEFAULT_LIMIT}; with --format=commands: 0)",
    )
    _output_flags(parser, ("table", "json", "csv", "commands"))


def document_flags(parser: argparse.ArgumentParser) -> None:
    """Add which document `config` prints, and of which store."""
    parser.add_argument(
        "document",
        choices=("example", "schema"),
        help="a commented config to begin with, or the JSON Schema that editors complete configs with",
    )
    parser.add_argument(
        "--store", choices=STORES, help="of the example only the targets of this kind of store (default: all)"
    )


def completion_flags(parser: argparse.ArgumentParser) -> None:
    """Add the shell's name."""
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def _output_flags(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    parser.add_argument(
        "--format", choices=formats, default=formats[0], help=f"output format (default: {formats[0]})"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=file_name,
        help="write to this file, whole or not at all, instead of to standard output",
    )


def check_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags with which `check` queries the stores."""
    parser.add_argument(
        "--probe",
        action="store_true",
        help="also make one call of each kind, and tell what is allowed and what to grant",
    )
    parser.add_argument(
        "--all-buckets",
        action="store_true",
        help="have --probe ask about every bucket, not only the first 3 of a target",
    )
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="also list every bucket once and forecast requests and money of a month",
    )


class _Addresses(argparse.Action):
    """Collects addresses to listen on; the first one that is given replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - as argparse calls it
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,  # noqa: ARG002 - likewise
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, (*(() if before is self.default else before), values))


def web_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the HTTP server."""
    _web_flags(parser, DEFAULT_LISTEN, "on all addresses", uploads=False)


def demo_flags(parser: argparse.ArgumentParser) -> None:
    """Add the same, with the demo's defaults: it listens on loopback only, and shows the uploads."""
    _web_flags(parser, DEMO_LISTEN, "on loopback only", uploads=True)


def _web_flags(parser: argparse.ArgumentParser, listen: str, reach: str, *, uploads: bool) -> None:
    parser.add_argument(
        "--web.listen-address",
        dest="listen",
        metavar="HOST:PORT",
        action=_Addresses,
        default=(listen,),
        help=f"where to serve; may be repeated (default: {listen}, {reach})",
    )
    parser.add_argument(
        "--web.allowed-hosts",
        dest="allowed_hosts",
        metavar="HOST",
        action="extend",
        type=allowed_hosts,
        default=[],
        help="answer only under an IP address or this name: host, host:port or *.domain; may be repeated, "
        "or separated by commas (default: any)",
    )
    parser.add_argument(
        "--web.telemetry-path",
        dest="telemetry_path",
        metavar="PATH",
        type=path,
        default="/metrics",
        help="path of the metrics (default: /metrics)",
    )
    parser.add_argument(
        "--web.enable-uploads",
        dest="enable_uploads",
        action="store_true",
        default=uploads,
        help=f"serve /uploads and /api/v1/uploads, which show keys (default: {'on' if uploads else 'off'})",
    )
    web_config_flags(parser)


def web_config_flags(parser: argparse.ArgumentParser) -> None:
    """Add --web.config.file."""
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        metavar="FILE",
        type=no_standard_input,
        help="TLS and passwords, in the exporter-toolkit's format (default: none)",
    )


def log_flags(parser: argparse.ArgumentParser) -> None:
    """Add --log.level and --log.format."""
    parser.add_argument(
        "--log.level", dest="log_level", choices=LOG_LEVELS, default="info", help="(default: info)"
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=LOG_FORMATS,
        default="logfmt",
        help="(default: logfmt)",
    )
