"""The server, the addressing style and the signing region that a target's settings amount to for OBS."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.model.errors import Reason, StoreError

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings

_DEFAULT_REGION = "us-east-1"  # which S3-compatible servers accept
_HUAWEI_HOST = re.compile(r"^(obs\.)[a-z0-9-]+(\.myhuaweicloud\.(?:com|eu|cn))$")
_REGION = re.compile("[a-z0-9-]+")
_HOST_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATH_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")  # Ceph's tenant:bucket
_DEFAULT_PORTS = {"http": 80, "https": 443}


def sign_region(target: TargetSettings) -> str:
    """Return the region for signatures, '' if none is configured; only `v4` needs one."""
    return target.region or (_DEFAULT_REGION if target.signature == "v4" else "")


@dataclass(frozen=True, slots=True)
class Server:
    """A server: `host` as in a URL; with `path_style` the bucket's name is in the path, else in the host."""

    host: str
    port: int
    scheme: str
    path_style: bool


def read_server(target: TargetSettings, region: str | None = None) -> Server:
    """Return the server of endpoint_url and addressing_style. Raises StoreError (unsupported).

    Among Huawei's own servers it is that of `region`, if one is given: each serves its own buckets only.
    """
    url = urlsplit(target.endpoint_url or "")
    host = url.hostname
    if url.scheme not in _DEFAULT_PORTS or not host:
        raise StoreError(Reason.UNSUPPORTED, "endpoint_url: must be the URL of the OBS server")
    if url.path not in {"", "/"} or url.query:
        raise StoreError(Reason.UNSUPPORTED, "endpoint_url: must end after host and port, obs takes no path")
    style = target.addressing_style
    if style == "virtual" and _is_ip_address(host):
        raise StoreError(Reason.UNSUPPORTED, "addressing_style: virtual needs a host name in endpoint_url")
    path_style = style == "path" or (style == "auto" and (target.signature != "obs" or _is_ip_address(host)))
    if region and _REGION.fullmatch(region):
        host = _HUAWEI_HOST.sub(rf"\g<1>{region}\g<2>", host)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    return Server(f"[{host}]" if ":" in host else host, port, url.scheme, path_style)


def check_bucket_name(operation: str, name: str, server: Server) -> None:
    """Raise StoreError (unsupported) where the server's URLs cannot hold a bucket's name."""
    if not (_PATH_BUCKET if server.path_style else _HOST_BUCKET).fullmatch(name):
        where = "path" if server.path_style else "host name (try addressing_style: path)"
        what = f"{operation}: the bucket's name does not fit into a {where}"
        raise StoreError(Reason.UNSUPPORTED, what)


def iam_url(target: TargetSettings) -> str:
    """Return the URL of IAM: of the region of Huawei's own server, else that of all regions."""
    host = urlsplit(target.endpoint_url or "").hostname or ""
    return f"https://iam.{host.removeprefix('obs.') if _HUAWEI_HOST.match(host) else 'myhuaweicloud.com'}"


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
