"""The IAM permission that a call to S3 needs, and the capability for Ceph's admin API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.aws.partition import partition_of
from exporter.stores.base import (
    BUCKETS_OPERATION,
    CEPH_ADMIN_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
)

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings

_ACTIONS = {
    BUCKETS_OPERATION: "s3:ListAllMyBuckets",
    UPLOADS_OPERATION: "s3:ListBucketMultipartUploads",
    PARTS_OPERATION: "s3:ListMultipartUploadParts",
    LIFECYCLE_OPERATION: "s3:GetLifecycleConfiguration",
    TAGS_OPERATION: "s3:GetBucketTagging",
}
_DIRECTORY_BUCKET = "--x-s3"
_CEPH_CAPABILITY = "caps buckets=read (radosgw-admin caps add --uid=USER --caps=buckets=read)"


def permission(target: TargetSettings, bucket: str, operation: str) -> str:
    """Return action and resource: `s3:ListMultipartUploadParts on arn:aws:s3:::media/*`."""
    if operation == CEPH_ADMIN_OPERATION:
        return _CEPH_CAPABILITY
    partition, region = partition_of(target), target.region or "*"
    if bucket.endswith(_DIRECTORY_BUCKET):
        return f"s3express:CreateSession on arn:{partition}:s3express:{region}:*:bucket/{bucket}"
    action, is_of_objects = _ACTIONS[operation], operation == PARTS_OPERATION
    if operation == BUCKETS_OPERATION:
        return f"{action} on *"
    if bucket.startswith("arn:"):  # an access point
        return f"{action} on {bucket}{'/object/*' if is_of_objects else ''}"
    account = "" if ":" in bucket else ":"  # Ceph's tenant:bucket, which stands in the field of the account
    return f"{action} on arn:{partition}:s3::{account}{bucket}{'/*' if is_of_objects else ''}"
