"""URLs that no request could be right for: a cloud's own that name a bucket, plain ones for tokens."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.config.document import as_list, as_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.document import Values
    from exporter.config.problems import Fault, KeyPath

_OWN_SERVERS = {
    "s3": re.compile(
        r"((?P<before>.*)\.)?(?P<server>s3(?!-website)([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?)"
    ),
    "obs": re.compile(r"((?P<before>.*)\.)?(?P<server>obs\.[a-z0-9-]+\.myhuaweicloud\.[a-z.]+)"),
    "gcs": re.compile(r"((?P<before>.*)\.)?(?P<server>storage\.googleapis\.com)"),
}
"""Whole host names by kind of store, the bucket's name before them."""


def find_endpoint_faults(where: KeyPath, target: Values) -> Iterator[Fault]:
    """Yield each URL of such a server that has a path, or begins with one of the target's buckets."""
    pattern = _OWN_SERVERS.get(str(target.get("store")))
    urls = [((*where, "endpoint_url"), target.get("endpoint_url"))]
    listed = as_list(target.get("endpoint_urls"))
    urls += [((*where, "endpoint_urls", position), url) for position, url in enumerate(listed)]
    for path, text in urls:
        url = urlsplit(text) if isinstance(text, str) else None
        found = pattern.fullmatch(url.hostname or "") if pattern and url else None
        if not found or not url:
            continue
        if found["before"] and found["before"] in _bucket_names(target):
            yield path, f"begins with a bucket's name, which is added to it: write https://{found['server']}"
        elif url.path not in {"", "/"} and target["store"] != "obs":  # checked for any server
            yield (
                path,
                f"must end after the host: the bucket's name is added to it: https://{found['server']}",
            )


def find_plain_token_fault(where: KeyPath, target: Values) -> Iterator[Fault]:
    """Yield where a token of Google's would go in the clear to another machine."""
    text, keys = target.get("endpoint_url"), as_mapping(target.get("credentials"))
    url = urlsplit(text) if isinstance(text, str) else None
    if url is None or url.scheme != "http" or {"access_key_id", "access_key_id_file"} & keys.keys():
        return
    if not _is_this_machine(url.hostname or ""):
        advice = "write https, or sign by an HMAC key under credentials"
        yield (*where, "endpoint_url"), f"would carry a token, which anyone on the way can use: {advice}"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bucket_names(target: Values) -> set[object]:
    items = as_list(target.get("buckets"))
    return {as_mapping(item).get("name") if isinstance(item, dict) else str(item) for item in items}
