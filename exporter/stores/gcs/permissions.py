"""The IAM permission that a call to Google Cloud Storage needs.

https://cloud.google.com/storage/docs/access-control/iam-xml
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
)

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings
    from exporter.model.errors import Failure

_PERMISSIONS = {
    BUCKETS_OPERATION: "storage.buckets.list",
    UPLOADS_OPERATION: "storage.multipartUploads.list",
    PARTS_OPERATION: "storage.multipartUploads.listParts",
    LIFECYCLE_OPERATION: "storage.buckets.get",
    TAGS_OPERATION: "storage.buckets.get",
}
_NO_PAYER, _PAYER_REFUSED = "UserProjectMissing", "UserProjectAccessDenied"


def permission(target: TargetSettings, bucket: str, operation: str) -> str:
    """Return permission and resource: `storage.multipartUploads.list on projects/_/buckets/media`."""
    if operation == BUCKETS_OPERATION:
        return f"{_PERMISSIONS[operation]} on the project{f' {target.project}' if target.project else ''}"
    return f"{_PERMISSIONS[operation]} on projects/_/buckets/{bucket}"


def other_permission(target: TargetSettings, failure: Failure) -> str | None:
    """Return what a failed call lacks instead of its own permission: '' where that is no permission."""
    if _NO_PAYER in failure.message:
        return ""
    if target.user_project and _PAYER_REFUSED in failure.message:
        return f"serviceusage.services.use on the project {target.user_project}"
    return None
