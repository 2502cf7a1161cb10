"""Where a bucket's requests go, and what they carry: a token, or a signature by an HMAC key.

The bucket stands in the path. Google's own headers go with tokens only; beside a signature that is Amazon's
their place is taken by Amazon's, and by a query parameter.
https://cloud.google.com/storage/docs/xml-api/reference-headers, docs/aws-simple-migration
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from exporter import __version__
from exporter.stores.aws.route import make_route
from exporter.stores.aws.sigv4 import PAYLOAD_HEADER
from exporter.stores.transport.url import percent_encoded, query_string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.settings import TargetSettings
    from exporter.stores.aws.route import Route
    from exporter.stores.gcs.token import Token
    from exporter.stores.transport.url import QueryArgument

PUBLIC_URL = "https://storage.googleapis.com"
HMAC_REGION = "auto"
_USER_AGENT = f"mpu-exporter/{__version__}"
_EMPTY_BODY = (PAYLOAD_HEADER, sha256(b"").hexdigest())


class GcsRoute(Protocol):
    """The address of one bucket or of the service, and what its requests carry."""

    def request(
        self,
        keys: Any,  # noqa: ANN401 - of either kind
        key: str,
        arguments: Sequence[QueryArgument],
        now: float,
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET; `key` is '' for the bucket itself.

        `keys` are a Token, or the Keys of an HMAC key; `now` is the server's time in Unix seconds. Raises
        UnicodeEncodeError.
        """


@dataclass(frozen=True, slots=True, eq=False)
class TokenRoute:
    """The route of requests with a token. Safe to use from many threads."""

    url: str
    """The bucket's, without a slash at its end."""
    lines: tuple[str, ...]

    def request(
        self,
        keys: Token,
        key: str,
        arguments: Sequence[QueryArgument],
        now: float,  # noqa: ARG002
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET; see `GcsRoute`."""
        path = f"/{percent_encoded(key, safe='/')}" if key else ""
        query = query_string(arguments)
        url = f"{self.url}{path}?{query}" if query else f"{self.url}{path}"
        return url, [f"Authorization: Bearer {keys.text}", *self.lines]


@dataclass(frozen=True, slots=True, eq=False)
class HmacRoute:
    """The route of signed requests. Safe to use from many threads."""

    route: Route
    payer: tuple[QueryArgument, ...]

    def request(
        self,
        keys: Any,  # noqa: ANN401 - of either kind
        key: str,
        arguments: Sequence[QueryArgument],
        now: float,
    ) -> tuple[str, list[str]]:
        """Return URL and header lines of a GET; see `GcsRoute`."""
        return self.route.request(keys, key, [*arguments, *self.payer], now)


def has_hmac_key(target: TargetSettings) -> bool:
    """Whether requests are signed by an HMAC key of the config."""
    return target.credentials.access_key_id is not None


def bucket_url(target: TargetSettings, bucket: str) -> str:
    """Return the URL of a bucket; '' for the service."""
    base = (target.endpoint_url or PUBLIC_URL).rstrip("/")
    return f"{base}/{percent_encoded(bucket)}" if bucket else base


def bucket_route(target: TargetSettings, bucket: str, project: str = "") -> GcsRoute:
    """Return the route of a bucket's requests; of the service's, about `project`, where that is ''."""
    url = bucket_url(target, bucket)
    if has_hmac_key(target):
        headers = [("x-amz-project-id", project)] if project else []
        route = make_route(url, HMAC_REGION, "s3", [*headers, _EMPTY_BODY], _USER_AGENT)
        payer: tuple[QueryArgument, ...] = (("userProject", target.user_project),)
        return HmacRoute(route, payer if target.user_project else ())
    named = {"x-goog-project-id": project, "x-goog-user-project": target.user_project}
    lines = [f"{name}: {value}" for name, value in named.items() if value]
    return TokenRoute(
        url if bucket else f"{url}/",
        (*lines, f"User-Agent: {_USER_AGENT}", "Accept-Encoding: identity"),
    )
