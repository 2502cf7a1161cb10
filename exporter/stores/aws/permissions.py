"""Permissions that a call needs beside its own: for the role it is made in, and for encrypted uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.errors import Reason

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings
    from exporter.model.errors import Failure


def other_permission(target: TargetSettings, failure: Failure) -> str | None:
    """Return the permission that a failed call lacks instead of its own, None where it lacks its own."""
    role = target.credentials.assume_role
    if role and "AccessDenied" in failure.message and "AssumeRole" in failure.message:
        return f"sts:AssumeRole on {role.role_arn}"
    if failure.reason is Reason.ACCESS_DENIED and "kms:" in failure.message.lower():
        return "kms:Decrypt on the key that the uploads are encrypted with"
    return None
