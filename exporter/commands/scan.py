"""`scan`: one pass over every bucket, shown as a table, as JSON or as metrics."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from exporter.board import Board, Entry
from exporter.choice import check_found, check_output, chosen
from exporter.config import load
from exporter.cost import tariff_of
from exporter.exits import break_off, on_signals
from exporter.exposition import Exposition
from exporter.human import human_bytes, human_seconds
from exporter.insight import Insight
from exporter.ledger import Ledger
from exporter.metrics import BoardCollector
from exporter.quoting import one_line
from exporter.survey import Failure, Survey
from exporter.telling import code_of, tell_failures
from exporter.terminal.output import put_out
from exporter.terminal.progress import Progress
from exporter.terminal.table import Column, table, terminal_width

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from exporter.board import ScanResult
    from exporter.config.settings import BucketSettings
    from exporter.survey import Outcome, Site

    Outcomes = Sequence[Outcome[ScanResult]]

_COLUMNS = (
    Column("target", cut=True),
    Column("bucket", cut=True),
    Column("uploads", right=True),
    Column("bytes", right=True),
    Column("oldest", right=True),
    Column("stale", right=True),
    Column("parts", right=True, spare=True),
    Column("idle longest", right=True, spare=True),
    Column("unsized", right=True, spare=True),
    Column("took", right=True, spare=True),
)
_NUMBERS = (
    *("uploads", "parts", "bytes", "stale", "stale_bytes", "empty", "unsized", "undated"),
    *("oldest_initiated", "oldest_activity"),
)


def run(options: argparse.Namespace) -> int:
    """Scan once and show what was found. Raises ConfigError and UsageError."""
    settings = load(options.config_file, os.environ)
    targets = chosen(settings, options.targets, options.buckets)
    check_output(options.output)
    on_signals(break_off)
    with Progress(sys.stderr) as progress:
        survey = Survey(targets, progress, progress, only=frozenset(options.buckets))
        outcomes = survey.buckets(partial(_scanner, settings.ages, progress))
    check_found(options.buckets, [outcome.bucket for outcome in outcomes])
    write: dict[str, Callable[[Outcomes], str]] = {
        "table": partial(_table, None if options.output else terminal_width()),
        "json": partial(_json, settings.ages),
        "prometheus": partial(_metrics, settings.ages),
    }
    put_out(write[options.format](outcomes), options.output)
    tell_failures(outcomes)
    return code_of(outcomes)


def _scanner(
    ages: tuple[float, ...], progress: Progress, site: Site
) -> Callable[[BucketSettings], ScanResult]:
    insight = Insight(site.target, site.store, site.stop)
    scanner, name = site.scanner(ages, insight), site.target.name
    return lambda bucket: scanner.scan(bucket, Ledger(), partial(progress.watch, name, bucket.name))


def _table(width: int | None, outcomes: Outcomes) -> str:
    return table(_COLUMNS, [_row(outcome) for outcome in outcomes], width) + "\n"


def _row(outcome: Outcome[ScanResult]) -> list[str]:
    names, value = [outcome.target.name, outcome.bucket or "(all)"], outcome.value
    if isinstance(value, Failure):
        return [*names, one_line(f"failed: {value}")]
    summary, began = value.summary, value.finished - value.duration
    return [
        *names,
        f"{summary.uploads:,}",
        human_bytes(summary.bytes),
        human_seconds(_since(summary.oldest_initiated, began)),
        f"{summary.stale:,}",
        "–" if summary.parts is None else f"{summary.parts:,}",  # noqa: RUF001 - a dash for people
        human_seconds(_since(summary.oldest_activity, began)),
        f"{summary.unsized:,}",
        human_seconds(value.duration),
    ]


def _since(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - moment)


def _json(ages: tuple[float, ...], outcomes: Outcomes) -> str:
    found = {"time": time.time(), "buckets": [_entry(ages, outcome) for outcome in outcomes]}
    return json.dumps(found, indent=2) + "\n"


def _entry(ages: tuple[float, ...], outcome: Outcome[ScanResult]) -> dict[str, object]:
    value = outcome.value
    names = {
        "target": outcome.target.name,
        "store": outcome.target.store.value,
        "bucket": outcome.bucket or None,
    }
    if isinstance(value, Failure):
        return names | {"success": False, "reason": value.reason.value, "message": value.message}
    summary = value.summary
    bounds = [*(f"{age:.0f}" for age in ages), "+Inf"]
    return (
        names
        | {"success": True, "complete": not summary.unsized, "trouble": value.trouble or None}
        | {name: getattr(summary, name) for name in _NUMBERS}
        | {"bytes_by_class": dict(summary.bytes_by_class)}
        | {"ages": dict(zip(bounds, summary.age_counts, strict=True)) if summary.age_counts else {}}
        | {"finished": value.finished, "duration": value.duration}
    )


def _metrics(ages: tuple[float, ...], outcomes: Outcomes) -> str:
    board = Board()
    tried = [outcome for outcome in outcomes if outcome.bucket]
    board.declare(
        Entry(
            each.target.name,
            each.bucket,
            each.target.store.value,
            each.target.scan.keep_for,
            ages,
            tariff=tariff_of(each.target),
        )
        for each in tried
    )
    for each in tried:
        key = (each.target.name, each.bucket)
        if isinstance(each.value, Failure):
            board.fail(key, *each.value, None)
        else:
            board.publish(key, each.value)
    return Exposition(BoardCollector(board), CollectorRegistry()).render().decode()
