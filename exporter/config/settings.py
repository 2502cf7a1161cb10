"""Validated settings: immutable, complete, every default filled in. Only a secret is read when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.config.file_changes import CachedFile

if TYPE_CHECKING:
    from pathlib import Path


class StoreKind(StrEnum):
    """The kind of service behind a target."""

    S3 = "s3"
    OBS = "obs"
    GLACIER = "glacier"


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """How a target's buckets are scanned. Durations are seconds."""

    interval: float = 300.0
    timeout: float = 3600.0
    request_timeout: float = 30.0
    retries: int = 3
    keep_for: float = 86400.0
    parts: str = "remembered"
    page_size: int | None = None
    concurrency: int = 32
    workers: int = 2
    max_requests: int | None = None
    requests_per_second: float | None = None
    recheck_factor: float = 0.1
    recheck_at_least: float = 86400.0


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret given in the config, or in a file that is read again when it has changed."""

    text: str | None = field(default=None, repr=False)
    file: Path | None = None
    _cached: CachedFile | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep what the file held."""
        if self.file is not None:
            object.__setattr__(self, "_cached", CachedFile(self.file))

    def read(self) -> str:
        """Return the secret. Raises OSError where its file cannot be read."""
        return self._cached.read() if self._cached else self.text or ""


@dataclass(frozen=True, slots=True)
class AssumeRole:
    """A role to take. `duration` is seconds."""

    role_arn: str
    external_id: str | None = None
    session_name: str = "mpu-exporter"
    duration: float = 3600.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom requests are signed as. No profile and no keys: the SDK's own chain; then the role, if any."""

    profile: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    assume_role: AssumeRole | None = None


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How servers are verified, and what certificate we show them."""

    ca_file: Path | None = None
    insecure_skip_verify: bool = False
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """One bucket or vault to watch. `stale_after` is seconds; `region` is known where it was discovered."""

    name: str
    prefix: str | None = None
    stale_after: float = 604800.0
    region: str | None = None


@dataclass(frozen=True, slots=True)
class DiscoverSettings:
    """Which buckets or vaults of the account are watched: patterns of names. `refresh` is seconds."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    refresh: float = 3600.0


@dataclass(frozen=True, slots=True)
class Prices:
    """What a GiB costs a month, by storage class; None where a class has no price."""

    currency: str = "USD"
    default: float | None = None
    by_class: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TopSettings:
    """Whose uploads are counted apart: `by` holds prefix, initiator or both."""

    by: tuple[str, ...] = ("prefix", "initiator")
    depth: int = 1
    limit: int = 10


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """A store with its credentials and the buckets to watch: those listed, or those that `discover` finds.

    `prefix` and `stale_after` are those of buckets that say nothing else.
    """

    name: str
    store: StoreKind
    buckets: tuple[BucketSettings, ...]
    scan: ScanSettings = ScanSettings()
    region: str | None = None
    endpoint_url: str | None = None
    addressing_style: str = "auto"
    engine: str = "auto"
    signature: str = "obs"
    account_id: str = "-"
    stale_after: float = 604800.0
    labels: tuple[tuple[str, str], ...] = ()
    credentials: Credentials = Credentials()
    tls: TlsSettings = TlsSettings()
    proxy_url: str | None = field(default=None, repr=False)
    request_payer: str | None = None
    expected_bucket_owner: str | None = None
    price_per_1000_requests: float | None = None
    endpoint_urls: tuple[str, ...] = ()
    discover: DiscoverSettings | None = None
    prefix: str | None = None
    sse_customer_key: Secret | None = None
    lifecycle: bool = False
    price_per_gib_month: Prices | None = None
    top: TopSettings | None = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The URLs of its servers; () where they are Amazon's own."""
        return self.endpoint_urls or ((self.endpoint_url,) if self.endpoint_url else ())


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole config. `ages` are the bounds of the age histogram in seconds, ascending.

    `state_path` is where the ledger is kept; None: in memory.
    """

    targets: tuple[TargetSettings, ...]
    ages: tuple[float, ...] = (3600.0, 21600.0, 86400.0, 259200.0, 604800.0, 2592000.0)
    state_path: Path | None = None
