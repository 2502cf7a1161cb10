"""`uploads`: the uploads of all targets, sorted, and the commands that abort them."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from exporter.cli.arguments import require_found, require_writable, select_targets
from exporter.cli.config_file import read_config
from exporter.cli.errors import UsageError
from exporter.cli.flags import DEFAULT_LIMIT
from exporter.cli.formats.abort_script import abort_script
from exporter.cli.formats.uploads import UploadReport, uploads_csv, uploads_json, uploads_table
from exporter.cli.oneshot import OneShot
from exporter.cli.report import exit_code, report_failures, report_notices, warn
from exporter.cli.signals import exit_interrupted, handle_termination
from exporter.cli.terminal.output import write_output
from exporter.cli.terminal.progress import Progress
from exporter.cli.terminal.table import terminal_width
from exporter.cli.upload_filter import UploadFilter, UploadSelection, merge_selections
from exporter.state.ledger import Ledger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from exporter.cli.oneshot import TargetSession
    from exporter.cli.upload_filter import Counts
    from exporter.config.settings import BucketSettings
    from exporter.scan.scanner import UploadObserver


def run(options: argparse.Namespace) -> int:
    """Show the uploads that match the flags. Raises ConfigError and UsageError."""
    _require_choice(options)
    settings = read_config(options.config_file)
    targets = select_targets(settings, options.targets, options.buckets)
    require_writable(options.output)
    inactive = options.format == "commands" and _is_by_activity(options)
    filters = options.older_than, options.idle_for, options.min_bytes, options.stale, inactive
    upload_filter = UploadFilter(time.time(), options.sort, _limit(options), *filters)
    handle_termination(exit_interrupted)
    with Progress(sys.stderr) as progress:
        one_shot = OneShot(targets, progress, progress, bucket_names=frozenset(options.buckets))
        outcomes = one_shot.for_each_bucket(partial(_selector, upload_filter, progress))
    require_found(options.buckets, [outcome.bucket for outcome in outcomes])
    selections = [each.value for each in outcomes if isinstance(each.value, UploadSelection)]
    rows, counts = merge_selections(selections, upload_filter.limit)
    report = UploadReport(rows, counts, upload_filter.now, outcomes)
    write_output(_text(options, report), options.output)
    _warn_of_left_out(counts, sum(not row.found.denied for row in rows))
    for target, bucket, value in outcomes:
        if isinstance(value, UploadSelection) and value.counts.matched and value.tells_initiations_alone:
            _warn_of_initiations(options, f"{target.name}/{bucket}")
    report_notices(
        (target.name, bucket, value.result)
        for target, bucket, value in outcomes
        if isinstance(value, UploadSelection) and value.result
    )
    report_failures(outcomes)
    return exit_code(outcomes)


def _require_choice(options: argparse.Namespace) -> None:
    """Raise UsageError for commands that would abort whatever is there, and for two choices at odds."""
    chosen = _is_by_activity(options) or options.older_than is not None
    if options.every and chosen:
        raise UsageError("--all: is for uploads of any age, not beside --stale, --idle-for or --older-than")
    if options.format == "commands" and not (chosen or options.every):
        raise UsageError(
            "--format=commands: would abort uploads that are still running: choose by --stale, --idle-for "
            "or --older-than, or say --all"
        )


def _is_by_activity(options: argparse.Namespace) -> bool:
    return options.stale or options.idle_for is not None


def _limit(options: argparse.Namespace) -> int:
    """Return the maximum number of uploads; a script has all of them by default, to be done with them."""
    if options.limit is not None:
        return int(options.limit)
    return 0 if options.format == "commands" else DEFAULT_LIMIT


def _text(options: argparse.Namespace, report: UploadReport) -> str:
    if options.format == "table":
        return uploads_table(report, None if options.output else terminal_width())
    formats = {"json": uploads_json, "csv": uploads_csv, "commands": abort_script}
    return formats[options.format](report)


def _selector(
    upload_filter: UploadFilter, progress: Progress, session: TargetSession
) -> Callable[[BucketSettings], UploadSelection]:
    scanner = session.scanner()

    def select(bucket: BucketSettings) -> UploadSelection:
        selections: list[UploadSelection] = []

        def new_observers() -> Sequence[UploadObserver]:
            selections.append(UploadSelection(upload_filter, session.target, bucket))
            return selections[-1].add, progress.watch(session.target.name, bucket.name)

        result = scanner.scan(bucket, Ledger.for_one_scan(), new_observers)
        selections[-1].result = result
        selections[-1].signing_region = session.client.store.signing_region
        store = session.client.store
        selections[-1].tells_initiations_alone = store.has_initiation_times and not store.has_part_times
        return selections[-1]

    return select


def _warn_of_initiations(options: argparse.Namespace, where: str) -> None:
    """Say that a choice by activity was one by initiation, as the store tells no times of parts."""
    if _is_by_activity(options):
        warn(
            f"{where}: judged by their initiation, as the store tells no times of parts: an exporter that "
            "serves has seen when parts changed, and shows it in /uploads"
        )


def _warn_of_left_out(counts: Counts, shown: int) -> None:
    if counts.matched > shown:
        warn(f"{shown:,} of {counts.matched:,} uploads are shown; --limit=0 shows all")
    if counts.undated:
        warn(f"{counts.undated:,} uploads are left out: how old or idle they are is not known")
    if counts.unasked:
        warn(
            f"{counts.unasked:,} uploads are left out, as they may still be running: their parts are not "
            "known. Choose by --older-than alone to have them, too"
        )
    if counts.unsized:
        warn(f"{counts.unsized:,} uploads are left out: how many bytes they hold is not known")
