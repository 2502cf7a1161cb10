"""Signed requests to OBS, and to S3-compatible servers that take its SDK's signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter import __version__
from exporter.stores.aws.keys import Keys as AwsKeys
from exporter.stores.aws.route import make_route
from exporter.stores.aws.sigv4 import PAYLOAD_HEADER
from exporter.stores.obs.version2 import Version2Signer, signed_resource
from exporter.stores.transport.url import percent_encoded, query_string

if TYPE_CHECKING:
    from exporter.stores.aws.route import Route
    from exporter.stores.obs.credentials import Keys
    from exporter.stores.obs.endpoint import Server
    from exporter.stores.transport.url import QueryArgument

_USER_AGENT = f"mpu-exporter/{__version__}"
_UNSIGNED_BODY = (PAYLOAD_HEADER, "UNSIGNED-PAYLOAD")
_BARE_PORTS = {80, 443}
"""Those that the SDK leaves out of the Host header, whatever the scheme."""


class ObsRequest(NamedTuple):
    """A GET to be signed: of a bucket's key, '' for the bucket itself; of no bucket, '' for the account."""

    operation: str
    bucket: str
    key: str
    arguments: list[QueryArgument]


class SignedRequest(NamedTuple):
    """A GET: its URL, and the lines of every header that goes with it."""

    url: str
    lines: list[str]


class ObsSigner:
    """Signs GETs to one server. Safe to use from many threads.

    `signature` is that of the config (obs, v2 or v4). With the bucket in the path, `obs` means `v2`: so the
    SDK has it, and OBS takes it.
    """

    def __init__(
        self, server: Server, signature: str, region: str, *, asks_for_regions: bool = False
    ) -> None:
        """`region` goes into a signature of `v4`.

        `asks_for_regions` has lists of buckets name the region of each; S3-compatible servers are not asked:
        for them it is an unknown header, which some refuse.
        """
        self._server = server
        self._region = region
        self._is_v4 = signature == "v4"
        scheme, prefix = (
            ("OBS", "x-obs-") if signature == "obs" and not server.path_style else ("AWS", "x-amz-")
        )
        asks_for_regions = asks_for_regions and signature == "obs"
        self._version2 = Version2Signer(scheme, prefix, asks_for_regions=asks_for_regions)
        self._routes: dict[str, Route] = {}
        self._host_end = "" if server.port in _BARE_PORTS else f":{server.port}"

    def sign(self, request: ObsRequest, keys: Keys, now: float) -> SignedRequest:
        """Return the signed request; `now` is the server's time in Unix seconds.

        Raises UnicodeEncodeError for texts with lone surrogates.
        """
        if self._is_v4:
            route = self._route(request.bucket)
            return SignedRequest(*route.request(AwsKeys(*keys), request.key, request.arguments, now))
        server, bucket = self._server, request.bucket
        host, path = self._address(bucket)
        if request.key:
            path = f"{path.rstrip('/')}/{percent_encoded(request.key, safe='/')}"
        resource = path if server.path_style or not bucket else f"/{bucket}{path}"
        lines = self._version2.lines(keys, signed_resource(resource, request.arguments), now)
        lines += (f"Host: {host}{self._host_end}", f"User-Agent: {_USER_AGENT}")
        query = query_string(request.arguments)
        url = f"{server.scheme}://{host}:{server.port}{path}"
        return SignedRequest(f"{url}?{query}" if query else url, lines)

    def _address(self, bucket: str) -> tuple[str, str]:
        """Return host and path; the bucket is in one of them."""
        host = self._server.host
        if self._server.path_style:
            return host, f"/{bucket}"
        return f"{bucket}.{host}" if bucket else host, "/"

    def _route(self, bucket: str) -> Route:
        """Return the route to a bucket, '' for the account, as requests of version 4 take it."""
        if bucket not in self._routes:
            (host, path), server = self._address(bucket), self._server
            url = f"{server.scheme}://{host}:{server.port}{path}"
            self._routes[bucket] = make_route(url, self._region, "s3", [_UNSIGNED_BODY], _USER_AGENT)
        return self._routes[bucket]
