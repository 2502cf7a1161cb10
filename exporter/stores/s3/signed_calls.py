"""Single calls to a target's own endpoint, signed here: the account's buckets, a bucket's rules and tags."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.aws.keys import own_keys
from exporter.stores.base import BUCKETS_OPERATION, LIFECYCLE_OPERATION, TAGS_OPERATION
from exporter.stores.errors import refusal
from exporter.stores.parsing.buckets import read_buckets
from exporter.stores.parsing.lifecycle import NO_RULES, has_no_rules, read_rules
from exporter.stores.parsing.pages import read_error
from exporter.stores.parsing.tags import has_no_tags, read_tags
from exporter.stores.s3.wire import is_in_other_region
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config.credentials import Credentials
    from exporter.config.settings import BucketSettings
    from exporter.model.results import AbortRules
    from exporter.stores.aws.keys import Keys
    from exporter.stores.aws.route import Route
    from exporter.stores.base import FoundBucket, Marker, Page
    from exporter.stores.engine.wire import WireTarget
    from exporter.stores.transport.client import Call
    from exporter.stores.transport.response import Response
    from exporter.stores.transport.url import QueryArgument


class SignedCalls:
    """Calls that block this thread. Safe to use from many threads.

    Each returns None where the answer names another region: such redirects are followed by boto3.
    """

    def __init__(self, target: WireTarget[Keys], credentials: Credentials) -> None:
        """Make the calls of a target, signed with its own keys."""
        self._target = target
        self._credentials = credentials

    def list_buckets(self, route: Route, marker: Marker | None, deadline: float) -> Page[FoundBucket] | None:
        """Return the page of the account's buckets after `marker`. Raises StoreError."""
        arguments: list[QueryArgument] = [("continuation-token", marker[0])] if marker else []
        with self._target.transport.call(BUCKETS_OPERATION, deadline) as call:
            response = self._get(call, route, arguments)
            return read_buckets(response) if response else None

    def abort_rules(self, route: Route, bucket: BucketSettings, deadline: float) -> AbortRules | None:
        """Return when the bucket's lifecycle rules abort uploads. Raises StoreError."""
        with self._target.transport.call(LIFECYCLE_OPERATION, deadline) as call:
            try:
                response = self._get(call, route, [("lifecycle", None)], bucket.name)
            except StoreError as error:
                if has_no_rules(error):
                    return NO_RULES
                raise
            return read_rules(response, bucket.prefix) if response else None

    def bucket_tags(self, route: Route, bucket: BucketSettings, deadline: float) -> dict[str, str] | None:
        """Return the bucket's tags. Raises StoreError."""
        with self._target.transport.call(TAGS_OPERATION, deadline) as call:
            try:
                response = self._get(call, route, [("tagging", None)], bucket.name)
            except StoreError as error:
                if has_no_tags(error):
                    return {}
                raise
            return read_tags(response) if response else None

    def _get(
        self, call: Call, route: Route, arguments: list[QueryArgument], bucket: str = ""
    ) -> Response | None:
        """Return the response (status 200), None where it names another region. Raises StoreError."""
        keys = own_keys(self._credentials, call.operation)
        response = send_signed(self._target, keys, call.operation, route, arguments)
        if response.status == HTTPStatus.OK:
            return response
        asked = Asked(bucket, self._target.endpoint_url)
        error = refusal(call.operation, response, *read_error(response.body), asked)
        if is_in_other_region(response, error, route.region):
            return None
        raise error


def send_signed(
    target: WireTarget[Keys], keys: Keys, operation: str, route: Route, arguments: Sequence[QueryArgument]
) -> Response:
    """Return the response, of whatever status, to a signed GET. Raises StoreError."""
    try:
        url, lines = route.request(keys, "", arguments, target.clock() + target.clock_offset)
        return target.transport.send(Request.get(operation, url, lines))
    except ValueError:  # the keys are in the headers
        what = f"{operation}: no header can carry the keys; check the target's credentials"
        raise StoreError(Reason.CREDENTIALS, what) from None
