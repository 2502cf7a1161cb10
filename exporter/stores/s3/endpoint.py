"""Where a target with an endpoint_url and keys of its own is asked, as botocore works it out.

Loading botocore takes 25 MiB and a quarter of a second, and of its endpoint rules such a target needs one:
whether a bucket goes into the host name or into the path. Whatever else could count (Amazon's own hosts, its
special kinds of buckets, the SDK's config files) is left to botocore: there is no endpoint then, or no route.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.stores.aws.keys import has_own_keys
from exporter.stores.aws.partition import DEFAULT_REGION, is_amazon
from exporter.stores.aws.route import make_route
from exporter.stores.aws.sigv4 import PAYLOAD_HEADER
from exporter.stores.transport.url import percent_encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.aws.route import Route

_USER_AGENT = f"mpu-exporter/{__version__}"
_EMPTY_BODY = (PAYLOAD_HEADER, sha256(b"").hexdigest())
_AGENT_VARIABLE = "AWS_SDK_UA_APP_ID"
"""It goes into the user agent, which is then left to the SDK."""
_SDK_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
"""Variables that name the SDK's config files, and where these are otherwise."""
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_ONE_LABEL = re.compile(_LABEL)
_LABELS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_IPV4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<authority>(?P<host>(?i:{_LABELS.pattern})|\[[0-9A-Fa-f:]+\])(?::[1-9][0-9]{{0,4}})?)"
    r"(?P<path>(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?)"
)
_REGION = re.compile(r"(?!aws-global$)(?!.*fips)(?=.*[A-Za-z])(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
"""Names that botocore signs for as they are."""
_BUCKET = re.compile(r"(?!arn:)(?:[A-Za-z0-9_.-]+:)?[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Names that mean nothing in a URL, with or without a tenant."""
_SPECIAL = "--"  # in the names of directory buckets and of aliases
_SHORTEST_HOST_NAME = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server, all of whose buckets are asked at one URL or below it, signed for one region."""

    region: str
    scheme: str
    authority: str
    """Host and port."""
    path: str
    """The URL's path, '' or with a slash at its beginning."""
    virtual: bool
    """Whether the names of buckets go into the host name, where they can."""
    payer: str | None
    owner: str | None

    def account(self) -> Route:
        """Return the route of requests about the account."""
        return self._route(f"{self.scheme}://{self.authority}{self.path}", self.region)

    def pages(self, bucket: str) -> Route | None:
        """Return the route of requests for pages of a bucket, None where botocore has to be asked."""
        headers = {"x-amz-request-payer": self.payer, "x-amz-expected-bucket-owner": self.owner}
        return self._bucket_route(bucket, self.region, headers)

    def rules(self, bucket: str, region: str) -> Route | None:
        """Return the route of requests for rules and tags of a bucket in this region; see `pages`."""
        return self._bucket_route(bucket, region, {"x-amz-expected-bucket-owner": self.owner})

    def _bucket_route(self, bucket: str, region: str, headers: Mapping[str, str | None]) -> Route | None:
        if not _BUCKET.fullmatch(bucket) or _SPECIAL in bucket:
            return None
        if self.virtual and _fits_host_name(bucket, self.scheme):
            return self._route(f"{self.scheme}://{bucket}.{self.authority}{self.path}", region, headers)
        folder = self.path if self.path.endswith("/") else f"{self.path}/"
        url = f"{self.scheme}://{self.authority}{folder}{percent_encoded(bucket)}"
        return self._route(url, region, headers)

    def _route(self, url: str, region: str, headers: Mapping[str, str | None] | None = None) -> Route:
        sent = [(name, value) for name, value in (headers or {}).items() if value]
        return make_route(url, region, "s3", [*sent, _EMPTY_BODY], _USER_AGENT)


def read_endpoint(target: TargetSettings, environ: Mapping[str, str] = os.environ) -> Endpoint | None:
    """Return the endpoint of a target, None where botocore has to be asked."""
    if not has_own_keys(target.credentials) or _is_sdk_configured(environ):
        return None
    url = _URL.fullmatch(target.endpoint_url or "")
    region = target.region or environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    if url is None or is_amazon(url[0]) or not _REGION.fullmatch(region):
        return None
    virtual = target.addressing_style == "virtual"
    if virtual and (url["host"].startswith("[") or _IPV4.fullmatch(url["host"])):
        return None
    return Endpoint(
        region,
        url["scheme"],
        url["authority"],
        url["path"],
        virtual=virtual,
        payer=target.request_payer,
        owner=target.expected_bucket_owner,
    )


def admin_route(endpoint_url: str, region: str) -> Route:
    """Return the route of requests to the admin API of a Ceph gateway, about buckets."""
    url = f"{endpoint_url.rstrip('/')}/admin/bucket"
    return make_route(url, region, "s3", [_EMPTY_BODY], _USER_AGENT)


def _is_sdk_configured(environ: Mapping[str, str]) -> bool:
    """Whether the environment has settings for botocore, or files that may hold some."""
    names = [environ.get(name, usual) for name, usual in _SDK_FILES.items()]
    # as botocore looks: without an error where there is no home, or it may not be entered
    files = map(os.path.isfile, map(os.path.expanduser, names))
    return bool(environ.get(_AGENT_VARIABLE)) or any(files)


def _fits_host_name(bucket: str, scheme: str) -> bool:
    """Whether botocore puts a bucket's name into the host name; over TLS a certificate covers one label."""
    labels = _LABELS if scheme == "http" else _ONE_LABEL
    is_name = labels.fullmatch(bucket) and not _IPV4.fullmatch(bucket)
    return bool(is_name) and len(bucket) >= _SHORTEST_HOST_NAME
