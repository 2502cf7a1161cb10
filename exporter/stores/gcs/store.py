"""Google Cloud Storage, by its XML API.

API: https://cloud.google.com/storage/docs/xml-api/get-bucket-uploads and get-object-multipart. It lists the
uploads of that API only: sessions of resumable uploads are listed by no call.
"""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.aws.keys import own_keys
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
from exporter.stores.gcs.credentials import GcsCredentials
from exporter.stores.gcs.route import HMAC_REGION, bucket_route, has_hmac_key
from exporter.stores.gcs.token import Token
from exporter.stores.gcs.wire import GcsBucket, read_error
from exporter.stores.pagination.part_sums import NumberedPartSum
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.lifecycle import ask_rules
from exporter.stores.parsing.tags import ask_tags
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.stores.aws.keys import Keys
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.gcs.credentials import Tokens
    from exporter.stores.gcs.route import GcsRoute
    from exporter.stores.transport.client import Call, Transport
    from exporter.stores.transport.response import Response
    from exporter.stores.transport.url import QueryArgument

_LARGEST_PAGE = 1000
_NO_MORE = (
    f"the project has {_LARGEST_PAGE:,} buckets or more, and the API lists no more: name them under buckets"
)
_NO_PROJECT = "no project is known whose buckets to list: set project"


class GcsStore:
    """Lists uploads and parts through the wire engine, with a token or signed by an HMAC key."""

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
        credentials: Tokens | None = None,
    ) -> None:
        """`clock` is Unix seconds; `credentials` are the application default unless given."""
        self.operations = operations_of(target)
        self._target = target
        self._transport = transport
        self._credentials = credentials or GcsCredentials(target, transport, clock)
        self._wire: WireTarget[Token | Keys] = WireTarget(
            transport, self._keys, clock, endpoint_url=target.endpoint_url
        )
        self._wire.keys.doubt = self._doubt
        self._is_signed = has_hmac_key(target)
        self.signing_region = HMAC_REGION if self._is_signed else ""

    def open(self, bucket: BucketSettings, deadline: float) -> WireSession[Token | Keys]:  # noqa: ARG002 - nothing to ask first
        """Return the session of one scan."""
        route = bucket_route(self._target, bucket.name)
        return WireSession(self._wire, GcsBucket(bucket, route, self._target.scan.page_size))

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the project's buckets after `marker`, a bucket's name. Raises StoreError."""
        arguments: list[QueryArgument] = [("marker", marker[0])] if marker else []
        with self._transport.call(BUCKETS_OPERATION, deadline) as call:
            self._wire.keys.get(deadline)  # the file that they come from may name the project
            project = self._target.project or ("" if self._is_signed else self._credentials.project)
            try:
                response = self._get(call, bucket_route(self._target, "", project), arguments)
            except StoreError as error:
                if not project and error.status == HTTPStatus.BAD_REQUEST:
                    said = str(error).rpartition("; ")[0]  # without the advice to a refusal of any kind
                    raise StoreError(error.reason, f"{said}; {_NO_PROJECT}", status=error.status) from error
                raise
            page = read_buckets(response)
        # a page has no more, and the documentation does not say how a longer list goes on
        is_full = page.next_marker is None and len(page.items) >= _LARGEST_PAGE
        if is_full and marker and next(iter(page.items)).name <= marker[0]:
            raise StoreError(Reason.UNSUPPORTED, f"{BUCKETS_OPERATION}: {_NO_MORE}", status=HTTPStatus.OK)
        return page._replace(truncated=True) if is_full else page

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return when the bucket's lifecycle rules abort uploads. Raises StoreError."""
        with self._transport.call(LIFECYCLE_OPERATION, deadline) as call:
            return ask_rules(partial(self._ask_of_bucket, call, "lifecycle", bucket), bucket.prefix)

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> dict[str, str]:
        """Return the bucket's labels, which the XML API calls tags. Raises StoreError."""
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

    def _keys(self, deadline: float) -> Token | Keys:
        """Return what requests carry now. Raises StoreError."""
        if self._is_signed:
            return own_keys(self._target.credentials, UPLOADS_OPERATION)
        return self._credentials.token(deadline)

    def _doubt(self, refused: Token | Keys) -> None:
        if isinstance(refused, Token):
            self._credentials.doubt(refused)

    def _ask_of_bucket(self, call: Call, subresource: str, bucket: BucketSettings) -> Response:
        """Return the answer to a call about the bucket itself. Raises StoreError."""
        return self._get(call, bucket_route(self._target, bucket.name), [(subresource, None)], bucket.name)

    def _get(self, call: Call, route: GcsRoute, arguments: list[QueryArgument], bucket: str = "") -> Response:
        """Return the response (status 200) to a request that blocks this thread. Raises StoreError."""
        keys = self._wire.keys.get(call.deadline)
        try:
            return self._send(call, route.request(keys, "", arguments, self._now()), bucket)
        except StoreError as error:
            replaced = error.reason is Reason.CREDENTIALS and self._wire.keys.replaced(keys, call.deadline)
            if not replaced:
                raise
        keys = self._wire.keys.get(call.deadline)
        return self._send(call, route.request(keys, "", arguments, self._now()), bucket)

    def _now(self) -> float:
        return self._wire.clock() + self._wire.clock_offset

    def _send(self, call: Call, request: tuple[str, list[str]], bucket: str) -> Response:
        url, lines = request
        response = self._transport.send(Request.get(call.operation, url, lines))
        if response.status != HTTPStatus.OK:
            asked = Asked(bucket, self._target.endpoint_url)
            raise refusal(call.operation, response, *read_error(response), asked)
        return response
