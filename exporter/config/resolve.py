"""A validated File in, Settings out: defaults handed down from file to target to bucket, paths made whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.config.credentials import Secret
from exporter.config.key_definition import list_keys
from exporter.config.models import SettingsSection

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, ScanSettings, Settings, TargetSettings


def resolve(file: SettingsSection, folder: Path) -> Settings:
    """Return the settings of a File. `folder` is the config file's: relative paths begin there."""
    settings: Settings = _resolve(file, folder)
    written = file.targets  # type: ignore[attr-defined] # models are made of the settings
    targets = zip(settings.targets, written, strict=True)
    return replace(
        settings, targets=tuple(_inherit(target, model, settings.scan) for target, model in targets)
    )


def _resolve(section: SettingsSection, folder: Path) -> Any:  # noqa: ANN401 - an object of its settings_class
    values: dict[str, object] = {}
    for filled, name, _ in list_keys(section.settings_class):
        value = getattr(section, name)
        if value is not None:
            values.setdefault(filled.name, _convert(value, folder))
    if section.model_extra:
        values["by_class"] = tuple(sorted(section.model_extra.items()))
    return section.settings_class(**values)


def _convert(value: object, folder: Path) -> object:
    if isinstance(value, SettingsSection):
        return _resolve(value, folder)
    if isinstance(value, list):
        return tuple(_convert(item, folder) for item in value)
    if isinstance(value, dict):
        return tuple(value.items())
    if isinstance(value, Secret) and value.file:
        return Secret(file=folder / value.file)
    return folder / value if isinstance(value, Path) else value


def _inherit(target: TargetSettings, written: Any, scan: ScanSettings) -> TargetSettings:  # noqa: ANN401
    """Return a target with what its scan and buckets, as they are written, take from the file and from it."""
    own_scan = {key: getattr(target.scan, key) for key in written.scan.model_fields_set}
    buckets = zip(target.buckets, written.buckets or written.vaults or (), strict=True)
    return replace(
        target,
        scan=replace(scan, **own_scan),
        buckets=tuple(_inherit_bucket(bucket, model, target) for bucket, model in buckets),
        prefix=target.prefix or None,
    )


def _inherit_bucket(bucket: BucketSettings, written: Any, target: TargetSettings) -> BucketSettings:  # noqa: ANN401
    prefix = target.prefix if written.prefix is None else written.prefix
    stale_after = target.stale_after if written.stale_after is None else bucket.stale_after
    return replace(bucket, prefix=prefix or None, stale_after=stale_after)
