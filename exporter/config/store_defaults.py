"""Defaults that one kind of store has other than the rest, for keys that the file does not give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.config.cleanup import CleanupSettings
from exporter.config.durations import parse_duration
from exporter.config.settings import StoreKind

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from exporter.config.settings import ScanSettings, TargetSettings

_TARGETS: Mapping[StoreKind, Mapping[str, Any]] = {
    # Azure removes blocks a week after the last one, so that with the general 7d no upload were ever stale:
    # https://learn.microsoft.com/rest/api/storageservices/put-block
    StoreKind.AZURE: {
        "stale_after": parse_duration("1d"),
        "cleanup": CleanupSettings("store", parse_duration("7d")),
    },
}
_SCANS: Mapping[StoreKind, Mapping[str, Any]] = {
    # a scan lists all blobs of a container, not only the uploads
    StoreKind.AZURE: {"interval": parse_duration("1h")},
}


def cleans_up_by_itself(target: TargetSettings) -> bool:
    """Whether a target's `cleanup` is what its kind of store does, whoever runs it."""
    return target.cleanup is not None and target.cleanup == _TARGETS.get(target.store, {}).get("cleanup")


def with_defaults(target: TargetSettings, given: Container[str]) -> TargetSettings:
    """Return a target of which the file gives these keys."""
    own = _TARGETS.get(target.store, {})
    return replace(target, **{name: value for name, value in own.items() if name not in given})


def default_scan(store: StoreKind, scan: ScanSettings, given: Container[str]) -> ScanSettings:
    """Return what targets of a kind of store inherit: the top-level `scan`, of which these keys are given."""
    own = _SCANS.get(store, {})
    return replace(scan, **{name: value for name, value in own.items() if name not in given})
