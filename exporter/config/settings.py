"""Validated settings, immutable and complete; and the definition of the config file: each key is stated once.

The shape of the file, its JSON Schema, the check that a key goes with the kind of store, and comments
in config.example.yaml come from these fields, in this order. Durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from exporter.config.credentials import Credentials, Secret
from exporter.config.durations import parse_duration
from exporter.config.key_definition import Key, as_metadata, duration_key, key, setting
from exporter.config.target_sections import DiscoverSettings, Prices, TlsSettings, TopSettings

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.cleanup import CleanupSettings
    from exporter.config.field_types import (
        Account,
        BucketName,
        Duration,
        DurationOrZero,
        HttpUrl,
        LabelName,
        LabelValue,
        Name,
        OwnAccount,
        Price,
        Project,
        ProxyUrl,
        Region,
        StorageAccount,
        TagKey,
    )


class StoreKind(StrEnum):
    """The kind of service behind a target."""

    S3 = "s3"
    OBS = "obs"
    GLACIER = "glacier"
    GCS = "gcs"
    AZURE = "azure"


AZURE_HOST = "blob.core.windows.net"
"""What follows an account's name in the host of Azure's public cloud."""
_S3, _OBS, _GLACIER = (StoreKind.S3,), (StoreKind.OBS,), (StoreKind.GLACIER,)
_GCS, _AZURE = (StoreKind.GCS,), (StoreKind.AZURE,)
_S3_OBS = (*_S3, *_OBS)
_BY_KEY = (*_S3, *_OBS, *_GCS, *_AZURE)
"""Stores whose uploads have keys."""
_WEEK = "7d"
AgesAs = Literal["histogram", "gauges"]
"""How ages are shown: as mpu_upload_age_seconds, or as mpu_uploads_older_than."""
_AGES = ("1h", "6h", "1d", "3d", "7d", "30d")


def _names(name: str, description: str, stores: tuple[StoreKind, ...]) -> Key:
    return Key(description, None, name, stores, bounds={"min_length": 1})


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """How buckets are scanned. Under a target: what differs from the top-level `scan`."""

    interval: Duration = duration_key(
        "5m", "Time from the start of one scan of a bucket to the next; azure: 1h unless given."
    )
    timeout: Duration = duration_key("1h", "Time limit of the scan of one bucket.")
    request_timeout: Duration = duration_key("30s", "Time limit of one request, from connect to last byte.")
    retries: int = key(3, "Retries of one request: throttled, 5xx, timeout, connection lost.", ge=0, le=10)
    keep_for: DurationOrZero = duration_key(
        "24h", "Time for which failing scans keep the last good values; 0s: not at all."
    )
    parts: Literal["remembered", "always", "never"] = key(
        "remembered",
        "When parts are listed: always, never, or where they may have changed (remembered).",
    )
    page_size: int | None = key(
        None,
        "Entries per page; null: the store decides. glacier: at most 50, azure: 5000, others: 1000.",
        ge=1,
        le=5000,
    )
    concurrency: int = key(32, "Requests in flight per bucket.", ge=1, le=1024)
    listing_concurrency: int = key(
        8, "Segments of one bucket's listing read side by side, from the second scan on.", ge=1, le=64
    )
    workers: int = key(2, "Buckets of a target scanned at the same time.", ge=1, le=64)
    max_requests: int | None = key(
        None, "Requests per scan; sizing stops there, listing does not; null: no limit.", ge=1
    )
    requests_per_second: float | None = key(
        None, "Requests per second of a target; null: no limit.", ge=0.01, le=100000
    )
    recheck_factor: float = key(
        0.1, "An unchanged upload is sized again after this share of its idle time …", ge=0, le=1
    )
    recheck_at_least: Duration = duration_key("24h", "… and at least this often.")


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """A bucket, container or vault with settings of its own."""

    name: BucketName = field(
        metadata=as_metadata(Key("The name of the bucket, container or vault, or an access point's ARN."))
    )
    prefix: str | None = key(
        None, "Only uploads whose key begins so; null: the target's, empty: the whole bucket."
    )
    stale_after: Duration = key(
        parse_duration(_WEEK), "Instead of the target's stale_after; null: the target's.", written=None
    )
    region: str | None = None
    """Known where the bucket was discovered; not written in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """A store with its credentials and the buckets to watch."""

    name: Name = field(
        kw_only=False, metadata=as_metadata(Key("What metrics call this target. Unique; no white space."))
    )
    store: StoreKind = field(
        kw_only=False,
        metadata=as_metadata(
            Key(
                "The service: s3 (Amazon or compatible), obs (Huawei), glacier, gcs (Google) or azure (Blob)."
            )
        ),
    )
    region: Region | None = key(
        None, "The region to sign for; null: the SDK's own choice.", stores=(*_S3_OBS, *_GLACIER)
    )
    endpoint_url: HttpUrl | None = key(
        None, "The server, http or https; null: the cloud's own. Required for obs."
    )
    endpoint_urls: tuple[HttpUrl, ...] = key(
        (),
        "Nodes that each know only their own uploads (MinIO); the union is taken.",
        written=None,
        stores=_S3,
        min_length=1,
        max_length=64,
    )
    addressing_style: Literal["auto", "path", "virtual"] = key(
        "auto", "Whether the bucket stands in the path or in the host name.", stores=_S3_OBS
    )
    engine: Literal["auto", "wire", "boto3"] = key(
        "auto", "HTTP engine: wire is fast; auto takes boto3 where wire cannot be used.", stores=_S3
    )
    signature: Literal["obs", "v2", "v4"] = key(
        "obs", "How requests are signed; v2 and v4 for S3-compatible servers, path style.", stores=_OBS
    )
    buckets: tuple[BucketSettings, ...] = field(
        kw_only=False,
        default=(),
        metadata=as_metadata(
            _names(
                "buckets",
                "The buckets to watch: names, access point ARNs, or mappings with settings.",
                (*_S3_OBS, *_GCS),
            ),
            _names("containers", "The containers to watch: names, or mappings with settings.", _AZURE),
            _names("vaults", "The vaults to watch: as buckets, without prefix.", _GLACIER),
        ),
    )
    discover: DiscoverSettings | None = key(
        None, "Watch the buckets, containers or vaults that the account has, instead of a list."
    )
    account_id: Account = key(
        "-", 'The account of the vaults, 12 digits in quotes; "-": that of the credentials.', stores=_GLACIER
    )
    account: StorageAccount | None = key(
        None, "The storage account; null: the one of connection_string.", stores=_AZURE
    )
    project: Project | None = key(
        None, "The project whose buckets are discovered; null: that of the credentials.", stores=_GCS
    )
    user_project: Project | None = key(None, "The project that pays for requests.", stores=_GCS)
    prefix: str | None = key(None, "Only uploads whose key begins so; null: all.", stores=_BY_KEY)
    stale_after: Duration = duration_key(
        _WEEK, "An upload without activity for this long is stale; azure: 1d unless given."
    )
    labels: tuple[tuple[LabelName, LabelValue], ...] = key(
        (), "Labels for mpu_target_info, for alert routing.", written={}
    )
    scan: ScanSettings = field(
        kw_only=False,
        default=ScanSettings(),
        metadata=as_metadata(Key("What differs from the top-level scan.", ScanSettings())),
    )
    credentials: Credentials = key(
        Credentials(),
        "Left out: the SDK's own chain (environment, profile, role, identity).",
    )
    tls: TlsSettings = key(TlsSettings(), "How servers are verified.")
    proxy_url: ProxyUrl | None = setting(
        None, Key("http, https, socks5 or socks5h; null: the environment's proxies.", None), show=False
    )
    request_payer: Literal["requester"] | None = key(
        None, "requester: the exporter's account pays for requests.", stores=_S3
    )
    expected_bucket_owner: OwnAccount | None = key(
        None, "Refuse buckets of any other account; 12 digits in quotes.", stores=_S3
    )
    sse_customer_key: Secret | None = setting(
        None,
        Key(
            "A file with the key (base64 of 32 bytes) of SSE-C uploads; over TLS.",
            None,
            name="sse_customer_key_file",
            stores=_S3,
        ),
    )
    lifecycle: bool = key(
        default=False, description="Also read each bucket's abort rules.", stores=(*_S3_OBS, *_GCS)
    )
    ceph_admin: bool = key(
        default=False, description="Also compare with Ceph's own count (caps buckets=read).", stores=_S3
    )
    cleanup: CleanupSettings | None = key(
        None,
        "The store's own clean-up of unfinished uploads, which no rule names; null: none, azure: after 7d.",
    )
    tags: tuple[TagKey, ...] = key(
        (),
        "Tags of each bucket to show in mpu_bucket_info, such as [owner, team]; read once an hour. "
        "azure: the container's metadata.",
        max_length=20,
    )
    price_per_gib_month: Prices | None = key(
        None, "Prices for mpu_estimated_monthly_cost; null: no such metric."
    )
    price_per_1000_requests: Price | None = key(
        None, "What the store charges, such as 0.005; read by check --estimate only."
    )
    top: TopSettings | None = key(
        None, "Count uploads by prefix and initiator; null: not at all.", stores=_BY_KEY
    )

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The URLs of its servers; () where they are Amazon's own."""
        return self.endpoint_urls or ((self.endpoint_url,) if self.endpoint_url else ())

    @property
    def addresses(self) -> tuple[str, ...]:
        """The same, or else that of the storage account: where a target on Azure has no other."""
        return self.endpoints or ((f"https://{self.account}.{AZURE_HOST}",) if self.account else ())


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Where uploads and results are remembered between scans."""

    path: Path | None = key(
        None, "SQLite file that remembers uploads and results across restarts; null: in memory only."
    )
    names: int = key(
        100_000,
        "Uploads of a bucket remembered by key and id, not only by a hash of them; beyond: a sample.",
        ge=0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The config file of mpu-exporter. Top-level keys that begin with x- are ignored."""

    scan: ScanSettings = key(ScanSettings(), "How buckets are scanned; targets may override each key.")
    state: StateSettings = key(StateSettings(), "Where uploads and results are remembered.")
    ages: tuple[Duration, ...] = key(
        tuple(map(parse_duration, _AGES)),
        "Bounds of mpu_upload_age_seconds, ascending; []: no such metric.",
        written=list(_AGES),
        max_length=50,
    )
    ages_as: AgesAs = key(
        "histogram",
        "Or gauges: mpu_uploads_older_than instead, for agents that drop gauge histograms.",
    )
    targets: tuple[TargetSettings, ...] = field(
        kw_only=False, metadata=as_metadata(Key("The stores to watch.", bounds={"min_length": 1}))
    )
