"""What a target's requests to Azure are authorised with, as it is at the moment of a call.

The config's key or SAS token, else a token of an identity. azure-identity is not used: it loads msal,
cryptography and requests for three exchanges of a form for JSON, and sends them past the target's deadline,
proxy and CA.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from typing import TYPE_CHECKING

from exporter.config.secret_checks import has_signature
from exporter.model.errors import Reason, StoreError
from exporter.stores.azure.account import read_account, read_connection, read_secret
from exporter.stores.azure.identity import Identity
from exporter.stores.azure.managed_identity import ARC_FOLDER, METADATA_URL, ManagedIdentity
from exporter.stores.azure.signing import SasToken, SharedKey
from exporter.stores.azure.token_answers import TOKEN_OPERATION
from exporter.stores.secret_sources import key_fault
from exporter.stores.temporary_keys import TemporaryKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.azure.signing import AzureKeys
    from exporter.stores.transport.client import Transport

_KEY_ADVICE = "copy one of the two access keys of the storage account, whole"
_SAS_ADVICE = "copy the SAS token whole, its signature too"
_FIELDS_ADVICE = "it needs AccountKey or SharedAccessSignature; copy it whole"


class AzureCredentials:
    """The keys of one target. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - its sources
        self,
        target: TargetSettings,
        transport: Transport,
        clock: Callable[[], float] = time.time,
        *,
        environ: Mapping[str, str] = os.environ,
        metadata_url: str = METADATA_URL,
        arc_folder: str = ARC_FOLDER,
    ) -> None:
        """Ask nobody yet; `clock` is Unix seconds, `environ` the process's own by default."""
        self._target = target
        self._transport = transport
        managed = ManagedIdentity(transport, clock, environ, metadata_url, arc_folder)
        identity = Identity(target, transport, clock, environ, managed)
        self._tokens = TemporaryKeys(identity.fetch, clock)

    def keys(self, deadline: float) -> AzureKeys:
        """Return the keys, asked for before `deadline` (monotonic clock); never within `Transport.call`.

        Raises StoreError (credentials, or why a token's issuer cannot be asked) and StoppingError.
        """
        if keys := configured_keys(self._target):
            return keys
        if read_account(self._target).url.startswith("http:"):
            what = "tokens are sent over TLS only: give account_key or sas_token, or https in endpoint_url"
            raise StoreError(Reason.CREDENTIALS, what)
        with self._transport.call(TOKEN_OPERATION, deadline):
            return self._tokens.get()

    def doubt(self, refused: AzureKeys) -> None:
        """Have the next call fetch a token anew where this, which the store refused, is still in use."""
        if not isinstance(refused, (SharedKey, SasToken)):
            self._tokens.doubt(refused)


def configured_keys(target: TargetSettings) -> SharedKey | SasToken | None:
    """Return the key or SAS token of the config, None where it has neither. Raises StoreError."""
    credentials = target.credentials
    if credentials.account_key:
        return _shared_key(read_secret(credentials.account_key, "account_key"), "account_key")
    if credentials.sas_token:
        return _sas_token(read_secret(credentials.sas_token, "sas_token"), "sas_token")
    if not credentials.connection_string:
        return None
    written = read_connection(target)
    if key := written.get("ACCOUNTKEY"):
        return _shared_key(key, "connection_string: AccountKey")
    if token := written.get("SHAREDACCESSSIGNATURE"):
        return _sas_token(token, "connection_string: SharedAccessSignature")
    raise StoreError(
        Reason.CREDENTIALS, f"connection_string: names neither key nor signature; {_FIELDS_ADVICE}"
    )


def _shared_key(text: str, where: str) -> SharedKey:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise StoreError(Reason.CREDENTIALS, f"{where} is not base64; {_KEY_ADVICE}; nothing was sent")
    return SharedKey(key)


def _sas_token(text: str, where: str) -> SasToken:
    query = text.rpartition("?")[2].strip("&")  # of a URL that has one, as the portal shows it
    fault = key_fault(query) or ("holds a space" if " " in query else "")
    if not fault and not has_signature(query):
        fault = "has no signature"
    if fault:
        raise StoreError(Reason.CREDENTIALS, f"{where} {fault}; {_SAS_ADVICE}; nothing was sent")
    return SasToken(query)
