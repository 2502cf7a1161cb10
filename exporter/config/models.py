"""The shape of the config file: every key with its type, bounds, default and description.

Errors, the resolved settings and the JSON Schema all come from these models. What depends on several
keys at once is in rules.py.
"""

# No postponed annotations here: pydantic reads them when a class is made.
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field

from exporter.config.field_types import (
    Account,
    BucketName,
    Currency,
    Duration,
    DurationOrZero,
    ExternalId,
    FileName,
    HttpUrl,
    LabelName,
    LabelValue,
    Name,
    OwnAccount,
    Pattern,
    Price,
    ProxyUrl,
    Region,
    RoleArn,
    SecretText,
    Section,
    SessionName,
    written,
)


class Scan(Section):
    """How buckets are scanned. Under a target: what differs from the top-level `scan`."""

    interval: Duration = written("5m", "Time from the start of one scan of a bucket to the next.")
    timeout: Duration = written("1h", "The longest that one bucket's scan may take.")
    request_timeout: Duration = written("30s", "The longest one call may take, connect to last byte.")
    retries: int = Field(
        default=3, ge=0, le=10, description="Further tries of a call: throttled, 5xx, connection lost."
    )
    keep_for: DurationOrZero = written("24h", "How long the last good values outlive failing scans.")
    parts: Literal["remembered", "always", "never"] = Field(
        default="remembered",
        description="Whose parts are asked for: remembered (where they may have changed), always, never.",
    )
    page_size: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Uploads and parts asked for per page; null: the store decides. Glacier: 50.",
    )
    concurrency: int = Field(default=32, ge=1, le=1024, description="ListParts calls in flight per bucket.")
    workers: int = Field(default=2, ge=1, le=64, description="Buckets scanned at once, per target.")
    max_requests: int | None = Field(
        default=None,
        ge=1,
        description="Requests per scan: the listing always finishes, sizing stops here; null: no limit.",
    )
    requests_per_second: float | None = Field(
        default=None, ge=0.01, le=100000, description="Requests of the target a second; null: no limit."
    )
    recheck_factor: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="An unchanged upload is asked again after this share of the time it had been idle ...",
    )
    recheck_at_least: Duration = written("24h", "... and at least this often.")


class Bucket(Section):
    """A bucket or vault with settings of its own."""

    name: BucketName = Field(description="The bucket's or vault's name, or an access point's ARN.")
    prefix: str | None = Field(
        default=None,
        description="Only uploads whose key begins so; null: the target's, empty: the whole bucket.",
    )
    stale_after: Duration | None = Field(default=None, description="As the target's; null: the target's.")


def _read_bucket(value: object) -> object:
    """Read a bare name as a bucket without settings of its own."""
    if not isinstance(value, str | dict):
        raise ValueError("must be a name or a mapping with a name: put quotes around a number")  # noqa: TRY004 (pydantic reads ValueError)
    return {"name": value} if isinstance(value, str) else value


BucketEntry = Annotated[Bucket, BeforeValidator(_read_bucket, json_schema_input_type=str | Bucket)]


class Discover(Section):
    """Which of the account's buckets or vaults are watched; found anew every so often."""

    include: list[Pattern] = Field(
        default=[],
        description="Regular expressions; a name that one of them finds is watched; []: all names.",
    )
    exclude: list[Pattern] = Field(
        default=[], description="Regular expressions; a name that one of them finds is left out."
    )
    refresh: Duration = written("1h", "How often the list of buckets or vaults is asked for.")


class AssumeRole(Section):
    """A role that is taken with the credentials found, by STS AssumeRole."""

    role_arn: RoleArn = Field(description="The role's ARN: arn:aws:iam::123456789012:role/NAME.")
    external_id: ExternalId | None = Field(
        default=None, description="What the role's trust policy asks for; null: nothing."
    )
    session_name: SessionName = Field(default="mpu-exporter", description="What logs of the account show.")
    duration: Duration = written("1h", "How long a session lasts, 15m to 12h; it is renewed before its end.")


class Credentials(Section):
    """Whom requests are signed as. Left out: the SDK's own chain (environment, profile, role)."""

    profile: Name | None = Field(default=None, description="A profile of the AWS config files. Not for obs.")
    access_key_id: SecretText | None = Field(default=None, description="The access key.")
    access_key_id_file: FileName | None = Field(default=None, description="A file that holds the access key.")
    secret_access_key: SecretText | None = Field(default=None, description="The secret of the access key.")
    secret_access_key_file: FileName | None = Field(
        default=None, description="A file that holds the secret; read again when it changes."
    )
    session_token: SecretText | None = Field(default=None, description="The token of temporary keys.")
    session_token_file: FileName | None = Field(
        default=None, description="A file that holds the token of temporary keys."
    )
    assume_role: AssumeRole | None = Field(
        default=None, description="A role to take with these credentials. s3 and glacier."
    )


class Tls(Section):
    """How servers are verified, and the certificate shown to them."""

    ca_file: FileName | None = Field(
        default=None, description="CA certificates (PEM) trusted instead of the system's."
    )
    insecure_skip_verify: bool = Field(default=False, description="Believe any certificate. For trials only.")
    cert_file: FileName | None = Field(default=None, description="Our own certificate (PEM); needs key_file.")
    key_file: FileName | None = Field(default=None, description="The key (PEM) of cert_file.")


class Prices(Section):
    """What a GiB costs a month, by the storage class that its bytes are billed as: `STANDARD_IA: 0.0125`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Price]

    currency: Currency = Field(default="USD", description="The prices' currency: three capital letters.")
    default: Price | None = Field(
        default=None, description="The price of classes not named here; null: their bytes have no price."
    )


class Top(Section):
    """Whose uploads are counted apart: the largest groups, the rest together."""

    by: list[Literal["prefix", "initiator"]] = Field(
        default=["prefix", "initiator"],
        description="prefix: by the first parts of the key; initiator: by who began them.",
    )
    depth: int = Field(
        default=1, ge=1, le=10, description="How many parts of the key, split at /, are a prefix."
    )
    limit: int = Field(
        default=10, ge=1, le=100, description="How many groups have a name; the rest is together."
    )


class Target(Section):
    """A store with its credentials and the buckets to watch."""

    name: Name = Field(description="What metrics call this target. Unique; no white space.")
    store: Literal["s3", "obs", "glacier"] = Field(
        description="The kind of service: s3 (Amazon S3 or compatible), obs (Huawei OBS) or glacier."
    )
    region: Region | None = Field(
        default=None, description="The region to sign for; null: the SDK's own choice."
    )
    endpoint_url: HttpUrl | None = Field(
        default=None, description="The server, http or https; null: Amazon's own. Required for obs."
    )
    endpoint_urls: list[HttpUrl] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="s3 only: nodes that each know only their own uploads (MinIO); the union is taken.",
    )
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        default="auto", description="Where the bucket's name goes: path or host name. Not for glacier."
    )
    engine: Literal["auto", "wire", "boto3"] = Field(
        default="auto",
        description="s3 only: who lists and sizes; auto: wire (fast), boto3 where that cannot go.",
    )
    signature: Literal["obs", "v2", "v4"] = Field(
        default="obs",
        description="obs only: how requests are signed; v2 and v4 for S3-compatible servers, path style.",
    )
    buckets: list[BucketEntry] | None = Field(
        default=None,
        min_length=1,
        description="The buckets to watch: names, or mappings with settings. s3 and obs.",
    )
    vaults: list[BucketEntry] | None = Field(
        default=None,
        min_length=1,
        description="The vaults to watch: as buckets, without prefix. glacier only.",
    )
    discover: Discover | None = Field(
        default=None, description="Instead of buckets or vaults: watch those that the account has."
    )
    account_id: Account = Field(
        default="-", description="glacier only: the vaults' account, 12 digits; -: our own."
    )
    prefix: str | None = Field(
        default=None, description="Only uploads whose key begins so; null: all. s3 and obs."
    )
    stale_after: Duration = written("7d", "An upload without activity for this long is stale.")
    labels: dict[LabelName, LabelValue] = Field(
        default={},
        description="Labels for mpu_target_info, for alert routing.",
        json_schema_extra={"additionalProperties": False},
    )
    scan: Scan = Field(default_factory=Scan, description="What differs from the top-level scan.")
    credentials: Credentials = Field(
        default_factory=Credentials, description="Whom requests are signed as; left out: the SDK's chain."
    )
    tls: Tls = Field(default_factory=Tls, description="How servers are verified.")
    proxy_url: ProxyUrl | None = Field(
        default=None,
        repr=False,
        description="http, https, socks5 or socks5h; null: the environment's proxies.",
    )
    request_payer: Literal["requester"] | None = Field(
        default=None, description="s3 only: requester, we pay for requests."
    )
    expected_bucket_owner: OwnAccount | None = Field(
        default=None, description="s3 only: refuse buckets of any other account (12 digits)."
    )
    sse_customer_key_file: FileName | None = Field(
        default=None,
        description="s3 only: a file with the key (base64 of 32 bytes) of SSE-C uploads; over TLS only.",
    )
    lifecycle: bool = Field(default=False, description="Also read each bucket's abort rules. s3 and obs.")
    price_per_gib_month: Prices | None = Field(
        default=None, description="Prices for mpu_estimated_monthly_cost; null: no such metric."
    )
    price_per_1000_requests: Price | None = Field(
        default=None, description="What the store charges, for check --estimate."
    )
    top: Top | None = Field(
        default=None, description="Counts uploads by prefix and initiator; null: not at all. s3 and obs."
    )


class State(Section):
    """Where the ledger is kept, which remembers uploads between scans."""

    path: FileName | None = Field(
        default=None, description="A file of the ledger's own, kept over restarts; null: in memory only."
    )


class File(Section):
    """The config file of mpu-exporter. Top-level keys that begin with x- are ignored."""

    model_config = ConfigDict(
        title="mpu-exporter config", json_schema_extra={"patternProperties": {"^x-": {}}}
    )

    scan: Scan = Field(
        default_factory=Scan, description="How buckets are scanned; targets may override each key."
    )
    state: State = Field(default_factory=State, description="Where the ledger is kept.")
    ages: list[Duration] = Field(
        default=cast("list[float]", ["1h", "6h", "1d", "3d", "7d", "30d"]),
        max_length=50,
        description="Bounds of mpu_upload_age_seconds, ascending; []: no such metric.",
    )
    targets: list[Target] = Field(min_length=1, description="The stores to watch.")
