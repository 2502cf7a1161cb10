"""YAML in, immutable settings out: `load` reports every problem of a config file at once."""

from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.config.settings import (
    BucketSettings,
    Credentials,
    ScanSettings,
    Secret,
    Settings,
    StoreKind,
    TargetSettings,
    TlsSettings,
)

__all__ = [
    "BucketSettings",
    "ConfigError",
    "Credentials",
    "ScanSettings",
    "Secret",
    "Settings",
    "StoreKind",
    "TargetSettings",
    "TlsSettings",
    "load",
]
