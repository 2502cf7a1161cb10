"""Sections of a target: TLS, discovery, prices, and groups of uploads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from exporter.config.key_definition import duration_key, key

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.field_types import Currency, Duration, Pattern, Price


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How servers are verified, and the client certificate."""

    ca_file: Path | None = key(None, "CA certificates (PEM) trusted instead of the system's.")
    insecure_skip_verify: bool = key(default=False, description="Accept any certificate. For trials only.")
    cert_file: Path | None = key(None, "Client certificate (PEM); needs key_file.")
    key_file: Path | None = key(None, "The key (PEM) of cert_file.")


@dataclass(frozen=True, slots=True)
class DiscoverSettings:
    """Which of the account's buckets, containers or vaults are watched; found anew every `refresh`."""

    include: tuple[Pattern, ...] = key(
        (), "Regular expressions; a name that one of them finds is watched; []: all names."
    )
    exclude: tuple[Pattern, ...] = key((), "Regular expressions; a name that one of them finds is left out.")
    refresh: Duration = duration_key("1h", "Time between two listings of the buckets, containers or vaults.")


@dataclass(frozen=True, slots=True)
class Prices:
    """What a GiB costs a month, by the storage class that its bytes are billed as: `STANDARD_IA: 0.0125`."""

    currency: Currency = key("USD", "The prices' currency: three capital letters.")
    default: Price | None = key(None, "The price of classes not named here; null: their bytes have no price.")
    by_class: tuple[tuple[str, float], ...] = ()
    """Every further key of the section, sorted."""


@dataclass(frozen=True, slots=True)
class TopSettings:
    """Groups of uploads that are counted separately: the largest by name, the rest together."""

    by: tuple[Literal["prefix", "initiator"], ...] = key(
        ("prefix", "initiator"), "prefix: the first parts of the key; initiator: who started the upload."
    )
    depth: int = key(1, "Number of leading parts of the key, split at /, that make a prefix.", ge=1, le=10)
    limit: int = key(10, "Maximum number of named groups; the rest is counted together.", ge=1, le=100)
