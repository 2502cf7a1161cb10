"""Scan results as a table and as JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from exporter.cli.terminal.table import Column, table
from exporter.model.errors import Failure
from exporter.model.uploads import age_at
from exporter.text.humanize import human_bytes, human_count, human_seconds
from exporter.text.quoting import one_line
from exporter.web.records import values_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.cli.oneshot import Outcome
    from exporter.model.results import ScanResult

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
_AT_ODDS = (Column("unlisted", right=True), Column("denied", right=True))
"""Shown only where the listing and the store's other answers disagree."""


def scan_table(width: int | None, outcomes: Outcomes) -> str:
    """Return a row per bucket, no wider than `width`.

    On a terminal, which has a width, a failure is its reason alone: standard error tells the whole of it.
    """
    values = [each.value for each in outcomes if not isinstance(each.value, Failure)]
    at_odds = _AT_ODDS if any(each.summary.contradictions for each in values) else ()
    rows = [_row(outcome, at_odds, brief=width is not None) for outcome in outcomes]
    return table((*_COLUMNS, *at_odds), rows, width) + "\n"


def _row(outcome: Outcome[ScanResult], at_odds: Sequence[Column], *, brief: bool) -> list[str]:
    names, value = [outcome.target.name, outcome.bucket or "(all)"], outcome.value
    if isinstance(value, Failure):
        return [*names, one_line(f"failed: {value.reason.value if brief else value}")]
    summary, began = value.summary, value.finished - value.duration
    return [
        *names,
        f"{summary.uploads:,}",
        human_bytes(summary.bytes),
        human_seconds(age_at(began, summary.oldest_initiated)),
        human_count(summary.stale),
        human_count(summary.parts),
        human_seconds(age_at(began, summary.oldest_activity)),
        f"{summary.unsized:,}",
        human_seconds(value.duration),
        *([f"{summary.unlisted:,}", f"{summary.denied:,}"] if at_odds else []),
    ]


def scan_json(ages: tuple[float, ...], outcomes: Outcomes) -> str:
    """Return exact values as JSON: times are Unix seconds, durations seconds, null is what is not known."""
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
    done = {
        "success": True,
        "message": value.warning or None,
        "unknown_key": value.unknown_key or None,
        "notices": list(value.notices),
        "finished": value.finished,
        "duration_seconds": value.duration,
        "requests": value.requests,
    }
    return names | done | {"values": values_record(outcome.target.store, ages, value.summary)}
