"""`check`: validates the config; --probe tests the permissions, --estimate forecasts the requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.cli.arguments import select_targets
from exporter.cli.config_file import read_config
from exporter.cli.exit_codes import OK, TARGET_FAILED
from exporter.cli.standard_output import write_line
from exporter.config.problems import ConfigError, show_file
from exporter.stores.not_listed import NOT_LISTED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from exporter.config.settings import Settings, TargetSettings
    from exporter.web.auth.config import WebConfig


def run(options: argparse.Namespace) -> int:
    """Tell whether the config is valid, and how much it watches. Raises ConfigError and UsageError."""
    settings, web_config = _load(options)
    targets = select_targets(settings, options.targets, options.buckets)
    write_line(f"{show_file(options.config_file)}: valid; {_counts(settings)}")
    if web_config is not None:
        encryption = "TLS" if web_config.tls_context else "plain HTTP"
        write_line(f"{options.web_config}: valid; {encryption}, users: {len(web_config.users)}")
    code = _ask(options, targets)
    if not options.probe:  # which says it of each bucket
        for kind in dict.fromkeys(target.store for target in targets):
            if note := NOT_LISTED.get(kind):
                write_line(f"Note: store {kind}: {note}")
    return code


def _counts(settings: Settings) -> str:
    buckets = sum(len(target.buckets) for target in settings.targets)
    finding = sum(target.discover is not None for target in settings.targets)
    found = f", targets whose buckets are found: {finding}" if finding else ""
    return f"targets: {len(settings.targets)}, buckets: {buckets}{found}"


def _load(options: argparse.Namespace) -> tuple[Settings, WebConfig | None]:
    """Read the config and, if there is one, the web config. Raises ConfigError with all that is wrong."""
    problems: list[str] = []
    web_config = None
    try:
        web_config = _read_web_config(options.web_config)
    except ConfigError as error:
        problems += error.problems
    try:
        settings = read_config(options.config_file)
    except ConfigError as error:
        raise ConfigError([*error.problems, *problems]) from None
    if problems:
        raise ConfigError(problems)
    return settings, web_config


def _read_web_config(file: Path | None) -> WebConfig | None:
    if file is None:
        return None
    from exporter.web.auth.config import read_web_config  # noqa: PLC0415 - only this flag needs it

    return read_web_config(file, os.environ)


def _ask(options: argparse.Namespace, targets: Sequence[TargetSettings]) -> int:
    """Ask the stores what the flags want to know."""
    if not (options.probe or options.estimate):
        return OK
    from exporter.cli.signals import exit_interrupted, handle_termination  # noqa: PLC0415 - likewise

    handle_termination(exit_interrupted)
    codes = [OK]
    if options.probe:
        codes.append(_probe(targets, frozenset(options.buckets), every=options.all_buckets))
    if options.estimate:
        codes.append(_estimate(targets, frozenset(options.buckets)))
    return max(codes)


def _probe(targets: Sequence[TargetSettings], names: frozenset[str], *, every: bool) -> int:
    """Make one call of each kind and print what is allowed."""
    from exporter.cli.formats.probe import failures, probe_table  # noqa: PLC0415 - likewise
    from exporter.cli.probe import probe  # noqa: PLC0415 - loads the stores, which a mere check does without
    from exporter.cli.report import warn  # noqa: PLC0415 - likewise
    from exporter.cli.terminal.table import terminal_width  # noqa: PLC0415 - only this needs it

    probed = probe(targets, names, every=every)
    write_line(probe_table(probed, terminal_width()))
    for line in failures(probed):
        warn(line)
    return TARGET_FAILED if any(each.failure for each in probed) else OK


def _estimate(targets: Sequence[TargetSettings], names: frozenset[str]) -> int:
    """List every bucket once and print what its scans will ask."""
    from exporter.cli.forecast import forecast  # noqa: PLC0415 - loads the stores, which a mere check does without
    from exporter.cli.formats.forecast import estimate_table  # noqa: PLC0415 - only this flag needs it
    from exporter.cli.report import warn  # noqa: PLC0415 - likewise
    from exporter.cli.terminal.table import terminal_width  # noqa: PLC0415 - only this needs it

    forecasts, width = forecast(targets, names), terminal_width()
    write_line(estimate_table(forecasts, width))
    failed = [each for each in forecasts if isinstance(each.outcome, str)]
    # what the rows of a terminal have no room for
    for each in failed if width is not None else ():
        if each.logged:
            continue
        warn("/".join(filter(None, (each.target.name, each.bucket))) + f": {each.outcome}")
    return TARGET_FAILED if failed else OK
