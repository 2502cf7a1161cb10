"""The status page: a row per bucket, what it holds and, where it fails, why. Plain HTML, no scripts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.human import NOTHING, human_bytes, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.board import Entry

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mpu-exporter</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }}
body {{ margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ padding: .35rem .7rem; text-align: left; border-bottom: 1px solid #8884; vertical-align: top; }}
td {{ white-space: nowrap; }}
td.failing {{ white-space: normal; min-width: 18rem; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
.failing {{ color: #c62828; }}
@media (prefers-color-scheme: dark) {{ .failing {{ color: #ff8a80; }} }}
</style>
</head>
<body>
<h1>mpu-exporter</h1>
<p>Multipart uploads in progress, as of each bucket's last scan. Version {version}.
<a href="{telemetry_path}">Metrics</a>, <a href="/-/healthy">health</a>, <a href="/-/ready">readiness</a>.</p>
<p>{counts} As of {now}; all times are UTC.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Buckets">
<table>
<thead><tr><th>Target</th><th>Bucket</th><th>Last scan</th><th class="number">Uploads</th>
<th class="number">Pending</th><th class="number">Stale</th><th>Oldest initiated</th>
<th>Least recent activity</th><th>Last success</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</body>
</html>
"""


def status_page(entries: Sequence[Entry], telemetry_path: str, now: float) -> str:
    """Return the page as HTML, failing buckets first. `now` is Unix seconds."""
    failing = sum(entry.success is False for entry in entries)
    ordered = sorted(entries, key=lambda entry: entry.success is not False)
    return _PAGE.format(
        version=__version__,
        telemetry_path=escape(telemetry_path),
        counts=f"{len(entries)} buckets, {failing} of them failing.",
        now=moment(now),
        rows="\n".join(_row(entry) for entry in ordered),
    )


def _row(entry: Entry) -> str:
    summary = entry.summary
    counts = (
        (str(summary.uploads), human_bytes(summary.bytes), str(summary.stale)) if summary else (NOTHING,) * 3
    )
    cells = [
        f"<td>{escape(entry.target)}</td><td>{escape(entry.bucket)}</td>",
        _outcome(entry),
        *(f'<td class="number">{count}</td>' for count in counts),
        f"<td>{moment(summary.oldest_initiated if summary else None)}</td>",
        f"<td>{moment(summary.oldest_activity if summary else None)}</td>",
        f"<td>{moment(entry.last_success)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _outcome(entry: Entry) -> str:
    if entry.success is None:
        return f"<td>not scanned {'since the start' if entry.summary else 'yet'}</td>"
    if entry.reason:
        return f'<td class="failing">failed: {entry.reason}<br>{escape(entry.message)}</td>'
    duration = f"{entry.duration:.1f} s" if entry.duration is not None else NOTHING
    if entry.complete:
        return f"<td>complete, {duration}</td>"
    return f'<td class="failing">uploads unsized, {duration}<br>{escape(entry.message)}</td>'
