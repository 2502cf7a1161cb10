"""Failures and notices of a one-shot command on standard error, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.cli.exit_codes import OK, TARGET_FAILED
from exporter.cli.oneshot import LoggedFailure
from exporter.cli.standard_output import write_error
from exporter.model.errors import Failure
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.cli.oneshot import Outcome
    from exporter.model.results import ScanResult

_NAMED = 3
"""Number of buckets that are named before a text about many."""


def warn(text: str) -> None:
    """Write one line to standard error, beside the result on standard output."""
    write_error(one_line(text))


def report_failures(outcomes: Iterable[Outcome[Any]]) -> None:
    """Write one line per failure to standard error, but for those that the log has."""
    for target, bucket, value in outcomes:
        if isinstance(value, Failure) and not isinstance(value, LoggedFailure):
            where = f"{target.name}/{bucket}" if bucket else target.name
            warn(f"{where}: {value}")


def report_notices(results: Iterable[tuple[str, str, ScanResult]]) -> None:
    """Write to standard error what scans found odd about the stores' answers, a line each.

    The results come with the names of target and bucket.
    """
    for line in tell_once((target, bucket, _notices(result)) for target, bucket, result in results):
        warn(line)


def tell_once(texts: Iterable[tuple[str, str, Iterable[str]]]) -> list[str]:
    """Return each text about buckets of a target once, after the first of them: `prod/a, b and 7 more: text`.

    The texts come with the names of target and bucket.
    """
    buckets: dict[tuple[str, str], list[str]] = {}
    for target, bucket, about in texts:
        for text in dict.fromkeys(about):
            buckets.setdefault((target, text), []).append(bucket)
    return [f"{target}/{_first(names)}: {text}" for (target, text), names in buckets.items()]


def _first(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _notices(result: ScanResult) -> list[str]:
    texts = [*result.summary.contradictions, *result.notices]
    if result.unknown_key:
        texts.insert(0, f'{result.warning}; the first such key is "{result.unknown_key}"')
    return texts


def exit_code(outcomes: Iterable[Outcome[Any]]) -> int:
    """Return TARGET_FAILED if anything failed, else OK."""
    return TARGET_FAILED if any(isinstance(each.value, Failure) for each in outcomes) else OK
