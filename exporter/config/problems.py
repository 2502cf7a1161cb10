"""The problems of a config file: paths and texts in, an error with a line for each out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KeyPath = tuple[str | int, ...]
"""The path of a value: keys and list positions from the top of the file."""

Fault = tuple[KeyPath, str]
"""The path of a faulty value, and what is wrong with it."""

STANDARD_INPUT = "-"
"""In place of a file's name: the config is read from standard input."""
_KEYS_WITH_DIGITS = {"price_per_1000_requests", "http2"}


class ConfigError(Exception):
    """A config file that cannot be used. `problems` holds one line for each thing to fix."""

    def __init__(self, problems: Iterable[str]) -> None:
        """Keep the lines as they are; `str()` of the error is all of them."""
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Problem(NamedTuple):
    """One thing to fix. `line` counts from 1; 0 is the file as a whole."""

    line: int
    where: str
    text: str


def make_error(file: Path, problems: Iterable[Problem]) -> ConfigError:
    """Return the error that lists `problems` by line, each once."""
    return ConfigError(_show_problem(file, problem) for problem in sorted(set(problems)))


def show_file(file: Path) -> str:
    """Return a config file's name as it is written in messages."""
    return "standard input" if str(file) == STANDARD_INPUT else str(file)


def show_path(where: KeyPath) -> str:
    """Return a path as it is written in messages: `targets[2].scan.interval`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_show_key(step)}" for step in where)[1:]


def _show_key(key: str) -> str:
    """Return a key without what may be a value: `{secret_access_key:abc}` without a space is one key."""
    if key in _KEYS_WITH_DIGITS:
        return key
    return re.sub("[^a-z_].*", "…", key, count=1, flags=re.DOTALL) or '""'


def _show_problem(file: Path, problem: Problem) -> str:
    place = f"{show_file(file)}:{problem.line}" if problem.line else show_file(file)
    return ": ".join(part for part in (place, problem.where, problem.text) if part)
