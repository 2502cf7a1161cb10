"""Which targets and buckets of the config a command is to ask: names in, settings out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from exporter.config.settings import Settings, TargetSettings


def chosen(settings: Settings, targets: Sequence[str], buckets: Sequence[str]) -> list[TargetSettings]:
    """Return the named targets, all where none is named, that have or may have one of the named buckets.

    Raises UsageError for a name that the config does not know.
    """
    known = {target.name: target for target in settings.targets}
    for name in targets:
        if name not in known:
            raise UsageError(f"--target: no target is called {name!r}; the config has {_listed(known)}")
    asked = [target for name, target in known.items() if not targets or name in targets]
    if not buckets:
        return asked
    names = {bucket.name for target in asked for bucket in target.buckets}
    finding = any(target.discover for target in asked)
    for name in buckets:
        if name not in names and not finding:
            raise UsageError(f"--bucket: no bucket is called {name!r}; there is {_listed(names)}")
    return [
        target
        for target in asked
        if target.discover or any(bucket.name in buckets for bucket in target.buckets)
    ]


def check_found(names: Iterable[str], found: Sequence[str]) -> None:
    """Raise UsageError for a bucket that was named, and that no target was found to have.

    Not where one is found as '': there a target's buckets could not be found.
    """
    missing = sorted(set(names) - set(found))
    if missing and "" not in found:
        raise UsageError(f"--bucket: no target has a bucket called {', '.join(map(repr, missing))}")


def check_output(file: Path | None) -> None:
    """Raise UsageError where the file could not be written: better before an hour's work than after it."""
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise UsageError(f"--output: {file}: there is no folder {file.parent} to write to")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
