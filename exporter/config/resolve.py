"""A file whose values are read in, Settings out: defaults are handed down, and paths are made whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.config.credentials import Secret
from exporter.config.store_defaults import default_scan, with_defaults
from exporter.config.validate import Written

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, ScanSettings, Settings, TargetSettings


def resolve(file: Written, folder: Path) -> Settings:
    """Return the settings of a file. `folder` is the config file's: relative paths begin there."""
    settings: Settings = fill(file, folder)
    written: Any = file.values["targets"]
    scan: Any = file.values.get("scan")
    given = scan.values if scan else ()
    targets = zip(settings.targets, written, strict=True)
    return replace(
        settings,
        targets=tuple(
            _inherit(target, each, default_scan(target.store, settings.scan, given))
            for target, each in targets
        ),
    )


def fill(written: Written, folder: Path) -> Any:  # noqa: ANN401 - an object of the section's class
    """Return the class of the settings that a section fills, with defaults for what is not written."""
    section, values = written.section, written.values
    found: dict[str, object] = {}
    for name, known in section.keys.items():
        value = values.get(name)
        if value is not None:
            found.setdefault(known.setting, _convert(value, folder))
    if section.others:
        found["by_class"] = tuple(sorted(item for item in values.items() if item[0] not in section.keys))
    return section.settings_class(**found)


def _convert(value: object, folder: Path) -> object:
    if isinstance(value, Written):
        return fill(value, folder)
    if isinstance(value, list):
        return tuple(_convert(item, folder) for item in value)
    if isinstance(value, Secret) and value.file:
        return Secret(file=folder / value.file)
    return folder / value if isinstance(value, Path) else value


def _inherit(target: TargetSettings, written: Written, scan: ScanSettings) -> TargetSettings:
    """Return a target with what its scan and buckets, as they are written, take from the file and from it."""
    values: dict[str, Any] = written.values
    target = with_defaults(target, values)
    own_scan = {key: getattr(target.scan, key) for key in values["scan"].values} if "scan" in values else {}
    named = values.get("buckets") or values.get("containers") or values.get("vaults") or ()
    buckets = zip(target.buckets, named, strict=True)
    return replace(
        target,
        scan=replace(scan, **own_scan),
        buckets=tuple(_inherit_bucket(bucket, each, target) for bucket, each in buckets),
        prefix=target.prefix or None,
    )


def _inherit_bucket(bucket: BucketSettings, written: Written, target: TargetSettings) -> BucketSettings:
    prefix = target.prefix if written.values.get("prefix") is None else bucket.prefix
    is_own = written.values.get("stale_after") is not None
    stale_after = bucket.stale_after if is_own else target.stale_after
    if (bucket.prefix, bucket.stale_after) == (prefix or None, stale_after):
        return bucket  # most have nothing of their own, and there may be thousands
    return replace(bucket, prefix=prefix or None, stale_after=stale_after)
