"""`serve`: scans the config's targets on their schedules and serves what was found."""

from __future__ import annotations

import logging
import os
import signal
import socket
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.cli.errors import UsageError
from exporter.cli.exit_codes import OK, USAGE_ERROR
from exporter.cli.log_limit import tell_overdue, write_behind
from exporter.cli.shard import choose_shard
from exporter.cli.signals import force_exit_later, handle_termination, start_thread
from exporter.cli.standard_output import write_error
from exporter.config.advice import find_advice
from exporter.config.load import load
from exporter.config.problems import STANDARD_INPUT, show_file
from exporter.config.reload import Reloader
from exporter.config.sharding import UNSHARDED, Shard

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.config.settings import Settings
    from exporter.service import Service

log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Serve the targets of the config file. Raises ConfigError and UsageError."""
    pod_name, host_name = os.environ.get("POD_NAME", ""), socket.gethostname()
    shard = choose_shard(options.shard_total, options.shard_ordinal, pod_name, host_name)
    reloader = Reloader(options.config_file, _loader(options.config_file, watch=options.watch_config))

    def start(service: Service) -> None:
        reloader.start(service.reload, service.note_reload, watch=options.watch_config)
        signal.signal(signal.SIGHUP, lambda *_: reloader.request())

    reload = reloader.reload if options.enable_lifecycle else None
    return serve(reloader.load(), options, start, reload, lambda: reloader.problems, shard=shard)


def _loader(file: Path, *, watch: bool) -> Callable[[], Settings]:
    """Return what reads the config file, and logs what is new about it. Raises UsageError."""
    logged: set[str] = set()

    def read() -> Settings:
        settings = load(file, os.environ)
        advice = list(find_advice(settings))
        for text in advice:
            if text not in logged:
                fields = {"file": show_file(file), "advice": text}
                log.warning("the config is valid, and likely meant otherwise", extra={"fields": fields})
        logged.clear()
        logged.update(advice)
        return settings

    if watch and str(file) == STANDARD_INPUT:
        raise UsageError("--config.watch: standard input cannot be watched: give --config.file a file")
    return read


def serve(  # noqa: PLR0913 - what can be chosen of serving
    settings: Settings,
    options: argparse.Namespace,
    on_start: Callable[[Service], None] = lambda _: None,
    reload: Callable[[], Sequence[str]] | None = None,
    problems: Callable[[], Sequence[str]] = tuple,
    *,
    shard: Shard = UNSHARDED,
) -> int:
    """Serve `settings` until SIGTERM or Ctrl-C. Raises ConfigError where the web config is wrong.

    `reload` reads the config again and returns what is wrong with it; None where nobody may ask for that.
    `problems` returns what was wrong with it when it was last read. `shard` says which buckets are watched.
    """
    from exporter.service import Service  # noqa: PLC0415 - likewise
    from exporter.state.database import StateError  # noqa: PLC0415 - loads libcurl; a wrong config is reported before
    from exporter.web.server.server import ListenError  # noqa: PLC0415 - likewise uvicorn

    try:
        service = Service(
            settings,
            options.listen,
            options.telemetry_path,
            options.web_config,
            reload=reload,
            uploads=options.enable_uploads,
            problems=problems,
            shard=shard,
            allowed_hosts=options.allowed_hosts,
            on_tick=tell_overdue,
        )
    except ListenError as error:
        write_error(f"--web.listen-address: {error}")
        return USAGE_ERROR
    handle_termination(lambda *_: _stop(service))
    signal.signal(signal.SIGUSR1, lambda *_: _scan_now(service))
    _log_start(service, len(settings.targets), shard)
    write_behind()
    on_start(service)
    try:
        service.run()
    except StateError as error:
        write_error(error)
        return USAGE_ERROR
    finally:
        _ignore_signals()
    log.info("mpu-exporter has stopped")
    return OK


def _log_start(service: Service, targets: int, shard: Shard) -> None:
    for host, port in service.addresses:
        fields = {"version": __version__, "scheme": service.scheme, "port": port, "address": host}
        log.info("mpu-exporter is listening", extra={"fields": fields | {"targets": targets}})
    if shard.total > 1:
        text = "this is one shard of several: the buckets of the others are not watched here"
        log.info(text, extra={"fields": {"ordinal": shard.ordinal, "total": shard.total}})


def _stop(service: Service) -> None:
    force_exit_later(OK)
    if not start_thread(service.stop):
        os._exit(OK)


def _scan_now(service: Service) -> None:
    if not start_thread(service.scan_now):
        log.error("scans cannot be requested by SIGUSR1: allow more threads")


def _ignore_signals() -> None:
    """Ignore signals from here on: as Python ends, it lets those kill that have a handler."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
