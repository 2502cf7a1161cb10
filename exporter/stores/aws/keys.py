"""The keys that requests to Amazon's services are signed with, and how a target's own ones are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoreError
from exporter.stores.errors import log_safe
from exporter.stores.secret_sources import CredentialSourceError, key_fault

if TYPE_CHECKING:
    from exporter.config.credentials import Credentials, Secret

NO_KEYS_ADVICE = "set credentials for the target, or provide them by environment, profile or role"


class Keys(NamedTuple):
    """Access key, secret key and session token, None without one."""

    access_key: str
    secret_key: str
    token: str | None


class MissingSecretError(Exception):
    """A secret of the target's config is empty, or no text."""


def has_own_keys(credentials: Credentials) -> bool:
    """Whether requests are signed with the config's keys, not those of a role or of the SDK's chain."""
    return credentials.access_key_id is not None and credentials.assume_role is None


def read_keys(credentials: Credentials) -> Keys:
    """Return the config's keys as they are now, since their files rotate.

    Raises MissingSecretError, and OSError where a secret's file cannot be read.
    """
    return Keys(
        _read("access_key_id", credentials.access_key_id),
        _read("secret_access_key", credentials.secret_access_key),
        _read("session_token", credentials.session_token) if credentials.session_token else None,
    )


def own_keys(credentials: Credentials, operation: str) -> Keys:
    """Return what `read_keys` does, for a call. Raises StoreError."""
    try:
        return checked(read_keys(credentials), "the target's config")
    except CredentialSourceError as error:
        raise no_credentials(operation, str(error), advises=True) from None
    except (MissingSecretError, OSError) as error:
        raise no_credentials(operation, f"{type(error).__name__}: {log_safe(str(error))}") from error


def checked(keys: Keys, source: str) -> Keys:
    """Return the keys, if requests can carry them. Raises CredentialSourceError."""
    for name, text, in_header in (
        ("access key", keys.access_key, True),
        ("secret key", keys.secret_key, False),
        ("session token", keys.token or "", True),
    ):
        if fault := key_fault(text, in_header=in_header):
            raise CredentialSourceError(f"the {name} from {source} {fault}; write the key alone there")
    return keys


def no_credentials(operation: str, cause: str, *, advises: bool = False) -> StoreError:
    """Return the error of a call for which there are no keys; `advises`: the cause says what to do."""
    return StoreError(
        Reason.CREDENTIALS, f"{operation}: {cause}" if advises else f"{operation}: {cause}; {NO_KEYS_ADVICE}"
    )


def _read(name: str, secret: Secret | None) -> str:
    try:
        text = secret.read() if secret else ""
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise MissingSecretError(f"{name} is empty or no text in the target's config")
    return text
