"""What a GET to Azure Blob Storage is authorised with: the account's key, a SAS token or a bearer token.

https://learn.microsoft.com/rest/api/storageservices/authorize-requests-to-azure-storage
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.stores.transport.url import query_string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.stores.azure.account import AzureAccount

API_VERSION = "2021-12-02"
"""The version of the API that is spoken; a server refuses those that are newer than itself."""
_VERSION_LINE = f"x-ms-version: {API_VERSION}"
_NO_STANDARD_HEADERS = "\n" * 12
"""Eleven headers have a line each in what is signed (Content-Encoding to Range); none is sent with a GET."""

Arguments = list[tuple[str, str]]
"""Names and values of a query, not encoded."""


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The key of an account, which signs each request."""

    key: bytes = field(repr=False)

    def sign(
        self, account: AzureAccount, path: str, arguments: Sequence[tuple[str, str]], now: float
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET; `now` is the server's time in Unix seconds.

        `path` is percent-encoded, `arguments` are not. Raises UnicodeEncodeError for lone surrogates.
        """
        date = _http_date(int(now))
        query = "".join(f"\n{name.lower()}:{value}" for name, value in sorted(arguments))
        signed = (
            f"GET{_NO_STANDARD_HEADERS}x-ms-date:{date}\nx-ms-version:{API_VERSION}\n"
            f"/{account.name}{account.path}{path}{query}"
        )
        signature = b64encode(hmac.digest(self.key, signed.encode(), "sha256")).decode()
        authorization = f"Authorization: SharedKey {account.name}:{signature}"
        return _url(account, path, arguments), [authorization, f"x-ms-date: {date}", _VERSION_LINE]


@dataclass(frozen=True, slots=True)
class SasToken:
    """A shared access signature: `query` is the end of each URL, percent-encoded as it was issued."""

    query: str = field(repr=False)

    def sign(
        self,
        account: AzureAccount,
        path: str,
        arguments: Sequence[tuple[str, str]],
        now: float,  # noqa: ARG002 - nothing is signed
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET, as `SharedKey.sign`."""
        url = _url(account, path, arguments)
        return f"{url}{'&' if arguments else '?'}{self.query}", [_VERSION_LINE]


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token of Microsoft Entra ID for Azure Storage."""

    token: str = field(repr=False)

    def sign(
        self, account: AzureAccount, path: str, arguments: Sequence[tuple[str, str]], now: float
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET, as `SharedKey.sign`."""
        lines = [f"Authorization: Bearer {self.token}", f"x-ms-date: {_http_date(int(now))}", _VERSION_LINE]
        return _url(account, path, arguments), lines


AzureKeys = SharedKey | SasToken | BearerToken


def _url(account: AzureAccount, path: str, arguments: Sequence[tuple[str, str]]) -> str:
    query = query_string(arguments)
    return f"{account.url}{path}?{query}" if query else f"{account.url}{path}"


@lru_cache(maxsize=8)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
