"""Which of Amazon's partitions a target is in, which region without one, and which hosts are Amazon's."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings

DEFAULT_REGION = "us-east-1"
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def partition_of(target: TargetSettings) -> str:
    """Return the partition of the target's region, as ARNs name it."""
    region = target.region or ""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


def is_amazon(url: str) -> bool:
    """Return whether the URL's host is one of Amazon's."""
    return (urlsplit(url).hostname or "").endswith(_DOMAINS)
