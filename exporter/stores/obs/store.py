"""Huawei OBS, and S3-compatible servers that take its SDK's signatures.

API: https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0097.html, parts: obs_04_0102.html.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    UPLOADS_OPERATION,
    operations_of,
)
from exporter.stores.engine.threads import ThreadedSession
from exporter.stores.obs.client import ObsCaller
from exporter.stores.obs.credentials import METADATA_URL
from exporter.stores.obs.endpoint import sign_region
from exporter.stores.parsing.lifecycle import NO_RULES, has_no_rules, read_rules
from exporter.stores.parsing.pages import read_buckets, read_parts, read_uploads
from exporter.stores.part_sums import NumberedPartSum

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.model.uploads import Part, Upload
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.transport.client import Transport


class ObsStore:
    """Lists uploads and parts through esdk-obs-python, one call and one request per page.

    With addressing_style `auto` the bucket's name goes into the host name under signature `obs`, and into
    the path under `v2` and `v4` and where endpoint_url has an IP address. In the path the SDK signs `obs` as
    `v2`, which OBS takes as well. Neither a delimiter nor an encoding is ever asked for.
    """

    has_part_times = True

    def __init__(
        self,
        target: TargetSettings,
        transport: Transport,
        clock: Callable[[], float] = time.time,
        metadata_url: str = METADATA_URL,
    ) -> None:
        """Make the store of a target; the SDK's client is made by the first call.

        `metadata_url` is where a server with an agency asks for keys.
        """
        self.operations = operations_of(target)
        self._page_size = target.scan.page_size
        self._transport = transport
        self._clock = clock
        self._sdk = ObsCaller(target, transport, metadata_url)
        self.signing_region = sign_region(target)

    def list_uploads(self, bucket: BucketSettings, marker: Marker | None, deadline: float) -> Page[Upload]:
        """Return the page after `marker`, which is the pair (key marker, upload id marker)."""
        key_marker, id_marker = marker or ("", "")
        query = {
            "prefix": bucket.prefix,
            "max-uploads": self._page_size,
            "key-marker": key_marker,
            "upload-id-marker": id_marker,
        }
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        with self._transport.call(UPLOADS_OPERATION, deadline) as call:
            answer = self._sdk.ask(call, "listMultipartUploads", bucket, multipart=given)
            return read_uploads(answer, bucket.name, self._clock())

    def list_parts(
        self, bucket: BucketSettings, upload: Upload, marker: Marker | None, deadline: float
    ) -> Page[Part]:
        """Return the page of parts after `marker`, which is a part number as text."""
        options = {"maxParts": self._page_size, "partNumberMarker": marker[0] if marker else None}
        with self._transport.call(PARTS_OPERATION, deadline) as call:
            answer = self._sdk.ask(call, "listParts", bucket, upload.key, upload.upload_id, **options)
            return read_parts(answer, bucket.name, self._clock())

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return the page of the account's buckets, file systems too, after `marker`, a bucket's name."""
        options = {"marker": marker[0]} if marker else {}
        with self._transport.call(BUCKETS_OPERATION, deadline) as call:
            return read_buckets(self._sdk.ask(call, "listBuckets", None, **options))

    def open(self, bucket: BucketSettings, deadline: float) -> ThreadedSession:  # noqa: ARG002 - nothing to ask first
        """Return what makes the calls of one scan."""
        return ThreadedSession(self)

    def new_part_sum(self) -> NumberedPartSum:
        """Return what adds up the parts of one upload."""
        return NumberedPartSum()

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return what the bucket's lifecycle rules do about uploads."""
        with self._transport.call(LIFECYCLE_OPERATION, deadline) as call:
            try:
                answer = self._sdk.ask(call, "getBucketLifecycle", bucket)
            except StoreError as error:
                if has_no_rules(error):
                    return NO_RULES
                raise
            return read_rules(answer, bucket.prefix)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
