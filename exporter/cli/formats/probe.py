"""Probe results as a table, with the permissions to grant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.oneshot import LoggedFailure
from exporter.cli.report import tell_once
from exporter.cli.terminal.table import Column, table
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.cli.probe import ProbeResult

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
    if noted := tell_once((each.target, each.bucket or "(all)", each.notes) for each in probed):
        lines += ["", "Notes:", *(f"  {one_line(note)}" for note in noted)]
    return "\n".join(lines)


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
