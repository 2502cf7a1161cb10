"""What commands that ask stores say of what failed, and with which code they end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from exporter.cli.exit import FINE, TARGET_FAILED
from exporter.model.errors import Failure
from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.cli.oneshot import Outcome


def warn(text: str) -> None:
    """Write one line for the person at the terminal, beside the result."""
    print(one_line(text), file=sys.stderr)


def report_failures(outcomes: Iterable[Outcome[Any]]) -> None:
    """Write each failure to standard error, a line each."""
    for target, bucket, value in outcomes:
        if isinstance(value, Failure):
            where = f"{target.name}/{bucket}" if bucket else target.name
            warn(f"{where}: {value}")


def code_of(outcomes: Iterable[Outcome[Any]]) -> int:
    """Return the exit code: whether anything failed."""
    return TARGET_FAILED if any(isinstance(each.value, Failure) for each in outcomes) else FINE
