"""`check`: tells whether the config is valid, and what its targets allow and will be asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.config import load
from exporter.exits import FINE, TARGET_FAILED, break_off, on_signals

if TYPE_CHECKING:
    import argparse

    from exporter.config import Settings


def run(options: argparse.Namespace) -> int:
    """Tell whether the config is valid, and how much it watches. Raises ConfigError."""
    settings = load(options.config_file, os.environ)
    buckets = sum(len(target.buckets) for target in settings.targets)
    print(f"{options.config_file}: valid; targets: {len(settings.targets)}, buckets: {buckets}", flush=True)
    return _estimate(settings) if options.estimate else FINE


def _estimate(settings: Settings) -> int:
    """List every bucket once and print what its scans will ask."""
    on_signals(break_off)
    from exporter.estimate_table import estimate_table  # noqa: PLC0415 - only this flag needs it
    from exporter.foretell import foretell  # noqa: PLC0415 - loads the SDKs, which a mere check does without
    from exporter.terminal.table import terminal_width  # noqa: PLC0415 - likewise

    foretold = foretell(settings.targets)
    print(estimate_table(foretold, terminal_width()))
    return TARGET_FAILED if any(isinstance(each.outcome, str) for each in foretold) else FINE
