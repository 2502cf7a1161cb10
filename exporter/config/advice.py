"""What a valid config says that is likely meant otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.text.humanize import human_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.config.settings import Settings, TargetSettings

_HOST_OF_BUCKETS = re.compile(r"(?:s3|obs|oss|cos|tos|storage)\b")
"""What follows a bucket's name in the host names of stores."""


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
        yield (
            f"cleanup.after: the store removes uploads after {after}, so that with stale_after of "
            f"{stale_after} none is ever stale: set stale_after below it"
        )


def endpoint_advice(target: TargetSettings, buckets: Iterable[str]) -> Iterator[str]:
    """Yield where the URL of a target's server already names one of these buckets."""
    names = frozenset(buckets)
    key = "endpoint_urls" if target.endpoint_urls else "endpoint_url"
    for endpoint in target.endpoints:
        url = urlsplit(endpoint)
        folder = url.path.rstrip("/").rpartition("/")[2]
        bucket, _, host = (url.hostname or "").partition(".")
        if folder in names:
            yield f"{key}: ends in the name of the bucket {folder}, which is added to it: take it out"
        elif bucket in names and _HOST_OF_BUCKETS.match(host):
            yield f"{key}: begins with the name of the bucket {bucket}, which is added to it: take it out"
