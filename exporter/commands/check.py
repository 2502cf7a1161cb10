"""`check`: tells whether the config is valid, and what its targets allow and will be asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.config import ConfigError, load
from exporter.exits import FINE, TARGET_FAILED, break_off, on_signals

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from exporter.config import Settings
    from exporter.web.site import Site


def run(options: argparse.Namespace) -> int:
    """Tell whether the config is valid, and how much it watches. Raises ConfigError."""
    settings, site = _load(options)
    buckets = sum(len(target.buckets) for target in settings.targets)
    print(f"{options.config_file}: valid; targets: {len(settings.targets)}, buckets: {buckets}", flush=True)
    if site is not None:
        encryption = "TLS" if site.context else "plain HTTP"
        print(f"{options.web_config}: valid; {encryption}, users: {len(site.users)}", flush=True)
    return _estimate(settings) if options.estimate else FINE


def _load(options: argparse.Namespace) -> tuple[Settings, Site | None]:
    """Read the config and, if there is one, the web config. Raises ConfigError with all that is wrong."""
    problems: list[str] = []
    site = None
    try:
        site = _read_web_config(options.web_config)
    except ConfigError as error:
        problems += error.problems
    try:
        settings = load(options.config_file, os.environ)
    except ConfigError as error:
        raise ConfigError([*error.problems, *problems]) from None
    if problems:
        raise ConfigError(problems)
    return settings, site


def _read_web_config(file: Path | None) -> Site | None:
    if file is None:
        return None
    from exporter.web.site import read_site  # noqa: PLC0415 - only this flag needs it

    return read_site(file, os.environ)


def _estimate(settings: Settings) -> int:
    """List every bucket once and print what its scans will ask."""
    on_signals(break_off)
    from exporter.estimate_table import estimate_table  # noqa: PLC0415 - only this flag needs it
    from exporter.foretell import foretell  # noqa: PLC0415 - loads the SDKs, which a mere check does without
    from exporter.terminal.table import terminal_width  # noqa: PLC0415 - likewise

    foretold = foretell(settings.targets)
    print(estimate_table(foretold, terminal_width()))
    return TARGET_FAILED if any(isinstance(each.outcome, str) for each in foretold) else FINE
