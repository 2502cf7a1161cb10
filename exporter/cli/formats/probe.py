"""Probe results as a table, with the permissions to grant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.oneshot import LoggedFailure
from exporter.cli.terminal.table import Column, table
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.cli.probe import ProbeResult

_NAMED = 3
"""Number of buckets that are named before a note."""
_COLUMNS = (
    Column("target", cut=True),
    Column("bucket", cut=True),
    Column("call"),
    Column("answer"),
    Column("grant"),
)


def probe_table(probed: Sequence[ProbeResult], width: int | None = None) -> str:
    """Return a row per call, no wider than `width`, then each missing permission in full, then the notes."""
    lines = [table(_COLUMNS, [_row(each) for each in probed], width)]
    if grants := sorted({each.grant for each in probed if each.grant}):
        lines += ["", "Missing, to be granted:", *(f"  {grant}" for grant in grants)]
    if noted := _notes(probed):
        lines += ["", "Notes:", *(f"  {note}" for note in noted)]
    return "\n".join(lines)


def _notes(probed: Iterable[ProbeResult]) -> list[str]:
    """Return each note of a target once, after the buckets that it is about."""
    buckets: dict[tuple[str, str], list[str]] = {}
    for each in probed:
        for note in each.notes:
            buckets.setdefault((each.target, note), []).append(each.bucket or "(all)")
    return [one_line(f"{target}/{_some(names)}: {note}") for (target, note), names in buckets.items()]


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _row(each: ProbeResult) -> tuple[str, ...]:
    names = (each.target, each.bucket or "(all)", each.operation)
    if each.untried:
        return (*names, f"not tried: {each.untried}")
    if each.failure is None:
        return (*names, "allowed", "")
    return (*names, each.failure.reason.value, one_line(each.grant) or "-")


def failures(probed: Iterable[ProbeResult]) -> list[str]:
    """Return why each call failed, a line each, but for those of which the log tells."""
    return [
        f"{each.target}/{each.bucket}: {each.failure}" if each.bucket else f"{each.target}: {each.failure}"
        for each in probed
        if each.failure and not isinstance(each.failure, LoggedFailure)
    ]
