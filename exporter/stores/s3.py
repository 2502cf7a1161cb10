"""Amazon S3 and every store that speaks its API.

API: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html and API_ListParts.html.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from exporter.model import StoreError
from exporter.stores.aws import AwsClient
from exporter.stores.base import PARTS_OPERATION, UPLOADS_OPERATION
from exporter.stores.folds import NumberedParts
from exporter.stores.reasons import ended, is_gone
from exporter.stores.xmlpages import read_error, read_parts, read_uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model import Part, Upload
    from exporter.stores.base import Marker, Page
    from exporter.stores.transport import Transport

_EMPTY_PAGE = b"<ListMultipartUploadsResult/>"
_ALIAS_SUFFIXES = ("-s3alias", "--ol-s3", "--xa-s3")


class S3Store:
    """Lists uploads and parts through boto3, one call per page.

    Neither a delimiter nor an encoding is ever asked for: both make servers disagree.
    """

    operations = (UPLOADS_OPERATION, PARTS_OPERATION)
    has_part_times = True

    def __init__(
        self, target: TargetSettings, transport: Transport, clock: Callable[[], float] = time.time
    ) -> None:
        """Make the store of a target; the SDK's client is made by the first call."""
        self._target = target
        self._transport = transport
        self._clock = clock
        self._client = AwsClient(target, "s3", transport, lambda answer: read_error(answer.body), _EMPTY_PAGE)

    @property
    def signing_region(self) -> str:
        """The region requests are signed for."""
        return self._client.region

    def list_uploads(self, bucket: BucketSettings, marker: Marker | None, deadline: float) -> Page[Upload]:
        """Return the page after `marker`, which is the pair (key marker, upload id marker)."""
        key_marker, id_marker = marker or ("", "")
        parameters = self._parameters(
            bucket,
            Prefix=bucket.prefix,
            KeyMarker=key_marker,
            UploadIdMarker=id_marker,
            MaxUploads=self._target.scan.page_size,
        )
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            answer = self._client.ask(call, "list_multipart_uploads", parameters)
            return read_uploads(answer, _named(bucket.name), self._clock())

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
                answer = self._client.ask(call, "list_parts", parameters)
            except StoreError as error:
                if is_gone(error):
                    raise ended(PARTS_OPERATION, error) from error
                raise
            return read_parts(answer, _named(bucket.name), self._clock())

    def new_fold(self) -> NumberedParts:
        """Return what adds up the parts of one upload."""
        return NumberedParts()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _parameters(self, bucket: BucketSettings, **own: str | int | None) -> dict[str, Any]:
        """Return the call's parameters; what is None or empty is not sent."""
        parameters = {
            "Bucket": bucket.name,
            "RequestPayer": self._target.request_payer,
            "ExpectedBucketOwner": self._target.expected_bucket_owner,
            **own,
        }
        return {name: value for name, value in parameters.items() if value not in (None, "")}


def _named(bucket: str) -> str | None:
    """Return the name an answer has to carry, None where it carries the real bucket's instead.

    Access points are reached by ARN or alias; Ceph's `tenant:bucket` answers with the bucket alone.
    """
    if bucket.startswith("arn:") or bucket.endswith(_ALIAS_SUFFIXES):
        return None
    return bucket
