"""S3 over the wire engine: requests signed here, without boto3 in the way of each call.

boto3 says where a bucket is, how it is addressed and which keys count; it also follows a redirect, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.stores.aws.sse_customer_key import is_key_not_needed
from exporter.stores.engine.wire import page_arguments
from exporter.stores.parsing.pages import error_fields, read_error, read_page
from exporter.stores.s3.boto import expected_bucket_name

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

    from exporter.config.settings import BucketSettings
    from exporter.model.errors import StoreError
    from exporter.stores.aws.route import Route
    from exporter.stores.base import Page, PageRequest
    from exporter.stores.engine.wire import WireCall
    from exporter.stores.s3.boto import BotoStore
    from exporter.stores.transport.response import Response

_REDIRECTS = {301, 302, 303, 307, 308}
_OTHER_REGION_CODES = {"PermanentRedirect", "IllegalLocationConstraintException"}


class RouteCache:
    """The routes to a target's buckets, each asked of boto3 once. Safe to use from many threads."""

    def __init__(self, boto: BotoStore) -> None:
        """Begin without a route."""
        self.boto = boto
        self._routes: dict[str, Route | None] = {}

    def get(self, bucket: BucketSettings, deadline: float) -> Route | None:
        """Return the route to a bucket, None where plain SigV4 is not enough. Raises StoreError."""
        if bucket.name not in self._routes:
            self._routes[bucket.name] = self.boto.route(bucket, deadline)
        return self._routes[bucket.name]

    def put(self, bucket: BucketSettings, route: Route | None) -> None:
        """Replace the route to a bucket that turned out to be in another region."""
        self._routes[bucket.name] = route


class S3Bucket:
    """One bucket's `WireBucket`. For one thread."""

    def __init__(
        self, bucket: BucketSettings, route: Route, routes: RouteCache, page_size: int | None
    ) -> None:
        """`page_size` is the number of items per page, None: the server's own."""
        self._bucket = bucket
        self._route = route
        self._routes = routes
        self._page_size = page_size
        self._name = expected_bucket_name(bucket.name)
        self._redirected = False
        self._keyed: tuple[Route, tuple[tuple[str, str], ...], Route] | None = None

    def sign(
        self, call: WireCall[ReadOnlyCredentials], keys: ReadOnlyCredentials, now: float
    ) -> tuple[str, list[str]]:
        """Return URL and header lines; see `WireBucket`."""
        request = call.request
        route = self._route_with_key(call) if request.upload and call.optional_headers else self._route
        arguments = page_arguments(request, self._page_size)
        return route.request(keys, request.upload.key if request.upload else "", arguments, now)

    def read_page(self, request: PageRequest, response: Response, now: float) -> Page[Any]:
        """Return the page in a response. Raises StoreError."""
        return read_page(request, response, self._name, now)

    def read_error(self, response: Response) -> tuple[str, str]:
        """Return code and message of a refusal."""
        return read_error(response.body)

    def recover(
        self, call: WireCall[ReadOnlyCredentials], response: Response, error: StoreError
    ) -> Page[Any] | bool:
        """Follow a redirect to another region, or send a ListParts again without the customer's key."""
        if call.request.upload is None:
            moved = not self._redirected and self._is_in_other_region(response, error)
            return self._redirect(call) if moved else False
        if call.optional_headers and is_key_not_needed(error):
            call.optional_headers = False
            return True
        return False

    def _route_with_key(self, call: WireCall[ReadOnlyCredentials]) -> Route:
        """Return the route of requests that carry the customer's key, which goes over TLS only."""
        headers = self._routes.boto.customer_key.headers()
        call.optional_headers = bool(headers) and self._route.origin.startswith("https:")
        if not call.optional_headers:
            return self._route
        if self._keyed is None or self._keyed[:2] != (self._route, headers):
            self._keyed = self._route, headers, self._route.with_headers(headers)
        return self._keyed[2]

    def _is_in_other_region(self, response: Response, error: StoreError) -> bool:
        """Whether a refusal says that the bucket is in another region."""
        region = response.headers.get("x-amz-bucket-region", self._route.region)
        malformed = error.code == "AuthorizationHeaderMalformed" and "Region" in error_fields(response.body)
        redirected = response.status in _REDIRECTS or error.code in _OTHER_REGION_CODES or malformed
        return redirected or region != self._route.region

    def _redirect(self, call: WireCall[ReadOnlyCredentials]) -> Page[Any]:
        """Have boto3 find the bucket, which it does with the call itself, and keep the route it took."""
        self._redirected = True
        page, route = self._routes.boto.list_uploads_with_route(
            call.request.bucket,
            call.request.marker,
            call.deadline,
            encoded=call.request.encoded,
            by_name=call.request.by_name,
        )
        self._routes.put(self._bucket, route)
        self._route = route or self._route
        return page
