"""`scan`: one pass over every bucket, shown as a table, as JSON or as metrics."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli.arguments import require_found, require_writable, select_targets
from exporter.cli.config_file import read_config
from exporter.cli.formats.scan import scan_json, scan_table
from exporter.cli.oneshot import OneShot
from exporter.cli.report import exit_code, report_failures, report_notices
from exporter.cli.signals import exit_interrupted, handle_termination
from exporter.cli.terminal.output import write_output
from exporter.cli.terminal.progress import Progress
from exporter.cli.terminal.table import terminal_width
from exporter.model.results import ScanResult
from exporter.scan.enrich import Enrichment
from exporter.state.ledger import Ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from exporter.cli.oneshot import Outcome, TargetSession
    from exporter.config.settings import BucketSettings, Settings
    from exporter.stores.base import Store

    Outcomes = Sequence[Outcome[ScanResult]]


def run(options: argparse.Namespace) -> int:
    """Scan once and show what was found. Raises ConfigError and UsageError."""
    settings = read_config(options.config_file)
    targets = select_targets(settings, options.targets, options.buckets)
    require_writable(options.output)
    handle_termination(exit_interrupted)
    stores: dict[str, Store] = {}
    with Progress(sys.stderr) as progress:
        one_shot = OneShot(targets, progress, progress, bucket_names=frozenset(options.buckets))
        outcomes = one_shot.for_each_bucket(partial(_scanner, settings.ages, progress, stores))
    require_found(options.buckets, [outcome.bucket for outcome in outcomes])
    scanned = {outcome.target.name for outcome in outcomes}
    # where --bucket names none of a target, how many it has is not told
    shown = [each for each in targets if not options.buckets or each.name in scanned]
    write: dict[str, Callable[[Outcomes], str]] = {
        "table": partial(scan_table, None if options.output else terminal_width()),
        "json": partial(scan_json, settings.ages),
        "prometheus": partial(_metrics, replace(settings, targets=tuple(shown)), stores),
    }
    write_output(write[options.format](outcomes), options.output)
    report_notices(
        (target.name, bucket, value) for target, bucket, value in outcomes if isinstance(value, ScanResult)
    )
    report_failures(outcomes)
    return exit_code(outcomes)


def _metrics(settings: Settings, stores: Mapping[str, Store], outcomes: Outcomes) -> str:
    from exporter.cli.formats.metrics import scan_metrics  # noqa: PLC0415 - loads prometheus_client

    regions = {name: store.signing_region for name, store in stores.items()}
    return scan_metrics(settings, outcomes, regions=regions)


def _scanner(
    ages: tuple[float, ...], progress: Progress, stores: dict[str, Store], session: TargetSession
) -> Callable[[BucketSettings], ScanResult]:
    """Return what scans a target's buckets; its store is added to `stores`."""
    stores[session.target.name] = session.client.store
    enrichment = Enrichment(session.target, session.client)
    scanner, name = session.scanner(ages, enrichment), session.target.name
    return lambda bucket: scanner.scan(
        bucket, Ledger.for_one_scan(), lambda: [progress.watch(name, bucket.name)]
    )
