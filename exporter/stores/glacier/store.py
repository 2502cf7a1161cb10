"""Amazon Glacier: its vaults are our buckets.

API: https://docs.aws.amazon.com/amazonglacier/latest/dev/api-multipart-list-uploads.html,
api-multipart-list-parts.html and api-error-responses.html.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.aws.client import AwsClient
from exporter.stores.base import (
    PARTS_OPERATION,
    S3_OPERATIONS,
    UPLOADS_OPERATION,
    VAULT_TAGS_OPERATION,
    VAULTS_OPERATION,
    operations_of,
)
from exporter.stores.engine.threads import ThreadedSession
from exporter.stores.errors import gone_error
from exporter.stores.glacier.pages import (
    is_gone,
    read_error,
    read_parts,
    read_tags,
    read_uploads,
    read_vaults,
)
from exporter.stores.pagination.part_sums import RangedPartSum

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Part, Upload
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.transport.client import Call, Transport
    from exporter.stores.transport.response import Response

MAX_PAGE_SIZE = 50
"""A larger page is refused (some editions of the guide allow 10 parts only, and the page has these)."""

_EMPTY_PAGE = b"{}"


class GlacierStore:
    """Lists uploads and parts through boto3, one call per page.

    Parts have no number and no time: they are known by the bytes they cover, and the order of nothing is
    relied on. Markers are handed back as they came.
    """

    has_part_times = False
    has_initiation_times = True
    page_operations = S3_OPERATIONS
    lists_by_key = False
    encodes_keys = False

    def __init__(
        self, target: TargetSettings, transport: Transport, clock: Callable[[], float] = time.time
    ) -> None:
        """Make the store of a target; the SDK's client is made by the first call."""
        self.operations = operations_of(target, VAULTS_OPERATION, VAULT_TAGS_OPERATION)
        self._target = target
        self._transport = transport
        self._clock = clock
        self._client = AwsClient(target, "glacier", transport, read_error, _EMPTY_PAGE, clock=clock)

    @property
    def signing_region(self) -> str:
        """The region requests are signed for."""
        return self._client.region

    def list_uploads(
        self,
        bucket: BucketSettings,
        marker: Marker | None,
        deadline: float,
        **_: bool,  # there are no keys
    ) -> Page[Upload]:
        """Return the page of the vault's uploads after `marker`."""
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            answer = self._ask(call, "list_multipart_uploads", bucket, marker)
            return read_uploads(answer, bucket.name, self._clock())

    def list_parts(
        self, bucket: BucketSettings, upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        """Return the page of the upload's parts after `marker`."""
        with self._transport.call(PARTS_OPERATION, deadline) as call:
            try:
                answer = self._ask(call, "list_parts", bucket, marker, uploadId=upload.upload_id)
            except StoreError as error:
                if is_gone(error):
                    raise gone_error(PARTS_OPERATION, error) from error
                raise
            return read_parts(answer, bucket.name, upload.upload_id)

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's vaults after `marker`."""
        parameters = {"accountId": self._target.account_id, **({"marker": marker[0]} if marker else {})}
        with self._transport.call(VAULTS_OPERATION, deadline) as call:
            return read_vaults(self._client.call_api(call, "list_vaults", parameters))

    def open(self, bucket: BucketSettings, deadline: float) -> ThreadedSession:  # noqa: ARG002 - nothing to ask first
        """Return a session for the calls of one scan."""
        return ThreadedSession(self)

    def new_part_sum(self) -> RangedPartSum:
        """Return an empty sum of one upload's parts."""
        return RangedPartSum()

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:  # noqa: ARG002 - no call to make
        """Refuse: vaults have no lifecycle rules."""
        raise StoreError(Reason.UNSUPPORTED, "vaults have no lifecycle rules")

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> dict[str, str]:
        """Return the vault's tags. Raises StoreError."""
        parameters = {"accountId": self._target.account_id, "vaultName": bucket.name}
        with self._transport.call(VAULT_TAGS_OPERATION, deadline) as call:
            return read_tags(self._client.call_api(call, "list_tags_for_vault", parameters))

    def keep_only(self, names: Container[str]) -> None:
        """Do nothing: nothing is kept of a vault between its scans."""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _ask(
        self, call: Call, method: str, bucket: BucketSettings, marker: Marker | None, **own: str
    ) -> Response:
        parameters = {"accountId": self._target.account_id, "vaultName": bucket.name, **own}
        if marker:
            (parameters["marker"],) = marker
        if self._target.scan.page_size:
            parameters["limit"] = str(min(self._target.scan.page_size, MAX_PAGE_SIZE))
        return self._client.call_api(call, method, parameters)
