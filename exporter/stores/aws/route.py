"""The address of one bucket and the signer of its requests.

Where it is taken from a request that boto3 prepared, endpoints, addressing styles, access points and regions
are left to boto3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.stores.aws.sigv4 import ALGORITHM, DATE_HEADER, PAYLOAD_HEADER, TOKEN_HEADER, Signer
from exporter.stores.base import UPLOADS_OPERATION
from exporter.stores.transport.url import percent_encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.stores.aws.keys import Keys
    from exporter.stores.transport.client import Request
    from exporter.stores.transport.url import QueryArgument

_SCOPE = re.compile(rf"{ALGORITHM} Credential=.+/[0-9]{{8}}/([^/]+)/([^/]+)/aws4_request, SignedHeaders=")
_SESSION_HEADER = "x-amz-s3session-token"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_by_name = itemgetter(0)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Address and signer of one bucket's requests. Safe to use from many threads."""

    region: str
    """The region that requests are signed for."""
    host: str
    """The Host header's value."""
    origin: str
    """Scheme, host and port as URLs have them."""
    bucket_path: str
    key_folder: str
    """The path before a key; it ends with a slash."""
    constant_lines: tuple[str, ...]
    signer: Signer

    def request(
        self, credentials: Keys, key: str, arguments: Sequence[QueryArgument], now: float
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET, the URL as boto3 writes it, dot segments and all.

        `key` is '' for the bucket itself; an argument's name comes once; `now` is the server's time in Unix
        seconds. Raises UnicodeEncodeError for a text with lone surrogates, which has no UTF-8.
        """
        path = f"{self.key_folder}{percent_encoded(key, safe='/')}" if key else self.bucket_path
        query, canonical_query = _queries(arguments)
        lines = self.signer.lines(credentials, path, canonical_query, now)
        lines += self.constant_lines
        return f"{self.origin}{path}?{query}" if query else f"{self.origin}{path}", lines

    def with_headers(self, headers: Sequence[tuple[str, str]]) -> Route:
        """Return the route of requests that also have these headers."""
        return replace(self, signer=self.signer.with_headers(headers))


def read_route(request: Request) -> Route | None:
    """Return the route of boto3's own ListMultipartUploads of a bucket.

    None where requests like it are not signed by plain Signature Version 4: directory buckets with their
    sessions, Signature Version 4A, presigned URLs, no signature.
    """
    headers = {name.lower(): value for name, value in request.headers}
    scope = _SCOPE.match(headers.get("authorization", ""))
    if scope is None or not _is_listing(request) or not _is_plain(headers):
        return None
    region, service = scope.groups()
    constant = _constant_headers(headers)
    return make_route(request.url, region, service, constant, headers.get("user-agent", ""))


def make_route(
    url: str, region: str, service: str, headers: Sequence[tuple[str, str]], user_agent: str
) -> Route:
    """Return the route of requests to the bucket at `url`, each with these headers.

    `region` and `service` are those of the signature's scope; `headers` are those of `Signer`.
    """
    parts = urlsplit(url)
    host, path = host_header(url), parts.path or "/"
    return Route(
        region,
        host,
        origin=f"{parts.scheme}://{parts.netloc}",
        bucket_path=path,
        key_folder=path if path.endswith("/") else f"{path}/",
        constant_lines=(f"User-Agent: {user_agent}", "Accept-Encoding: identity"),
        signer=Signer(host, region, service, headers),
    )


def _is_listing(request: Request) -> bool:
    """Whether the URL's path is the bucket's own; boto3 may send other requests before a listing."""
    return (request.operation, request.method, bool(request.body)) == (UPLOADS_OPERATION, "GET", False)


def _is_plain(headers: Mapping[str, str]) -> bool:
    return PAYLOAD_HEADER in headers and _SESSION_HEADER not in headers


def _constant_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers of every request: payer, expected owner, hash of the empty body."""
    own = {DATE_HEADER, TOKEN_HEADER}
    return [(name, value) for name, value in headers.items() if name.startswith("x-amz-") and name not in own]


def host_header(url: str) -> str:
    """Return the Host header's value as boto3 signs it: lower case, without the scheme's default port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    return name if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{name}:{parts.port}"


def _queries(arguments: Sequence[QueryArgument]) -> tuple[str, str]:
    """Return the query as it is sent, and as it is signed: sorted, with a `=` after each name."""
    if len(arguments) == 1 and arguments[0][1]:  # an upload id alone: most requests
        query = f"{arguments[0][0]}={percent_encoded(str(arguments[0][1]))}"
        return query, query
    pairs = [(name, None if value is None else percent_encoded(str(value))) for name, value in arguments]
    sent = [name if value is None else f"{name}={value}" for name, value in pairs]
    signed = [f"{name}={value or ''}" for name, value in sorted(pairs, key=_by_name)]
    return "&".join(sent), "&".join(signed)
