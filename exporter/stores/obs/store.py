"""Huawei OBS, and S3-compatible servers that take its SDK's signatures.

API: https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0097.html, parts: obs_04_0102.html.
"""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    S3_OPERATIONS,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
    operations_of,
)
from exporter.stores.engine.wire import WireSession, WireTarget
from exporter.stores.errors import refusal
from exporter.stores.obs.credentials import METADATA_URL, Keys, ObsCredentials
from exporter.stores.obs.endpoint import check_bucket_name, iam_url, read_server, sign_region
from exporter.stores.obs.signature import ObsRequest, ObsSigner
from exporter.stores.obs.wire import ObsBucket, read_error
from exporter.stores.pagination.part_sums import NumberedPartSum
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.lifecycle import ask_rules
from exporter.stores.parsing.tags import ask_tags
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.transport.client import Call, Transport
    from exporter.stores.transport.response import Response


class ObsStore:
    """Lists uploads and parts through the wire engine, signed by esdk-obs-python.

    With addressing_style `auto` the bucket's name goes into the host name under signature `obs`, and into
    the path under `v2` and `v4` and where endpoint_url has an IP address. No delimiter and no encoding are
    requested.
    """

    has_part_times = True
    has_initiation_times = True
    page_operations = S3_OPERATIONS
    lists_by_key = True
    encodes_keys = True

    def __init__(
        self,
        target: TargetSettings,
        transport: Transport,
        clock: Callable[[], float] = time.time,
        metadata_url: str = METADATA_URL,
    ) -> None:
        """`clock` is Unix seconds; `metadata_url` is the metadata service of a server with an agency."""
        self.operations = operations_of(target)
        self._target = target
        self._transport = transport
        self._credentials = ObsCredentials(
            target.credentials, transport, metadata_url=metadata_url, iam_url=iam_url(target)
        )
        self._wire = WireTarget(transport, self._keys, clock)
        self._wire.keys.doubt = self._credentials.doubt
        self.signing_region = sign_region(target)

    def open(self, bucket: BucketSettings, deadline: float) -> WireSession[Keys]:  # noqa: ARG002 - nothing to ask first
        """Return the session of one scan. Raises StoreError (unsupported)."""
        signer = self._signer(UPLOADS_OPERATION, bucket)
        return WireSession(self._wire, ObsBucket(bucket, signer, self._target.scan.page_size))

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets, file systems too, after `marker`, a bucket's name."""
        with self._transport.call(BUCKETS_OPERATION, deadline) as call:
            signer = self._signer(BUCKETS_OPERATION, None)
            arguments = [("marker", marker[0])] if marker else []
            # for S3-compatible servers it is an unknown header, which some refuse
            headers = {signer.location_header: "true"} if self._target.signature == "obs" else {}
            request = ObsRequest(call.operation, "", "", arguments, headers)
            return read_buckets(self._get(signer, request))

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return when the bucket's lifecycle rules abort uploads. Raises StoreError."""
        with self._transport.call(LIFECYCLE_OPERATION, deadline) as call:
            return ask_rules(partial(self._ask_of_bucket, call, "lifecycle", bucket), bucket.prefix)

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> dict[str, str]:
        """Return the bucket's tags. Raises StoreError."""
        with self._transport.call(TAGS_OPERATION, deadline) as call:
            return ask_tags(partial(self._ask_of_bucket, call, "tagging", bucket))

    def new_part_sum(self) -> NumberedPartSum:
        """Return what adds up the parts of one upload."""
        return NumberedPartSum()

    def keep_only(self, names: Container[str]) -> None:
        """Do nothing: nothing is kept of a bucket between its scans."""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _keys(self, deadline: float) -> Keys:
        with self._transport.call(UPLOADS_OPERATION, deadline):
            return self._credentials.keys()

    def _signer(self, operation: str, bucket: BucketSettings | None) -> ObsSigner:
        """Return the signer of requests to a bucket, None: to the account. Raises StoreError."""
        server = read_server(self._target, bucket.region if bucket else None)
        if bucket:
            check_bucket_name(operation, bucket.name, server)
        return ObsSigner(server, self._target.signature, self.signing_region)

    def _ask_of_bucket(self, call: Call, subresource: str, bucket: BucketSettings) -> Response:
        """Return the answer to a call about the bucket itself. Raises StoreError."""
        signer = self._signer(call.operation, bucket)
        return self._get(signer, ObsRequest(call.operation, bucket.name, "", [(subresource, None)]))

    def _get(self, signer: ObsSigner, request: ObsRequest) -> Response:
        """Return the response (status 200) to a request that blocks this thread. Raises StoreError."""
        now, keys = self._wire.clock() + self._wire.clock_offset, self._credentials.keys()
        try:
            url, headers = signer.sign(request, keys, now)
        except UnicodeError:
            what = f"{request.operation}: the marker is not Unicode and cannot be sent"
            raise StoreError(Reason.UNSUPPORTED, what) from None
        response = self._transport.send(Request(request.operation, "GET", url, tuple(headers.items())))
        if response.status != HTTPStatus.OK:
            error = refusal(request.operation, response, *read_error(response), Asked(request.bucket))
            if error.reason is Reason.CREDENTIALS:
                self._credentials.doubt(keys)
            raise error
        return response
