"""Failures and notices of a one-shot command on standard error, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.cli.exit_codes import OK, TARGET_FAILED
from exporter.cli.oneshot import LoggedFailure
from exporter.cli.standard_output import write_error
from exporter.model.errors import Failure
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.cli.oneshot import Outcome
    from exporter.model.results import ScanResult


def warn(text: str) -> None:
    """Write one line to standard error, beside the result on standard output."""
    write_error(one_line(text))


def report_failures(outcomes: Iterable[Outcome[Any]]) -> None:
    """Write one line per failure to standard error, but for those that the log has."""
    for target, bucket, value in outcomes:
        if isinstance(value, Failure) and not isinstance(value, LoggedFailure):
            where = f"{target.name}/{bucket}" if bucket else target.name
            warn(f"{where}: {value}")


def report_notices(target: str, bucket: str, result: ScanResult) -> None:
    """Write to standard error what a scan found odd about the store's answers, a line each."""
    texts = [*result.summary.contradictions, *result.notices]
    if result.unknown_key:
        texts.insert(0, f'{result.warning}; the first such key is "{result.unknown_key}"')
    for text in dict.fromkeys(texts):
        warn(f"{target}/{bucket}: {text}")


def exit_code(outcomes: Iterable[Outcome[Any]]) -> int:
    """Return TARGET_FAILED if anything failed, else OK."""
    return TARGET_FAILED if any(isinstance(each.value, Failure) for each in outcomes) else OK
