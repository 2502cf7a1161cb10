"""S3 over the wire engine: requests signed here, without boto3 in the way of each call.

Where a target's own endpoint does not say how a bucket is addressed, boto3 does; it also follows a redirect,
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.stores.aws.sse_customer_key import CustomerKey, is_key_not_needed
from exporter.stores.engine.wire import page_arguments
from exporter.stores.parsing.pages import error_fields, read_error, read_page
from exporter.stores.s3.names import expected_bucket_name

if TYPE_CHECKING:
    from collections.abc import Container

    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.model.errors import StoreError
    from exporter.stores.aws.keys import Keys
    from exporter.stores.aws.route import Route
    from exporter.stores.base import Page, PageRequest
    from exporter.stores.engine.wire import WireCall
    from exporter.stores.s3.endpoint import Endpoint
    from exporter.stores.s3.sdk import Sdk
    from exporter.stores.transport.response import Response

_REDIRECTS = {301, 302, 303, 307, 308}
_OTHER_REGION_CODES = {"PermanentRedirect", "IllegalLocationConstraintException"}


class RouteCache:
    """The routes to a target's buckets, each made once. Safe to use from many threads."""

    def __init__(self, endpoint: Endpoint | None, sdk: Sdk) -> None:
        """Begin without a route; boto3 is asked for those that `endpoint` does not have."""
        self.sdk = sdk
        self._endpoint = endpoint
        self._routes: dict[str, Route | None] = {}

    def get(self, bucket: BucketSettings, deadline: float) -> Route | None:
        """Return the route to a bucket, None where plain SigV4 is not enough. Raises StoreError."""
        try:
            return self._routes[bucket.name]
        except KeyError:  # a first scan
            pass
        route = self._endpoint.pages(bucket.name) if self._endpoint else None
        route = route or self.sdk.boto().route(bucket, deadline)
        self._routes[bucket.name] = route
        return route

    def keep_only(self, names: Container[str]) -> None:
        """Drop the routes to all buckets but those of these names."""
        for name in self._routes.copy():  # a copy: scans add to them
            if name not in names:
                self._routes.pop(name, None)

    def put(self, bucket: BucketSettings, route: Route | None) -> None:
        """Replace the route to a bucket that turned out to be in another region."""
        self._routes[bucket.name] = route


class S3Bucket:
    """One bucket's `WireBucket`. For one thread."""

    def __init__(
        self, bucket: BucketSettings, route: Route, routes: RouteCache, target: TargetSettings
    ) -> None:
        """Make the bucket of a target, at `route`."""
        self._bucket = bucket
        self._route = route
        self._routes = routes
        self._page_size = target.scan.page_size
        self._has_customer_key = target.sse_customer_key is not None
        self._customer_key = CustomerKey(target.sse_customer_key)
        self._name = expected_bucket_name(bucket.name)
        self._redirected = False
        self._keyed: tuple[Route, tuple[tuple[str, str], ...], Route] | None = None

    def sign(self, call: WireCall[Keys], keys: Keys, now: float) -> tuple[str, list[str]]:
        """Return URL and header lines; see `WireBucket`."""
        request = call.request
        route = self._route
        if self._has_customer_key and request.upload and call.optional_headers:
            route = self._route_with_key(call)
        arguments = page_arguments(request, self._page_size)
        return route.request(keys, request.upload.key if request.upload else "", arguments, now)

    def read_page(self, request: PageRequest, response: Response, now: float) -> Page[Any]:
        """Return the page in a response. Raises StoreError."""
        return read_page(request, response, self._name, now)

    def read_error(self, response: Response) -> tuple[str, str]:
        """Return code and message of a refusal."""
        return read_error(response.body)

    def recover(self, call: WireCall[Keys], response: Response, error: StoreError) -> Page[Any] | bool:
        """Follow a redirect to another region, or send a ListParts again without the customer's key."""
        if call.request.upload is None:
            moved = not self._redirected and is_in_other_region(response, error, self._route.region)
            return self._redirect(call) if moved else False
        if self._has_customer_key and call.optional_headers and is_key_not_needed(error):
            call.optional_headers = False
            return True
        return False

    def _route_with_key(self, call: WireCall[Keys]) -> Route:
        """Return the route of requests that carry the customer's key, which goes over TLS only."""
        headers = self._customer_key.headers()
        call.optional_headers = bool(headers) and self._route.origin.startswith("https:")
        if not call.optional_headers:
            return self._route
        if self._keyed is None or self._keyed[:2] != (self._route, headers):
            self._keyed = self._route, headers, self._route.with_headers(headers)
        return self._keyed[2]

    def _redirect(self, call: WireCall[Keys]) -> Page[Any]:
        """Have boto3 find the bucket, which it does with the call itself, and keep the route it took."""
        self._redirected = True
        page, route = self._routes.sdk.boto().list_uploads_with_route(
            call.request.bucket,
            call.request.marker,
            call.deadline,
            encoded=call.request.encoded,
            by_name=call.request.by_name,
        )
        self._routes.put(self._bucket, route)
        self._route = route or self._route
        return page


def is_in_other_region(response: Response, error: StoreError, region: str) -> bool:
    """Whether a refusal says that what was asked for is in another region than the one signed for."""
    named = response.headers.get("x-amz-bucket-region", region)
    malformed = error.code == "AuthorizationHeaderMalformed" and "Region" in error_fields(response.body)
    redirected = response.status in _REDIRECTS or error.code in _OTHER_REGION_CODES or malformed
    return redirected or named != region
