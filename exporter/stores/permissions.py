"""What to grant so that a call is allowed: action and resource, as the store's own policies name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings

LISTING, PARTS, RULES = "ListMultipartUploads", "ListParts", "GetBucketLifecycleConfiguration"
BUCKETS, VAULTS = "ListBuckets", "ListVaults"

_S3 = {
    BUCKETS: ("s3:ListAllMyBuckets", ""),
    LISTING: ("s3:ListBucketMultipartUploads", ""),
    PARTS: ("s3:ListMultipartUploadParts", "/*"),
    RULES: ("s3:GetLifecycleConfiguration", ""),
}
_OBS = {
    BUCKETS: ("obs:bucket:ListAllMyBuckets", "bucket:*"),
    LISTING: ("obs:bucket:ListBucketMultipartUploads", "bucket:{}"),
    PARTS: ("obs:object:ListMultipartUploadParts", "object:{}/*"),
    RULES: ("obs:bucket:GetLifecycleConfiguration", "bucket:{}"),
}
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
_DIRECTORY_BUCKET = "--x-s3"


def grant(target: TargetSettings, bucket: str, operation: str) -> str:
    """Return what allows the operation: `s3:ListMultipartUploadParts on arn:aws:s3:::media/*`."""
    if target.store is StoreKind.GLACIER:
        return _glacier(target, bucket, operation)
    if target.store is StoreKind.OBS and target.signature == "obs":
        action, resource = _OBS[operation]
        return f"{action} on obs:*:*:{resource.format(bucket)}"
    return _s3(target, bucket, operation)


def grant_role(target: TargetSettings) -> str:
    """Return what allows to take the target's role; '' where it takes none."""
    role = target.credentials.assume_role
    return f"sts:AssumeRole on {role.role_arn}" if role else ""


def _s3(target: TargetSettings, bucket: str, operation: str) -> str:
    partition, region = _partition(target), target.region or "*"
    if bucket.endswith(_DIRECTORY_BUCKET):
        return f"s3express:CreateSession on arn:{partition}:s3express:{region}:*:bucket/{bucket}"
    action, inside = _S3[operation]
    if operation == BUCKETS:
        return f"{action} on *"
    if bucket.startswith("arn:"):  # an access point
        return f"{action} on {bucket}{'/object/*' if inside else ''}"
    return f"{action} on arn:{partition}:s3:::{bucket}{inside}"


def _glacier(target: TargetSettings, vault: str, operation: str) -> str:
    account = "*" if target.account_id == "-" else target.account_id
    vaults = f"arn:{_partition(target)}:glacier:{target.region or '*'}:{account}:vaults"
    return f"glacier:{operation} on {vaults}/{'*' if operation == VAULTS else vault}"


def _partition(target: TargetSettings) -> str:
    region = target.region or ""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")
