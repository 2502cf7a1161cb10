"""The storage account that a target's settings amount to: its name and its URL."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from exporter.config.secret_checks import connection_fields, is_emulator
from exporter.config.settings import AZURE_HOST
from exporter.model.errors import Reason, StoreError
from exporter.stores.secret_sources import key_fault
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.credentials import Secret
    from exporter.config.settings import TargetSettings

_SCHEMES = {"http", "https"}
_EMULATOR = {
    "ACCOUNTNAME": "devstoreaccount1",
    # the emulator's own, the same for everyone and documented with it
    "ACCOUNTKEY": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "BLOBENDPOINT": "http://127.0.0.1:10000/devstoreaccount1",
}
"""What UseDevelopmentStorage=true stands for."""


@dataclass(frozen=True, slots=True)
class AzureAccount:
    """An account: `url` is scheme://host[:port][/path], without a slash at its end.

    A path in it (the emulator's has the account's name there) stands in what is signed beside `name`.
    """

    name: str
    url: str
    path: str = field(init=False)
    """That of `url`, '' for none."""

    def __post_init__(self) -> None:
        """Keep the path, which each signature needs."""
        object.__setattr__(self, "path", urlsplit(self.url).path)

    @property
    def identity(self) -> str:
        """What no other account has."""
        return f"{self.name} {self.url}"


def read_account(target: TargetSettings) -> AzureAccount:
    """Return the account of a target's settings, or of its connection_string.

    Raises StoreError (credentials) where the secret's file cannot be read, or names no account.
    """
    return _read_account(target.account, target.endpoint_url, target.credentials.connection_string)


def account_identity(target: TargetSettings) -> str:
    """Return what tells the account of a target from others, '' where its secret could not be read.

    It stays what it was first, also where a file names another account later.
    """
    return _first_identity(target.account, target.endpoint_url, target.credentials.connection_string)


@cache
def _first_identity(name: str | None, url: str | None, connection: Secret | None) -> str:
    try:
        return _read_account(name, url, connection).identity
    except StoreError:
        return ""


def _read_account(account: str | None, endpoint_url: str | None, connection: Secret | None) -> AzureAccount:
    written = _read_fields(connection)
    name = account or written.get("ACCOUNTNAME", "")
    url = endpoint_url or written.get("BLOBENDPOINT", "")
    if not url and name:
        scheme = written.get("DEFAULTENDPOINTSPROTOCOL", "https")
        suffix = written.get("ENDPOINTSUFFIX")
        url = f"{scheme}://{name}.{f'blob.{suffix}' if suffix else AZURE_HOST}"
    return _account(name, url)


def read_connection(target: TargetSettings) -> Mapping[str, str]:
    """Return the fields of connection_string by upper-case name, {} without one. Raises StoreError."""
    return _read_fields(target.credentials.connection_string)


def _read_fields(secret: Secret | None) -> Mapping[str, str]:
    if secret is None:
        return {}
    text = read_secret(secret, "connection_string")
    if not all("=" in each for each in text.split(";") if each.strip()):
        what = "connection_string: must be fields such as AccountName=media1, each ended by a semicolon"
        raise StoreError(Reason.CREDENTIALS, what)
    found = connection_fields(text)
    return _EMULATOR if is_emulator(found) else found


def read_secret(secret: Secret, name: str) -> str:
    """Return the text of a secret, `name` in the config. Raises StoreError where there is none."""
    why = "is empty"
    try:
        if text := secret.read().strip():
            return text
    except OSError as error:
        why = f"cannot be read ({because(error)})"
    except ValueError:
        why = "is no text"
    where = f"{name}_file ({secret.file})" if secret.file else name
    raise StoreError(Reason.CREDENTIALS, f"{where} {why}; check it and who writes it")


def _account(name: str, url: str) -> AzureAccount:
    """Return the account at a URL, into which its name is added where servers expect it there."""
    parts = _split(url)
    host, path = parts.hostname or "", parts.path.rstrip("/")
    if parts.scheme not in _SCHEMES or not host or not all(map(_is_plain, (name, url))):
        what = "connection_string: names no server: it needs AccountName, or BlobEndpoint with http or https"
        raise StoreError(Reason.CREDENTIALS, what)
    netloc = parts.netloc.rpartition("@")[2]
    labels = host.split(".")
    if name and labels[:2] == ["blob", "core"]:  # the server of a cloud
        netloc = f"{name}.{netloc}"
    elif name and not path and _has_account_in_path(host):
        path = f"/{name}"
    return AzureAccount(name or labels[0].removesuffix("-secondary"), f"{parts.scheme}://{netloc}{path}")


def _is_plain(text: str) -> bool:
    """Whether a text can stand in a URL and in a header as it is."""
    return not key_fault(text) and " " not in text


def _split(url: str) -> SplitResult:
    """Return the parts of a URL, all empty for what is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _has_account_in_path(host: str) -> bool:
    """Whether an emulator at this host expects the account's name in the path: no host begins with it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True
