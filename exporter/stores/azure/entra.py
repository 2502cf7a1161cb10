"""Tokens of Microsoft Entra ID, for an application's client secret or for a workload's own token.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from exporter.stores.azure.token_answers import (
    RESOURCE,
    TOKEN_OPERATION,
    read_token,
    refused_token,
    token_error,
)
from exporter.stores.secret_sources import CredentialSourceError
from exporter.stores.secret_sources import read_token as read_token_file
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.stores.azure.signing import BearerToken
    from exporter.stores.temporary_keys import Issued
    from exporter.stores.transport.client import Transport

_PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
_AUTHORITIES = {
    "chinacloudapi.cn": "https://login.chinacloudapi.cn",
    "usgovcloudapi.net": "https://login.microsoftonline.us",
}
"""Those of the other clouds, by the end of their stores' host names."""
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TENANT = re.compile(r"[A-Za-z0-9.-]+")
_CODE = re.compile(rb"AADSTS(\d{5,7})\b")
_WRONG_TENANT = "check AZURE_TENANT_ID: the tenant of the identity, by id or domain"
_WRONG_SUBJECT = (
    "the identity's federated credential is for another issuer, subject or audience: compare it with the "
    "cluster's OIDC issuer, system:serviceaccount:NAMESPACE:NAME and api://AzureADTokenExchange"
)
_ADVICE = {
    b"7000215": "AZURE_CLIENT_SECRET is wrong: it is the secret's value, not its id",
    b"7000222": "AZURE_CLIENT_SECRET has expired: make a new one",
    b"700016": "check AZURE_CLIENT_ID and AZURE_TENANT_ID: this tenant has no such application",
    b"90002": _WRONG_TENANT,
    b"900021": _WRONG_TENANT,
    b"900023": _WRONG_TENANT,
    b"70021": _WRONG_SUBJECT,
    b"700211": _WRONG_SUBJECT,
    b"700212": _WRONG_SUBJECT,
    b"700213": _WRONG_SUBJECT,
    b"700024": "the workload's token has expired or begins later: check the clock and who writes its file",
}
"""By the number of Entra's error.
https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""
_OTHER = "check AZURE_TENANT_ID, AZURE_CLIENT_ID and the secret or federated credential of that identity"


@dataclass(frozen=True, slots=True)
class Application:
    """An application or managed identity in Entra that can prove itself, by one of the last two."""

    tenant: str
    client: str
    secret: str = field(repr=False)
    token_file: str


def read_application(environ: Mapping[str, str], *, by_secret: bool) -> Application | None:
    """Return the application that the environment names, to prove itself by secret or file; None without."""
    tenant, client = environ.get("AZURE_TENANT_ID", ""), environ.get("AZURE_CLIENT_ID", "")
    secret = environ.get("AZURE_CLIENT_SECRET", "") if by_secret else ""
    file = "" if by_secret else environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    return Application(tenant, client, secret, file) if tenant and client and (secret or file) else None


class Entra:
    """The authority of one cloud."""

    def __init__(self, transport: Transport, clock: Callable[[], float], host: str, written: str) -> None:
        """`host` is that of the store; `written` is AZURE_AUTHORITY_HOST, '' for the cloud's own."""
        self._transport = transport
        self._clock = clock
        self._host = host
        self._written = written

    def fetch(self, application: Application) -> Issued[BearerToken]:
        """Return a new token; only within `Transport.call`. Raises StoreError and StoppingError."""
        if not _TENANT.fullmatch(application.tenant):
            raise token_error(f"no tenant is called like that; {_WRONG_TENANT}")
        form = {
            "client_id": application.client,
            "scope": f"{RESOURCE}/.default",
            "grant_type": "client_credentials",
            **_proof(application),
        }
        url = f"{self._authority()}/{application.tenant}/oauth2/v2.0/token"
        headers = (("Content-Type", "application/x-www-form-urlencoded"),)
        response = self._transport.send(
            Request(TOKEN_OPERATION, "POST", url, headers, urlencode(form).encode())
        )
        if response.status != HTTPStatus.OK:
            code = _CODE.search(response.body)
            raise refused_token(response, _ADVICE.get(code[1], _OTHER) if code else _OTHER)
        return read_token(response, self._clock())

    def _authority(self) -> str:
        """Return the authority's URL. Raises StoreError: a secret is sent there."""
        if not self._written:
            cloud = ".".join(self._host.split(".")[-2:])
            return _AUTHORITIES.get(cloud, _PUBLIC_AUTHORITY)
        url = self._written if "://" in self._written else f"https://{self._written}"
        if urlsplit(url).scheme != "https":
            raise token_error(
                "AZURE_AUTHORITY_HOST is not encrypted; it must be a host, or its URL with https"
            )
        return url.rstrip("/")


def _proof(application: Application) -> dict[str, str]:
    if application.secret:
        return {"client_secret": application.secret}
    try:
        token = read_token_file(application.token_file)
    except CredentialSourceError as error:
        raise token_error(f"AZURE_FEDERATED_TOKEN_FILE: {error}") from None
    return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": token}
