"""S3 through boto3, one blocking call per page; and what boto3 knows of the way to a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.model.errors import StoreError
from exporter.stores.aws.client import AwsClient
from exporter.stores.aws.route import read_route
from exporter.stores.aws.sse_customer_key import ALGORITHM, CustomerKey, is_not_needed
from exporter.stores.base import BUCKETS_OPERATION, LIFECYCLE_OPERATION, PARTS_OPERATION, UPLOADS_OPERATION
from exporter.stores.errors import gone_error, is_gone
from exporter.stores.parsing.lifecycle import NO_RULES, has_no_rules, read_rules
from exporter.stores.parsing.pages import read_buckets, read_error, read_parts, read_uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import ReadOnlyCredentials

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Part, Upload
    from exporter.stores.aws.route import Route
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.transport.client import Call, Transport
    from exporter.stores.transport.response import Response

_EMPTY_PAGE = b"<ListMultipartUploadsResult/>"
_BUCKETS_A_PAGE = 1000
_ALIAS_SUFFIXES = ("-s3alias", "--ol-s3", "--xa-s3")


class BotoStore:
    """Lists uploads and parts through boto3.

    Neither a delimiter nor an encoding is ever asked for: both make servers disagree.
    """

    def __init__(self, target: TargetSettings, transport: Transport, clock: Callable[[], float]) -> None:
        """Make it for a target; the SDK's client is made by the first call. `clock` is Unix seconds."""
        self._target = target
        self._transport = transport
        self._clock = clock
        self.customer_key = CustomerKey(target.sse_customer_key)
        self._client = AwsClient(
            target, "s3", transport, lambda response: read_error(response.body), _EMPTY_PAGE, clock=clock
        )

    @property
    def region(self) -> str:
        """The region requests are signed for, unless a bucket turns out to be elsewhere."""
        return self._client.region

    def list_uploads(self, bucket: BucketSettings, marker: Marker | None, deadline: float) -> Page[Upload]:
        """Return the page after `marker`, which is the pair (key marker, upload id marker)."""
        return self.follow(bucket, marker, deadline)[0]

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
                response = self._ask_for_parts(call, parameters, self._region_of(bucket))
            except StoreError as error:
                if is_gone(error):
                    raise gone_error(PARTS_OPERATION, error) from error
                raise
            return read_parts(response, expected_bucket_name(bucket.name), self._clock())

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets after `marker`, which is a continuation token.

        Amazon pages, and tells regions, where it is asked to; others may not know the parameter.
        """
        parameters: dict[str, Any] = {} if self._target.endpoint_url else {"MaxBuckets": _BUCKETS_A_PAGE}
        if marker:
            parameters["ContinuationToken"] = marker[0]
        with self._transport.call(BUCKETS_OPERATION, deadline) as call:
            return read_buckets(self._client.ask(call, "list_buckets", parameters))

    def _ask_for_parts(self, call: Call, parameters: dict[str, Any], region: str | None) -> Response:
        """Ask with the customer's key, if there is one; once more without it where it is not needed."""
        key = self.customer_key.fields()
        if key is None or (self._target.endpoint_url or "").startswith("http:"):
            return self._client.ask(call, "list_parts", parameters, region)
        own = {"SSECustomerAlgorithm": ALGORITHM, "SSECustomerKey": key[0], "SSECustomerKeyMD5": key[1]}
        try:
            return self._client.ask(call, "list_parts", parameters | own, region)
        except StoreError as error:
            if not is_not_needed(error):
                raise
        return self._client.ask(call, "list_parts", parameters, region)

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return what the bucket's lifecycle rules do about uploads."""
        parameters = self._parameters(bucket)
        parameters.pop("RequestPayer", None)
        with self._transport.call(LIFECYCLE_OPERATION, deadline) as call:
            try:
                response = self._client.ask(
                    call, "get_bucket_lifecycle_configuration", parameters, self._region_of(bucket)
                )
            except StoreError as error:
                if has_no_rules(error):
                    return NO_RULES
                raise
            return read_rules(response, bucket.prefix)

    def follow(
        self, bucket: BucketSettings, marker: Marker | None, deadline: float
    ) -> tuple[Page[Upload], Route | None]:
        """Return a page as `list_uploads` does, and the way it took in the end; see `route`."""
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            response = self._client.ask(
                call, "list_multipart_uploads", self._listing(bucket, marker), self._region_of(bucket)
            )
            page = read_uploads(response, expected_bucket_name(bucket.name), self._clock())
            return page, read_route(call.last_request) if call.last_request else None

    def route(self, bucket: BucketSettings, deadline: float) -> Route | None:
        """Return the way to the bucket, None where it is not one of plain signatures.

        Nothing is sent to the store. Raises StoreError, where there are no credentials for example.
        """
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            request = self._client.prepare(
                call, "list_multipart_uploads", self._listing(bucket, None), self._region_of(bucket)
            )
            return read_route(request) if request else None

    def credentials(self, deadline: float) -> ReadOnlyCredentials:
        """Return the keys to sign with now. Raises StoreError."""
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            return self._client.credentials(call)

    def _region_of(self, bucket: BucketSettings) -> str | None:
        """Return the region that the bucket is known to be in; a server of one's own has one URL only."""
        return None if self._target.endpoint_url else bucket.region

    def _listing(self, bucket: BucketSettings, marker: Marker | None) -> dict[str, Any]:
        key_marker, id_marker = marker or ("", "")
        return self._parameters(
            bucket,
            Prefix=bucket.prefix,
            KeyMarker=key_marker,
            UploadIdMarker=id_marker,
            MaxUploads=self._target.scan.page_size,
        )

    def _parameters(self, bucket: BucketSettings, **own: str | int | None) -> dict[str, Any]:
        """Return the call's parameters; what is None or empty is not sent."""
        parameters = {
            "Bucket": bucket.name,
            "RequestPayer": self._target.request_payer,
            "ExpectedBucketOwner": self._target.expected_bucket_owner,
            **own,
        }
        return {name: value for name, value in parameters.items() if value not in (None, "")}


def expected_bucket_name(bucket: str) -> str | None:
    """Return the name an answer has to carry, None where it carries the real bucket's instead.

    Access points are reached by ARN or alias; Ceph's `tenant:bucket` answers with the bucket alone.
    """
    if bucket.startswith("arn:") or bucket.endswith(_ALIAS_SUFFIXES):
        return None
    return bucket
