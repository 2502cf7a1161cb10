"""YAML in, immutable settings out: `load` reports every problem of a config file at once."""

from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.config.settings import (
    AssumeRole,
    BucketSettings,
    Credentials,
    DiscoverSettings,
    Prices,
    ScanSettings,
    Secret,
    Settings,
    StoreKind,
    TargetSettings,
    TlsSettings,
    TopSettings,
)

__all__ = [
    "AssumeRole",
    "BucketSettings",
    "ConfigError",
    "Credentials",
    "DiscoverSettings",
    "Prices",
    "ScanSettings",
    "Secret",
    "Settings",
    "StoreKind",
    "TargetSettings",
    "TlsSettings",
    "TopSettings",
    "load",
]
