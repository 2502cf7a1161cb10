"""Uploads as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.cli.terminal.table import Column, table
from exporter.model.errors import Failure
from exporter.model.uploads import age_at
from exporter.stores.abort_command import abort_commands, command_line
from exporter.text.humanize import human_bytes, human_count, human_seconds
from exporter.text.quoting import csv_cell, one_line
from exporter.web.records import upload_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.cli.oneshot import Outcome
    from exporter.cli.upload_filter import Counts, FoundUpload
    from exporter.model.uploads import CountedUpload
    from exporter.web.records import Record

_COLUMNS = (
    Column("target", cut=True),
    Column("bucket", cut=True),
    Column("key", cut=True),
    Column("age", right=True),
    Column("idle", right=True),
    Column("bytes", right=True),
    Column("parts", right=True, spare=True),
    Column("class", spare=True),
    Column("upload id", cut=True, spare=True),
)
CSV_HEAD = (
    *("target", "store", "bucket", "key", "upload_id", "initiated", "age_seconds", "last_activity"),
    *(
        "idle_seconds",
        "parts",
        "bytes",
        "storage_class",
        "initiator",
        "abort_at",
        "unlisted",
        "denied",
        "stale",
    ),
)
_AT_ODDS = Column("listing")
"""Shown only where the listing and the store's other answers disagree about an upload."""


class UploadReport(NamedTuple):
    """The uploads to show, the counts, the time of the query (Unix seconds), and all outcomes."""

    uploads: Sequence[FoundUpload]
    counts: Counts
    now: float
    outcomes: Sequence[Outcome[Any]]


def uploads_table(report: UploadReport, width: int | None = None) -> str:
    """Return one line per upload; keys with line breaks are quoted."""
    at_odds = [_AT_ODDS] if any(row.found.unlisted or row.found.denied for row in report.uploads) else []
    cells = [
        (
            row.target.name,
            row.bucket.name,
            one_line(row.upload.key),
            human_seconds(age_at(report.now, row.upload.initiated)),
            human_seconds(age_at(report.now, row.found.activity) if row.found.tells_activity else None),
            human_bytes(row.found.bytes),
            human_count(row.found.parts),
            one_line(row.found.storage_class),
            one_line(row.upload.upload_id),
            *(_at_odds(row.found) for _ in at_odds),
        )
        for row in report.uploads
    ]
    return table((*_COLUMNS, *at_odds), cells, width) + "\n"


def _at_odds(found: CountedUpload) -> str:
    if found.denied:
        return "denied"
    return "unlisted" if found.unlisted else ""


def uploads_json(report: UploadReport) -> str:
    """Return exact values as JSON: times are Unix seconds, sizes bytes, null is what is not known."""
    document = {
        "time": report.now,
        "matched": report.counts.matched,
        "denied": report.counts.denied,
        "left_out": {"undated": report.counts.undated, "unsized": report.counts.unsized},
        "uploads": [_record(row, report.now) for row in report.uploads],
        "failures": [
            {
                "target": target.name,
                "bucket": bucket or None,
                "reason": value.reason.value,
                "message": value.message,
            }
            for target, bucket, value in report.outcomes
            if isinstance(value, Failure)
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def uploads_csv(report: UploadReport) -> str:
    """Return CSV in which no spreadsheet reads a cell as a formula. Times are ISO 8601, UTC."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(CSV_HEAD)
    for row in report.uploads:
        record = _record(row, report.now)
        for name in ("initiated", "last_activity", "abort_at"):
            record[name] = _iso(record[name])
        writer.writerow(_csv_value(record[name]) for name in CSV_HEAD)
    return file.getvalue()


def _record(each: FoundUpload, now: float) -> Record:
    command = abort_commands(each.target, each.bucket, each.upload, each.signing_region)
    names = each.target.name, each.target.store.value, each.bucket.name
    return upload_record(*names, each.found, now=now, abort_command=command_line(command))


def _csv_value(value: object) -> object:
    """Return texts quoted for CSV, durations in whole seconds, and booleans as in JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return csv_cell(one_line(value))
    return round(value) if isinstance(value, float) else value


def _iso(seconds: object) -> str | None:
    if not isinstance(seconds, float):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
