"""What a call to Azure Blob Storage needs: an action of its roles, and the letters of a SAS token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.stores.azure.account import read_connection
from exporter.stores.base import (
    BLOBS_OPERATION,
    BLOCKS_OPERATION,
    CONTAINERS_OPERATION,
    METADATA_OPERATION,
)

if TYPE_CHECKING:
    from exporter.config.settings import TargetSettings

_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_ACTIONS = {
    CONTAINERS_OPERATION: f"{_CONTAINERS}/read",
    METADATA_OPERATION: f"{_CONTAINERS}/read",
    BLOBS_OPERATION: f"{_CONTAINERS}/blobs/read",
    BLOCKS_OPERATION: f"{_CONTAINERS}/blobs/read",
}
_SAS = {
    CONTAINERS_OPERATION: "srt=s with sp=l",
    METADATA_OPERATION: "srt=c with sp=r",
    BLOBS_OPERATION: "sp=l",
    BLOCKS_OPERATION: "sp=r",
}
"""That of a container can do what has no srt here; that of an account needs srt=co."""


def permission(target: TargetSettings, container: str, operation: str) -> str:
    """Return the letters of the SAS token where one is used, else action, role and scope."""
    if _has_sas_token(target):
        return f"{_SAS[operation]} in the SAS token"
    scope = "the account" if operation == CONTAINERS_OPERATION else container
    return f"{_ACTIONS[operation]} (Storage Blob Data Reader) on {scope}"


def _has_sas_token(target: TargetSettings) -> bool:
    if target.credentials.sas_token:
        return True
    try:
        written = read_connection(target)
    except StoreError:  # its file has gone since
        return False
    return bool(written.get("SHAREDACCESSSIGNATURE")) and not written.get("ACCOUNTKEY")
