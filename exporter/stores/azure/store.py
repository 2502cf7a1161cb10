"""Azure Blob Storage: its containers are our buckets, blobs of uncommitted blocks our uploads.

API: https://learn.microsoft.com/rest/api/storageservices/list-blobs, get-block-list, list-containers2 and
get-container-metadata.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.azure.account import account_identity, read_account
from exporter.stores.azure.block_sum import BlockSum
from exporter.stores.azure.credentials import AzureCredentials
from exporter.stores.azure.metadata import read_metadata
from exporter.stores.azure.pages import read_containers
from exporter.stores.azure.refusals import read_refusal
from exporter.stores.azure.wire import ITEM_TAGS, Container
from exporter.stores.base import (
    AZURE_OPERATIONS,
    CONTAINERS_OPERATION,
    METADATA_OPERATION,
    ListingStart,
    operations_of,
)
from exporter.stores.engine.wire import WireSession, WireTarget
from exporter.stores.errors import refusal
from exporter.stores.transport.client import Request
from exporter.stores.transport.url import percent_encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Container as Names

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.stores.azure.account import AzureAccount
    from exporter.stores.azure.signing import AzureKeys
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.response import Response

_NO_RULES = "a container has no such rules: Azure removes uncommitted blocks a week after the last one"


class AzureStore:
    """Lists blobs and blocks through the wire engine.

    A listing has all blobs, the committed ones too, and no times of those that are not committed. Markers
    are Azure's own, and handed back as they came.
    """

    has_part_times = False
    has_initiation_times = False
    page_operations = AZURE_OPERATIONS
    lists_by_key = True
    encodes_keys = False
    signing_region = ""

    def __init__(
        self, target: TargetSettings, transport: Transport, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` is Unix seconds; nothing is sent yet."""
        self.operations = operations_of(target, CONTAINERS_OPERATION, METADATA_OPERATION, AZURE_OPERATIONS)
        self._target = target
        self._transport = transport
        self._credentials = AzureCredentials(target, transport, clock)
        self._wire = WireTarget(transport, self._credentials.keys, clock, endpoint_url=target.endpoint_url)
        self._wire.keys.doubt = self._credentials.doubt

    def open(self, bucket: BucketSettings, deadline: float) -> WireSession[AzureKeys]:  # noqa: ARG002 - nothing to ask first
        """Return the session of one scan. Raises StoreError (credentials)."""
        container = Container(bucket, self._account(), self._target.scan.page_size)
        return WireSession(self._wire, container, AZURE_OPERATIONS, ListingStart.EARLIER_MARKER, ITEM_TAGS)

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's containers after `marker`. Raises StoreError."""
        arguments = [("comp", "list"), *([("marker", marker[0])] if marker else [])]
        return read_containers(self._get(CONTAINERS_OPERATION, "/", arguments, deadline))

    def new_part_sum(self) -> BlockSum:
        """Return an empty sum of one blob's blocks."""
        return BlockSum()

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:  # noqa: ARG002 - no call to make
        """Refuse: no rule of Azure's is about uncommitted blocks."""
        raise StoreError(Reason.UNSUPPORTED, _NO_RULES)

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> dict[str, str]:
        """Return the container's metadata, whose names are the same in small and capital letters."""
        path = f"/{percent_encoded(bucket.name)}"
        arguments = [("restype", "container"), ("comp", "metadata")]
        response = self._get(METADATA_OPERATION, path, arguments, deadline, bucket.name)
        return read_metadata(response, self._target.tags)

    def keep_only(self, names: Names[str]) -> None:
        """Do nothing: nothing is kept of a container between its scans."""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _account(self) -> AzureAccount:
        """Return the account. Raises StoreError (credentials).

        What is remembered is that of the account that a file named first: a blob of the same name in
        another one would take over its age.
        """
        account = read_account(self._target)
        if account_identity(self._target) not in {"", account.identity}:
            secret = self._target.credentials.connection_string
            where = f"connection_string_file ({secret.file})" if secret else "account"
            what = f"{where} names another storage account than at first: restart the exporter"
            raise StoreError(Reason.CREDENTIALS, what)
        return account

    def _get(
        self, operation: str, path: str, arguments: Sequence[tuple[str, str]], deadline: float, name: str = ""
    ) -> Response:
        """Return the response (status 200) to a request that blocks this thread. Raises StoreError.

        `name` is that of the container asked about, '' for the account.
        """
        keys = self._wire.keys.get(deadline)
        with self._transport.call(operation, deadline):
            response = self._transport.send(self._signed(operation, path, arguments, keys))
            if response.status == HTTPStatus.OK:
                return response
            asked = Asked(name, self._target.endpoint_url)
            error = refusal(operation, response, *read_refusal(response), asked)
            if error.reason is Reason.CREDENTIALS:
                self._credentials.doubt(keys)
            raise error

    def _signed(
        self, operation: str, path: str, arguments: Sequence[tuple[str, str]], keys: AzureKeys
    ) -> Request:
        """Return a signed request. Raises StoreError."""
        now = self._wire.clock() + self._wire.clock_offset
        try:
            url, lines = keys.sign(self._account(), path, arguments, now)
        except UnicodeError:
            what = f"{operation}: the marker is not Unicode and cannot be sent"
            raise StoreError(Reason.UNSUPPORTED, what) from None
        return Request.get(operation, url, lines)
