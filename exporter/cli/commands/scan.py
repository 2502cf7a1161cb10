"""`scan`: one pass over every bucket, shown as a table, as JSON or as metrics."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli.arguments import check_found, check_output, chosen
from exporter.cli.exit import break_off, on_signals
from exporter.cli.formats.scan import scan_json, scan_metrics, scan_table
from exporter.cli.oneshot import OneShot
from exporter.cli.report import code_of, report_failures
from exporter.cli.terminal.output import put_out
from exporter.cli.terminal.progress import Progress
from exporter.cli.terminal.table import terminal_width
from exporter.config.load import load
from exporter.scan.enrich import Enrichment
from exporter.state.ledger import Ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from exporter.cli.oneshot import Outcome, TargetSession
    from exporter.config.settings import BucketSettings
    from exporter.model.results import ScanResult

    Outcomes = Sequence[Outcome[ScanResult]]


def run(options: argparse.Namespace) -> int:
    """Scan once and show what was found. Raises ConfigError and UsageError."""
    settings = load(options.config_file, os.environ)
    targets = chosen(settings, options.targets, options.buckets)
    check_output(options.output)
    on_signals(break_off)
    with Progress(sys.stderr) as progress:
        survey = OneShot(targets, progress, progress, only=frozenset(options.buckets))
        outcomes = survey.buckets(partial(_scanner, settings.ages, progress))
    check_found(options.buckets, [outcome.bucket for outcome in outcomes])
    write: dict[str, Callable[[Outcomes], str]] = {
        "table": partial(scan_table, None if options.output else terminal_width()),
        "json": partial(scan_json, settings.ages),
        "prometheus": partial(scan_metrics, settings.ages),
    }
    put_out(write[options.format](outcomes), options.output)
    report_failures(outcomes)
    return code_of(outcomes)


def _scanner(
    ages: tuple[float, ...], progress: Progress, site: TargetSession
) -> Callable[[BucketSettings], ScanResult]:
    insight = Enrichment(site.target, site.store, site.stop)
    scanner, name = site.scanner(ages, insight), site.target.name
    return lambda bucket: scanner.scan(bucket, Ledger(), partial(progress.watch, name, bucket.name))
