"""`uploads`: the uploads themselves over all targets, the worst first, and what aborts them."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli.arguments import check_found, check_output, chosen
from exporter.cli.exit import break_off, on_signals
from exporter.cli.formats.uploads import Shown, uploads_commands, uploads_csv, uploads_json, uploads_table
from exporter.cli.oneshot import OneShot
from exporter.cli.report import code_of, report_failures, warn
from exporter.cli.terminal.output import put_out
from exporter.cli.terminal.progress import Progress
from exporter.cli.terminal.table import terminal_width
from exporter.cli.upload_filter import Selection, Wanted, worst
from exporter.config.load import load
from exporter.state.ledger import Ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from exporter.cli.oneshot import TargetSession
    from exporter.cli.upload_filter import Counts
    from exporter.config.settings import BucketSettings
    from exporter.model.uploads import Found

    Watch = Callable[[Found], None]


def run(options: argparse.Namespace) -> int:
    """Show the uploads that were asked for. Raises ConfigError and UsageError."""
    settings = load(options.config_file, os.environ)
    targets = chosen(settings, options.targets, options.buckets)
    check_output(options.output)
    filters = options.older_than, options.idle_for, options.min_bytes
    wanted = Wanted(time.time(), options.sort, options.limit, *filters)
    on_signals(break_off)
    with Progress(sys.stderr) as progress:
        survey = OneShot(targets, progress, progress, only=frozenset(options.buckets))
        outcomes = survey.buckets(partial(_selector, wanted, progress))
    check_found(options.buckets, [outcome.bucket for outcome in outcomes])
    selections = [each.value for each in outcomes if isinstance(each.value, Selection)]
    rows, counts = worst(selections, wanted.limit)
    shown = Shown(rows, counts, wanted.now, outcomes)
    put_out(_text(options, shown), options.output)
    _tell_left_out(counts, len(rows))
    report_failures(outcomes)
    return code_of(outcomes)


def _text(options: argparse.Namespace, shown: Shown) -> str:
    if options.format == "table":
        return uploads_table(shown, None if options.output else terminal_width())
    formats = {"json": uploads_json, "csv": uploads_csv, "commands": uploads_commands}
    return formats[options.format](shown)


def _selector(
    wanted: Wanted, progress: Progress, site: TargetSession
) -> Callable[[BucketSettings], Selection]:
    scanner = site.scanner()

    def select(bucket: BucketSettings) -> Selection:
        selections: list[Selection] = []

        def new_watch() -> Watch:
            selections.append(Selection(wanted, site.target, bucket.name))
            return _both(selections[-1].add, progress.watch(site.target.name, bucket.name))

        scanner.scan(bucket, Ledger(), new_watch)
        return selections[-1]

    return select


def _both(one: Watch, other: Watch) -> Watch:
    def watch(found: Found) -> None:
        one(found)
        other(found)

    return watch


def _tell_left_out(counts: Counts, shown: int) -> None:
    if counts.wanted > shown:
        warn(f"{shown:,} of {counts.wanted:,} uploads are shown; --limit=0 shows all")
    if counts.undated:
        warn(f"{counts.undated:,} uploads are left out: how old or idle they are is not known")
    if counts.unsized:
        warn(f"{counts.unsized:,} uploads are left out: how many bytes they hold is not known")
