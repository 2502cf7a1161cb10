"""The file that says who the exporter is to Google: a key, a user's login, or where an identity is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.stores.errors import log_safe
from exporter.stores.gcs.token import no_token
from exporter.stores.sdk_imports import SDK_IMPORTS
from exporter.stores.secret_sources import CredentialSourceError, read_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.gcs.google_auth import GoogleIdentity
    from exporter.stores.gcs.token import Token
    from exporter.stores.temporary_keys import Issued
    from exporter.stores.transport.client import Transport

VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_GCLOUD_FOLDER = "~/.config/gcloud"
_GCLOUD_FILE = "application_default_credentials.json"
_ADVICE = "write there what Google Cloud gave: gcloud iam, or gcloud auth application-default login"


def find_identity_file(configured: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the config's file, else the environment's, else gcloud's where it is there."""
    if configured is not None:
        return configured
    if named := environ.get(VARIABLE):
        return Path(named)
    try:
        gclouds = Path(environ.get("CLOUDSDK_CONFIG") or _GCLOUD_FOLDER).expanduser() / _GCLOUD_FILE
        return gclouds if gclouds.is_file() else None
    except (OSError, RuntimeError, ValueError):  # no home, or one that may not be entered
        return None


class IdentityFile:
    """One such file, read again for each token. For one thread at a time."""

    def __init__(self, path: Path, target: TargetSettings, transport: Transport) -> None:
        """Read nothing yet."""
        self.path = path
        self.name = f"the credentials file {log_safe(str(path))}"
        self.project = ""
        """The project that it names, '' for none."""
        self._target = target
        self._transport = transport
        self._known: tuple[str, GoogleIdentity] | None = None

    def fetch(self, deadline: float) -> Issued[Token]:
        """Return a new token. Raises StoreError (credentials) and StoppingError."""
        try:
            text = read_token(str(self.path), "credentials file")
        except CredentialSourceError as error:
            raise no_token(str(error)) from None
        if self._known is None or self._known[0] != text:
            self._known = text, self._load(text)
        return self._known[1].fetch(deadline)

    def _load(self, text: str) -> GoogleIdentity:
        with SDK_IMPORTS:
            from exporter.stores.gcs.google_auth import GoogleIdentity  # noqa: PLC0415 - loads google-auth

        info = self._parse(text)
        named = info.get("project_id") or info.get("quota_project_id")
        self.project = named if isinstance(named, str) else ""
        return GoogleIdentity(info, self.name, self._target, self._transport)

    def _parse(self, text: str) -> dict[str, Any]:
        try:
            info = json.loads(text)
        except (ValueError, RecursionError):
            info = None
        if not isinstance(info, dict):
            raise no_token(f"{self.name} is no JSON object; {_ADVICE}")
        return info
