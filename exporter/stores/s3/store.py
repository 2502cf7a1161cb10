"""Amazon S3 and servers with its API.

API: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html and API_ListParts.html.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.aws.keys import has_own_keys, own_keys
from exporter.stores.base import CEPH_ADMIN_OPERATION, S3_OPERATIONS, UPLOADS_OPERATION, operations_of
from exporter.stores.engine.threads import ThreadedSession
from exporter.stores.engine.wire import WireSession, WireTarget
from exporter.stores.pagination.part_sums import NumberedPartSum
from exporter.stores.s3.ceph_admin import CephAdmin
from exporter.stores.s3.endpoint import read_endpoint
from exporter.stores.s3.sdk import Sdk
from exporter.stores.s3.signed_calls import SignedCalls
from exporter.stores.s3.wire import RouteCache, S3Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.results import AbortRules
    from exporter.stores.aws.keys import Keys
    from exporter.stores.aws.route import Route
    from exporter.stores.base import BucketSession, FoundBucket, Marker, Page
    from exporter.stores.transport.client import Transport

log = logging.getLogger(__name__)


class S3Store:
    """Lists uploads and parts through the wire engine, or through boto3 where that cannot sign.

    The wire engine signs by plain Signature Version 4: directory buckets need sessions, and multi-region
    access points Signature Version 4A.
    """

    has_part_times = True
    has_initiation_times = True
    page_operations = S3_OPERATIONS
    lists_by_key = True
    encodes_keys = True

    def __init__(
        self, target: TargetSettings, transport: Transport, clock: Callable[[], float] = time.time
    ) -> None:
        """Make the store of a target; boto3 is loaded where the target needs it from the start."""
        self.operations = operations_of(target)
        self._target = target
        self._transport = transport
        self._sdk = Sdk(target, transport, clock)
        self._endpoint = read_endpoint(target) if target.engine != "boto3" else None
        if self._endpoint is None:
            self._sdk.boto()
        self._routes = RouteCache(self._endpoint, self._sdk)
        self._wire = WireTarget(transport, self._keys, clock, endpoint_url=target.endpoint_url)
        self._wire.keys.doubt = self._doubt
        self._calls = SignedCalls(self._wire, target.credentials)
        self._ceph_admin = CephAdmin(self._wire, target.endpoint_url or "") if target.ceph_admin else None
        self._logged: set[str] = set()

    @property
    def signing_region(self) -> str:
        """The region that requests are signed for."""
        return self._endpoint.region if self._endpoint else self._sdk.boto().region

    def open(self, bucket: BucketSettings, deadline: float) -> BucketSession:
        """Return the session of one scan of the bucket. Raises StoreError."""
        if self._target.engine == "boto3":
            return ThreadedSession(self._sdk.boto())
        route = self._routes.get(bucket, deadline)
        if route is not None:
            if has_own_keys(self._target.credentials):
                self._wire.keys.refresh(deadline)  # unreadable, they fail the scan at once
            return WireSession(self._wire, S3Bucket(bucket, route, self._routes, self._target))
        if self._target.engine == "wire":
            what = f"{UPLOADS_OPERATION}: not signed by plain SigV4; set engine: auto or boto3"
            raise StoreError(Reason.UNSUPPORTED, what)
        self._log_engine(bucket)
        return ThreadedSession(self._sdk.boto())

    def list_buckets(self, marker: Marker | None, deadline: float) -> Page[FoundBucket]:
        """Return a page of the account's buckets. Raises StoreError."""
        route = self._endpoint.account() if self._endpoint else None
        page = self._calls.list_buckets(route, marker, deadline) if route else None
        return self._sdk.boto().list_buckets(marker, deadline) if page is None else page

    def abort_rules(self, bucket: BucketSettings, deadline: float) -> AbortRules:
        """Return when the bucket's lifecycle rules abort uploads. Raises StoreError."""
        route = self._rules_route(bucket, deadline)
        rules = self._calls.abort_rules(route, bucket, deadline) if route else None
        return self._sdk.boto().abort_rules(bucket, deadline) if rules is None else rules

    def bucket_tags(self, bucket: BucketSettings, deadline: float) -> dict[str, str]:
        """Return the bucket's tags. Raises StoreError."""
        route = self._rules_route(bucket, deadline)
        tags = self._calls.bucket_tags(route, bucket, deadline) if route else None
        return self._sdk.boto().bucket_tags(bucket, deadline) if tags is None else tags

    def reported_uploads(self, bucket: BucketSettings, deadline: float) -> int:
        """Return how many uploads Ceph's index of the bucket counts. Raises StoreError."""
        route = self._routes.get(bucket, deadline) if self._ceph_admin else None
        if self._ceph_admin is None or route is None:
            raise StoreError(Reason.UNSUPPORTED, f"{CEPH_ADMIN_OPERATION}: not a bucket of Ceph")
        return self._ceph_admin.reported_uploads(bucket.name, route, deadline)

    def new_part_sum(self) -> NumberedPartSum:
        """Return what adds up the parts of one upload."""
        return NumberedPartSum()

    def keep_only(self, names: Container[str]) -> None:
        """Forget the routes to all buckets but those of these names."""
        self._routes.keep_only(names)
        if self._ceph_admin:
            self._ceph_admin.keep_only(names)
        self._logged = {name for name in self._logged.copy() if name in names}

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _rules_route(self, bucket: BucketSettings, deadline: float) -> Route | None:
        """Return the route to a bucket's rules and tags, None where boto3 has to ask. Raises StoreError."""
        known = self._routes.get(bucket, deadline) if self._endpoint else None
        return self._endpoint.rules(bucket.name, known.region) if self._endpoint and known else None

    def _keys(self, deadline: float) -> Keys:
        """Return the keys to sign with now. Raises StoreError."""
        if has_own_keys(self._target.credentials):
            return own_keys(self._target.credentials, UPLOADS_OPERATION)
        return self._sdk.boto().credentials(deadline)

    def _doubt(self, refused: Keys) -> None:
        if not has_own_keys(self._target.credentials):
            self._sdk.boto().doubt(refused)

    def _log_engine(self, bucket: BucketSettings) -> None:
        if bucket.name not in self._logged:
            self._logged.add(bucket.name)
            fields = {"target": self._target.name, "bucket": bucket.name, "engine": "boto3"}
            log.info("not signed by plain SigV4: the bucket is read through boto3", extra={"fields": fields})
