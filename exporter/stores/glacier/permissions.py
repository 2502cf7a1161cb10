"""The IAM permission that a call to Glacier needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.aws.partition import partition_of
from exporter.stores.base import VAULTS_OPERATION

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings


def permission(target: TargetSettings, vault: str, operation: str) -> str:
    """Return action and resource: `glacier:ListParts on arn:aws:glacier:*:*:vaults/tapes`."""
    account = "*" if target.account_id == "-" else target.account_id
    vaults = f"arn:{partition_of(target)}:glacier:{target.region or '*'}:{account}:vaults"
    return f"glacier:{operation} on {vaults}/{'*' if operation == VAULTS_OPERATION else vault}"
