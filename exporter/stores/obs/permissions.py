"""The permission that a call to OBS needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
)
from exporter.stores.s3 import permissions as s3

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings

_ACTIONS_AND_RESOURCES = {
    BUCKETS_OPERATION: ("obs:bucket:ListAllMyBuckets", "bucket:*"),
    UPLOADS_OPERATION: ("obs:bucket:ListBucketMultipartUploads", "bucket:{}"),
    PARTS_OPERATION: ("obs:object:ListMultipartUploadParts", "object:{}/*"),
    LIFECYCLE_OPERATION: ("obs:bucket:GetLifecycleConfiguration", "bucket:{}"),
    TAGS_OPERATION: ("obs:bucket:GetBucketTagging", "bucket:{}"),
}


def permission(target: TargetSettings, bucket: str, operation: str) -> str:
    """Return action and resource; those of S3 where the target's signature is S3's."""
    if target.signature != "obs":
        return s3.permission(target, bucket, operation)
    action, resource = _ACTIONS_AND_RESOURCES[operation]
    return f"{action} on obs:*:*:{resource.format(bucket)}"
