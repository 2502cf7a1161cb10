"""One entry for each kind of store: how to make it, and what is particular to it.

Importing this loads no SDK: a module of a store is imported when the first target of its kind is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.config.settings import StoreKind
from exporter.stores.aws.permissions import other_permission
from exporter.stores.azure import abort_command as azure_abort
from exporter.stores.azure import permissions as azure_permissions
from exporter.stores.base import (
    BUCKETS_OPERATION,
    CONTAINERS_OPERATION,
    METADATA_OPERATION,
    TAGS_OPERATION,
    VAULT_TAGS_OPERATION,
    VAULTS_OPERATION,
)
from exporter.stores.gcs import abort_command as gcs_abort
from exporter.stores.gcs import permissions as gcs_permissions
from exporter.stores.glacier import abort_command as glacier_abort
from exporter.stores.glacier import permissions as glacier_permissions
from exporter.stores.multi_node import MultiNodeStore, Node
from exporter.stores.obs import abort_command as obs_abort
from exporter.stores.obs import permissions as obs_permissions
from exporter.stores.s3 import abort_command as s3_abort
from exporter.stores.s3 import permissions as s3_permissions
from exporter.stores.s3.prices import billed_classes
from exporter.stores.sdk_imports import SDK_IMPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.abort import AbortCommand
    from exporter.model.errors import Failure
    from exporter.model.uploads import Upload
    from exporter.stores.base import Store
    from exporter.stores.transport.client import Transport

    NewStore = Callable[[TargetSettings, Transport], Store]


def _no_other_permission(target: TargetSettings, failure: Failure) -> None:  # noqa: ARG001 - any failure
    return None


def _as_they_are_called(target: TargetSettings) -> Mapping[str, str]:  # noqa: ARG001 - any target
    return {}


def _account_of_vaults(target: TargetSettings) -> str:
    return target.account_id


def _azure_account(target: TargetSettings) -> str:
    from exporter.stores.azure.account import account_identity  # noqa: PLC0415 - of no use to other stores

    return account_identity(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreType:
    """A kind of store, and all that is particular to it."""

    load: Callable[[], NewStore]
    """Imports the store's module and returns the class of its stores."""
    permission: Callable[[TargetSettings, str, str], str]
    """What allows a call: action and resource, of target, bucket and operation."""
    abort_command: Callable[[TargetSettings, BucketSettings, Upload, str], AbortCommand]
    """How an upload is aborted, of target, bucket, upload, and the region of requests or ''."""
    other_permission: Callable[[TargetSettings, Failure], str | None] = _no_other_permission
    """What a failed call lacks instead of its own permission: '' for what no permission would help."""
    billed_classes: Callable[[TargetSettings], Mapping[str, str]] = _as_they_are_called
    """Storage classes whose parts are billed as another class, and as which."""
    account: Callable[[TargetSettings], str] = _account_of_vaults
    """What tells the account of a target from others of the same URL, in what is remembered."""
    buckets_operation: str = BUCKETS_OPERATION
    """The API's name of the call that lists the account's buckets."""
    tags_operation: str = TAGS_OPERATION
    """The API's name of the call that returns a bucket's tags."""
    has_abort_dates: bool = False
    """Whether answers to ListParts say when the store will abort the upload."""
    has_initiation_times: bool = True
    """Whether uploads come with the time of their initiation; else their ages are at least those shown."""
    lists_by_key: bool = True
    """Whether uploads can be listed by the prefix of their keys, and so asked for by name."""


def store_type(kind: str) -> StoreType:
    """Return the entry of a kind of store, as `store` of a target or of a board's entry names it."""
    return _TYPES[StoreKind(kind)]


def make_store(target: TargetSettings, transport: Transport) -> Store:
    """Return the store of a target; nothing is sent yet. Safe to call from many threads."""
    with SDK_IMPORTS:
        new_store = store_type(target.store).load()
    if not target.endpoint_urls:
        return new_store(target, transport)
    nodes = [replace(target, endpoint_url=url, endpoint_urls=()) for url in target.endpoint_urls]
    return MultiNodeStore([Node(node.endpoint_url or "", new_store(node, transport)) for node in nodes])


def _s3() -> NewStore:
    from exporter.stores.s3.store import S3Store  # noqa: PLC0415 - loads libcurl

    return S3Store


def _obs() -> NewStore:
    from exporter.stores.obs.store import ObsStore  # noqa: PLC0415 - loads the OBS SDK

    return ObsStore


def _glacier() -> NewStore:
    from exporter.stores.glacier.store import GlacierStore  # noqa: PLC0415 - loads boto3

    return GlacierStore


def _gcs() -> NewStore:
    from exporter.stores.gcs.store import GcsStore  # noqa: PLC0415 - loads libcurl

    return GcsStore


def _azure() -> NewStore:
    from exporter.stores.azure.store import AzureStore  # noqa: PLC0415 - loads libcurl

    return AzureStore


_TYPES = {
    StoreKind.S3: StoreType(
        load=_s3,
        permission=s3_permissions.permission,
        abort_command=s3_abort.abort_command,
        other_permission=other_permission,
        billed_classes=billed_classes,
        has_abort_dates=True,
    ),
    StoreKind.OBS: StoreType(
        load=_obs,
        permission=obs_permissions.permission,
        abort_command=obs_abort.abort_command,
        other_permission=other_permission,
    ),
    StoreKind.GLACIER: StoreType(
        load=_glacier,
        permission=glacier_permissions.permission,
        abort_command=glacier_abort.abort_command,
        other_permission=other_permission,
        buckets_operation=VAULTS_OPERATION,
        tags_operation=VAULT_TAGS_OPERATION,
        lists_by_key=False,
    ),
    StoreKind.GCS: StoreType(
        load=_gcs,
        permission=gcs_permissions.permission,
        abort_command=gcs_abort.abort_command,
        other_permission=gcs_permissions.other_permission,
    ),
    StoreKind.AZURE: StoreType(
        load=_azure,
        permission=azure_permissions.permission,
        abort_command=azure_abort.abort_command,
        account=_azure_account,
        buckets_operation=CONTAINERS_OPERATION,
        tags_operation=METADATA_OPERATION,
        has_initiation_times=False,
    ),
}
