"""The keys of a target's own config, as botocore wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.exceptions
from botocore.credentials import CredentialProvider, ReadOnlyCredentials
from botocore.credentials import Credentials as BotoCredentials

if TYPE_CHECKING:
    from exporter.config.settings import Credentials, Secret


class _ConfiguredCredentials(BotoCredentials):
    """The target's own keys, read again for each request, since their files rotate."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        super().__init__("", "", method="mpu-exporter")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        credentials = self._credentials
        return ReadOnlyCredentials(
            _read("access_key_id", credentials.access_key_id),
            _read("secret_access_key", credentials.secret_access_key),
            _read("session_token", credentials.session_token) if credentials.session_token else None,
        )


class ConfiguredProvider(CredentialProvider):
    """Gives botocore the keys of a target's own config."""

    METHOD = "mpu-exporter"
    CANONICAL_NAME = "mpu-exporter"

    def __init__(self, credentials: Credentials) -> None:
        """Make it of the config's credentials."""
        super().__init__()
        self._credentials = credentials

    def load(self) -> BotoCredentials:
        """Return what signs with them as they are at that moment."""
        return _ConfiguredCredentials(self._credentials)


def _read(name: str, secret: Secret | None) -> str:
    try:
        text = secret.read() if secret else ""
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise botocore.exceptions.PartialCredentialsError(provider="the target's config", cred_var=name)
    return text
