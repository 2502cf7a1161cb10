"""What a valid config says that is likely meant otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from exporter.config.store_defaults import cleans_up_by_itself
from exporter.text.humanize import human_seconds

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from exporter.config.settings import Settings, TargetSettings

_HOST_OF_BUCKETS = re.compile(
    r"(?:bucket\.vpce|s3|s3express|obs|oss|cos|tos|sos|storage|objects?|objectstorage|minio|ceph|rgw|radosgw|garage)\b"
)
"""What follows a bucket's name in the host names of stores."""
_DOMAINS = (
    *(".digitaloceanspaces.com", ".linodeobjects.com", ".vultrobjects.com", ".your-objectstorage.com"),
    *(".r2.cloudflarestorage.com", ".backblazeb2.com", ".wasabisys.com", ".idrivee2.com", ".e2-3.dev"),
)
"""Domains of stores whose hosts begin with the name of a place or an account."""
_ADDED = "which is added to it, so that a store may answer with no uploads at all: take it out"


def find_advice(settings: Settings) -> Iterator[str]:
    """Yield what to look at, a line each with the path of the key."""
    for position, target in enumerate(settings.targets):
        for text in endpoint_advice(target, (bucket.name for bucket in target.buckets)):
            yield f"targets[{position}].{text}"
        for text in _cleanup_advice(target):
            yield f"targets[{position}].{text}"


def _cleanup_advice(target: TargetSettings) -> Iterator[str]:
    """Yield where the store removes uploads before they can be stale."""
    waits = {bucket.stale_after for bucket in target.buckets} or {target.stale_after}
    if target.cleanup and max(waits) >= target.cleanup.after:
        after, stale_after = human_seconds(target.cleanup.after), human_seconds(max(waits))
        if cleans_up_by_itself(target):
            yield (
                f"stale_after: is {stale_after}, and {target.store} removes uploads by itself after {after}, "
                "so that none is ever stale: set it below that"
            )
            return
        yield (
            f"cleanup.after: the store removes uploads after {after}, so that with stale_after of "
            f"{stale_after} none is ever stale: set stale_after below it"
        )


def endpoint_advice(target: TargetSettings, buckets: Iterable[str]) -> Iterator[str]:
    """Yield where the URL of a target's server already names one of these buckets, for each URL once."""
    names = {name.lower().rpartition(":")[2]: name for name in buckets}  # of Ceph's tenant:bucket the latter
    key = "endpoint_urls" if target.endpoint_urls else "endpoint_url"
    for endpoint in target.endpoints:
        url = urlsplit(endpoint)
        folders = unquote(url.path).lower().split("/")
        if folder := next((each for each in folders if each in names), ""):
            yield f"{key}: has the name of the bucket {names[folder]} in its path, {_ADDED}"
        elif bucket := _find_bucket(url.hostname or "", names, target.addressing_style == "virtual"):
            yield f"{key}: begins with the name of the bucket {names[bucket]}, {_ADDED}"


def _find_bucket(host: str, names: Container[str], virtual: bool) -> str:  # noqa: FBT001 - its meaning is plain
    """Return the name with which a host begins; it may hold dots. The empty text: with none."""
    labels = host.split(".")
    for count in range(1, len(labels)):
        bucket, rest = ".".join(labels[:count]), ".".join(labels[count:])
        if bucket in names and (virtual or _HOST_OF_BUCKETS.match(rest) or rest.endswith(_DOMAINS)):
            return bucket
    return ""
