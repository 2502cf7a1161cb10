"""The part of the settings that requests are signed with, secrets aside from their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.config.file_changes import CachedFile
from exporter.config.key_definition import Key, as_metadata, duration_key, key, setting

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.config.field_types import Duration, ExternalId, Name, RoleArn, SessionName

_AWS = ("s3", "glacier")
_BY_KEYS = ("s3", "obs", "glacier", "gcs")
_AZURE = ("azure",)


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


def _secret(name: str, description: str, stores: tuple[str, ...]) -> Secret | None:
    """Define a secret that is written as text, or as the name of a file under a second key."""
    file = Key(f"A file with {name}; read again when it changes.", None, f"{name}_file", stores)
    none: Secret | None = None
    return setting(none, Key(description, None, stores=stores), file)


@dataclass(frozen=True, slots=True)
class AssumeRole:
    """A role that is taken with the credentials found, by STS AssumeRole."""

    role_arn: RoleArn = field(
        metadata=as_metadata(Key("The role's ARN: arn:aws:iam::123456789012:role/NAME."))
    )
    external_id: ExternalId | None = key(
        None, "The external id that the role's trust policy demands; null: none."
    )
    session_name: SessionName = key("mpu-exporter", "The name of the session in the account's logs.")
    duration: Duration = duration_key(
        "1h", "Lifetime of a session, 15m to 12h; it is renewed before its end."
    )


@dataclass(frozen=True, slots=True)
class Credentials:
    """What requests are signed with. Left out: the SDK's own chain (environment, profile, role, identity)."""

    profile: Name | None = setting(
        None,
        Key(
            "A profile of the AWS config files.",
            None,
            stores=_AWS,
            instead="give the credentials themselves",
        ),
    )
    access_key_id: Secret | None = _secret("access_key_id", "The access key; gcs: of an HMAC key.", _BY_KEYS)
    secret_access_key: Secret | None = _secret("secret_access_key", "The secret of the access key.", _BY_KEYS)
    session_token: Secret | None = _secret(
        "session_token", "The token of temporary keys.", ("s3", "obs", "glacier")
    )
    account_key: Secret | None = _secret("account_key", "A key of the storage account.", _AZURE)
    sas_token: Secret | None = _secret("sas_token", "A shared access signature.", _AZURE)
    connection_string: Secret | None = _secret(
        "connection_string", "What the portal shows: account, server and key in one.", _AZURE
    )
    credentials_file: Path | None = key(
        None, "What GOOGLE_APPLICATION_CREDENTIALS would name, for this target only.", stores=("gcs",)
    )
    assume_role: AssumeRole | None = setting(
        None,
        Key(
            "A role to take with these credentials.",
            None,
            stores=_AWS,
            instead="give the server or the workload an identity that may list (obs: an agency)",
        ),
    )
