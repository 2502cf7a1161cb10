"""Checks of command-line arguments against the config: names in, targets out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from exporter.config.settings import Settings, TargetSettings


def select_targets(
    settings: Settings, targets: Sequence[str], buckets: Sequence[str]
) -> list[TargetSettings]:
    """Return the targets named by --target (all without it) that have, or may discover, a bucket of --bucket.

    Raises UsageError for a name that the config does not have.
    """
    known = {target.name: target for target in settings.targets}
    for name in targets:
        if name not in known:
            raise UsageError(f"--target: no target is called {name!r}; the config has {_listed(known)}")
    selected = [target for name, target in known.items() if not targets or name in targets]
    if not buckets:
        return selected
    names = {bucket.name for target in selected for bucket in target.buckets}
    discovers = any(target.discover for target in selected)
    for name in buckets:
        if name not in names and not discovers:
            raise UsageError(f"--bucket: no bucket is called {name!r}; there is {_listed(names)}")
    return [
        target
        for target in selected
        if target.discover or any(bucket.name in buckets for bucket in target.buckets)
    ]


def require_found(names: Iterable[str], found: Sequence[str]) -> None:
    """Raise UsageError for a bucket of --bucket that no target has.

    Nothing is raised where `found` contains '': the discovery of a target failed.
    """
    missing = sorted(set(names) - set(found))
    if missing and "" not in found:
        raise UsageError(f"--bucket: no target has a bucket called {', '.join(map(repr, missing))}")


def require_writable(file: Path | None) -> None:
    """Raise UsageError, before the work begins, if the file of --output cannot be written."""
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise UsageError(f"--output: {file}: there is no folder {file.parent} to write to")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
