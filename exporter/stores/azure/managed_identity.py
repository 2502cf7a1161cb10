"""Tokens of a managed identity, from the service of where this runs.

A virtual machine or AKS node has one at a link-local address; App Service, Functions and Container Apps name
theirs in the environment, as does Azure Arc, which asks for the content of a file of its own.
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.stores.azure.token_answers import (
    RESOURCE,
    TOKEN_OPERATION,
    read_token,
    refused_token,
    token_error,
)
from exporter.stores.secret_sources import CredentialSourceError, key_fault
from exporter.stores.secret_sources import read_token as read_token_file
from exporter.stores.transport.client import Request
from exporter.stores.transport.url import query_string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.stores.azure.signing import BearerToken
    from exporter.stores.temporary_keys import Issued
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.response import Response

METADATA_URL = "http://169.254.169.254"
"""Metadata service of a virtual machine; link-local, so never through a proxy."""
ARC_FOLDER = "/var/opt/azcmagent/tokens"
"""Where Azure Arc's agent puts the files of its challenges."""
_TIMEOUT_SECONDS = 10.0
_UNASKED = (
    "no credentials, and no service of managed identities answers ({}): put account_key, sas_token or "
    "connection_string under credentials, or give the workload an identity"
)
_NOT_ASSIGNED = "assign a managed identity to where this runs{}"


class ManagedIdentity:
    """The managed identity of where this process runs; AZURE_CLIENT_ID says which of several."""

    def __init__(
        self,
        transport: Transport,
        clock: Callable[[], float],
        environ: Mapping[str, str],
        metadata_url: str,
        arc_folder: str,
    ) -> None:
        """Ask nobody yet."""
        self._transport = transport
        self._clock = clock
        self._environ = environ
        self._metadata_url = metadata_url
        self._arc_folder = arc_folder

    def fetch(self) -> Issued[BearerToken]:
        """Return a new token; only within `Transport.call`. Raises StoreError and StoppingError."""
        response = self._ask()
        if response.status != HTTPStatus.OK:
            client = self._environ.get("AZURE_CLIENT_ID")
            beside = ", the one of AZURE_CLIENT_ID, or correct that" if client else ""
            raise refused_token(response, _NOT_ASSIGNED.format(beside))
        return read_token(response, self._clock())

    def _ask(self) -> Response:
        variables = self._environ
        endpoint, header = variables.get("IDENTITY_ENDPOINT"), variables.get("IDENTITY_HEADER")
        if variables.get("IDENTITY_SERVER_THUMBPRINT"):
            raise token_error("identities of Service Fabric are not supported; give the target credentials")
        if endpoint and header:
            return self._get(endpoint, "2019-08-01", {"X-IDENTITY-HEADER": header})
        if endpoint and variables.get("IMDS_ENDPOINT"):
            return self._ask_arc(endpoint)
        url = variables.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "").rstrip("/") or self._metadata_url
        return self._get(f"{url}/metadata/identity/oauth2/token", "2018-02-01", {"Metadata": "true"})

    def _ask_arc(self, endpoint: str) -> Response:
        """Return the answer to who can read the file that the first answer names."""
        response = self._get(endpoint, "2020-06-01", {"Metadata": "true"})
        if response.status != HTTPStatus.UNAUTHORIZED:
            return response
        file = Path(response.headers.get("www-authenticate", "").partition("realm=")[2].strip('" '))
        if str(file.parent) != self._arc_folder or file.suffix != ".key":
            what = f"Azure Arc's agent names no .key file in {self._arc_folder}; check who answers at"
            raise token_error(f"{what} IDENTITY_ENDPOINT")
        try:
            secret = read_token_file(str(file))
        except CredentialSourceError as error:
            raise token_error(f"Azure Arc: {error}; run as a member of the group himds") from None
        return self._get(endpoint, "2020-06-01", {"Metadata": "true", "Authorization": f"Basic {secret}"})

    def _get(self, url: str, version: str, headers: Mapping[str, str]) -> Response:
        for name, value in headers.items():
            if fault := key_fault(value):
                raise token_error(f"what goes into the header {name} {fault}; check the environment")
        arguments = [("api-version", version), ("resource", RESOURCE)]
        if client := self._environ.get("AZURE_CLIENT_ID"):
            arguments.append(("client_id", client))
        url = f"{url}?{query_string(arguments)}"
        request = Request(
            TOKEN_OPERATION, "GET", url, tuple(headers.items()), timeout=_TIMEOUT_SECONDS, no_proxy=True
        )
        try:
            return self._transport.send(request)
        except StoreError as error:
            why = str(error).removeprefix(f"{TOKEN_OPERATION}: ").partition("; ")[0]
            raise token_error(_UNASKED.format(why)) from error
