"""S3 through boto3, one blocking call per page; also gives the wire engine routes and credentials."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.model.errors import StoreError
from exporter.stores.aws.client import AwsClient
from exporter.stores.aws.route import read_route
from exporter.stores.aws.sse_customer_key import ALGORITHM, CustomerKey, is_key_not_needed
from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
    PageRequest,
)
from exporter.stores.errors import gone_error, is_gone
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.lifecycle import ask_rules
from exporter.stores.parsing.pages import read_error, read_parts, read_uploads
from exporter.stores.parsing.tags import ask_tags
from exporter.stores.s3.names import expected_bucket_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Part, Upload
    from exporter.stores.aws.keys import Keys
    from exporter.stores.aws.route import Route
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.transport.client import Call, Transport
    from exporter.stores.transport.response import Response

_EMPTY_PAGE = b"<ListMultipartUploadsResult/>"
_BUCKETS_PER_PAGE = 1000


class BotoStore:
    """A `BlockingStore` of S3 that sends through boto3.

    No delimiter and no encoding are requested: servers differ in how they apply them.
    """

    def __init__(self, target: TargetSettings, transport: Transport, clock: Callable[[], float]) -> None:
        """`clock` is Unix seconds."""
        self._target = target
        self._transport = transport
        self._clock = clock
        self._customer_key = CustomerKey(target.sse_customer_key)
        self._client = AwsClient(
            target, "s3", transport, lambda response: read_error(response.body), _EMPTY_PAGE, clock=clock
        )

    @property
    def region(self) -> str:
        """The region that requests are signed for, except for buckets in other regions."""
        return self._client.region

    def list_uploads(
        self, bucket: BucketSettings, marker: Marker | None, deadline: float, **options: bool
    ) -> Page[Upload]:
        """Return the page after `marker`, which is the pair (key marker, upload id marker)."""
        return self.list_uploads_with_route(bucket, marker, deadline, **options)[0]

    def list_parts(
        self, bucket: BucketSettings, upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        """Return the page of parts after `marker`, which is a part number as text."""
        parameters = self._parameters(
            bucket,
            Key=upload.key,
            UploadId=upload.upload_id,
            PartNumberMarker=int(marker[0]) if marker else None,
            MaxParts=self._target.scan.page_size,
        )
        with self._transport.call(PARTS_OPERATION, deadline) as call:
            try:
                response = self._list_parts(call, parameters, self._bucket_region(bucket))
            except StoreError as error:
                if is_gone(error):
                    raise gone_error(PARTS_OPERATION, error) from error
                raise
            request = PageRequest(bucket, upload, marker)
            return read_parts(request, response, expected_bucket_name(bucket.name), self._clock())

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets after `marker`, which is a continuation token.

        Amazon returns pages and regions only if MaxBuckets is given, which other servers may not know.
        """
        parameters: dict[str, Any] = {} if self._target.endpoint_url else {"MaxBuckets": _BUCKETS_PER_PAGE}
        if marker:
            parameters["ContinuationToken"] = marker[0]
        with self._transport.call(BUCKETS_OPERATION, deadline) as call:
            return read_buckets(self._client.call_api(call, "list_buckets", parameters))

    def _list_parts(self, call: Call, parameters: dict[str, Any], region: str | None) -> Response:
        """Send ListParts with the customer key, if there is one; again without it where it is not needed."""
        key = self._customer_key.fields()
        if key is None or (self._target.endpoint_url or "").startswith("http:"):
            return self._client.call_api(call, "list_parts", parameters, region)
        options = {"SSECustomerAlgorithm": ALGORITHM, "SSECustomerKey": key[0], "SSECustomerKeyMD5": key[1]}
        try:
            return self._client.call_api(call, "list_parts", parameters | options, region)
        except StoreError as error:
            if not is_key_not_needed(error):
                raise
        return self._client.call_api(call, "list_parts", parameters, region)

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return when the bucket's lifecycle rules abort uploads. Raises StoreError."""
        with self._transport.call(LIFECYCLE_OPERATION, deadline) as call:
            return ask_rules(
                partial(self._ask_of_bucket, call, "get_bucket_lifecycle_configuration", bucket),
                bucket.prefix,
            )

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> dict[str, str]:
        """Return the bucket's tags. Raises StoreError."""
        with self._transport.call(TAGS_OPERATION, deadline) as call:
            return ask_tags(partial(self._ask_of_bucket, call, "get_bucket_tagging", bucket))

    def _ask_of_bucket(self, call: Call, method: str, bucket: BucketSettings) -> Response:
        """Return the answer to a call about the bucket itself, for which nobody but its owner pays."""
        parameters = self._parameters(bucket)
        parameters.pop("RequestPayer", None)
        return self._client.call_api(call, method, parameters, self._bucket_region(bucket))

    def list_uploads_with_route(
        self, bucket: BucketSettings, marker: Marker | None, deadline: float, **options: bool
    ) -> tuple[Page[Upload], Route | None]:
        """Return a page as `list_uploads` does, and the route it took after any redirect; see `route`."""
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            response = self._client.call_api(
                call,
                "list_multipart_uploads",
                self._uploads_parameters(bucket, marker, **options),
                self._bucket_region(bucket),
            )
            request = PageRequest(bucket, None, marker, **options)
            page = read_uploads(request, response, expected_bucket_name(bucket.name), self._clock())
            return page, read_route(call.last_request) if call.last_request else None

    def route(self, bucket: BucketSettings, deadline: float) -> Route | None:
        """Return the route to the bucket, None where its requests are not signed by plain SigV4.

        Sends nothing to the store. Raises StoreError, where there are no credentials for example.
        """
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            request = self._client.prepare(
                call,
                "list_multipart_uploads",
                self._uploads_parameters(bucket, None),
                self._bucket_region(bucket),
            )
            return read_route(request) if request else None

    def credentials(self, deadline: float) -> Keys:
        """Return the keys to sign with now. Raises StoreError."""
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            return self._client.credentials(call)

    def doubt(self, refused: Keys) -> None:
        """Have keys looked for anew where these, which the store refused, are still in use."""
        self._client.doubt(refused)

    def _bucket_region(self, bucket: BucketSettings) -> str | None:
        """Return the bucket's region if known; a configured endpoint_url serves all buckets."""
        return None if self._target.endpoint_url else bucket.region

    def _uploads_parameters(
        self,
        bucket: BucketSettings,
        marker: Marker | None,
        *,
        by_name: bool = False,
        encoded: bool = False,
    ) -> dict[str, Any]:
        key_marker, id_marker = marker or ("", "")
        return self._parameters(
            bucket,
            Prefix=bucket.prefix,
            KeyMarker=key_marker,
            UploadIdMarker=id_marker,
            MaxUploads=None if by_name else self._target.scan.page_size,
            EncodingType="url" if encoded else None,
        )

    def _parameters(self, bucket: BucketSettings, **options: str | int | None) -> dict[str, Any]:
        """Return the parameters of a call, without those that are None or empty."""
        parameters = {
            "Bucket": bucket.name,
            "RequestPayer": self._target.request_payer,
            "ExpectedBucketOwner": self._target.expected_bucket_owner,
            **options,
        }
        return {name: value for name, value in parameters.items() if value not in (None, "")}
