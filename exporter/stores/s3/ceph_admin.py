"""Ceph's Admin Ops API: how many multipart uploads the index of a bucket counts.

API: https://docs.ceph.com/en/latest/radosgw/adminops/#get-bucket-info. In the bucket's statistics,
`rgw.multimeta` counts uploads in progress: one object for each, whatever its parts.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.base import CEPH_ADMIN_OPERATION, UPLOADS_OPERATION
from exporter.stores.bodies import begins_as_xml, is_html, json_error
from exporter.stores.errors import bad_response, refusal
from exporter.stores.parsing.pages import parse_answer, read_error
from exporter.stores.s3.endpoint import admin_route
from exporter.stores.s3.signed_calls import send_signed

if TYPE_CHECKING:
    from collections.abc import Container

    from exporter.stores.aws.keys import Keys
    from exporter.stores.aws.route import Route
    from exporter.stores.engine.wire import WireTarget
    from exporter.stores.transport.response import Response

_UPLOADS_CATEGORY = "rgw.multimeta"
_BELOW_ZERO = 2**63
"""Counts are unsigned in Ceph; one that has fallen below zero is as large as this."""
_REFUSALS = {
    *(HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
    *(HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED),
}


class CephAdmin:
    """The admin API of the gateways behind a target's `endpoint_url`. Safe to use from many threads."""

    def __init__(self, target: WireTarget[Keys], endpoint_url: str) -> None:
        """Ask with the keys of a target, whose user needs the capability buckets=read."""
        self._target = target
        self._endpoint_url = endpoint_url
        self._tenants: dict[str, tuple[Keys, str]] = {}
        """The tenant of each bucket whose name in the config has none, as a user's keys reach it."""

    def reported_uploads(self, bucket: str, route: Route, deadline: float) -> int:
        """Return how many uploads the bucket's index counts. Raises StoreError.

        `route` is that of the bucket's pages.
        """
        keys = self._target.keys.get(deadline)
        tenant, _, name = bucket.rpartition(":")
        tenant = tenant or self._tenant(keys, bucket, route, deadline)
        full_name = f"{tenant}/{name}" if tenant else name
        arguments = [("bucket", full_name), ("format", "json"), ("stats", "true")]
        with self._target.transport.call(CEPH_ADMIN_OPERATION, deadline) as call:
            where = admin_route(self._endpoint_url, route.region)
            response = send_signed(self._target, keys, call.operation, where, arguments)
            if response.status != HTTPStatus.OK:
                raise self._refusal(response, bucket)
            return _read_count(response, tenant, name)

    def keep_only(self, names: Container[str]) -> None:
        """Forget the tenants of all buckets but those of these names."""
        for name in self._tenants.copy():  # a copy: scans add to them
            if name not in names:
                self._tenants.pop(name, None)

    def _tenant(self, keys: Keys, bucket: str, route: Route, deadline: float) -> str:
        """Return the tenant that a bucket's own pages name, '' for none. Raises StoreError.

        In S3 a user of a tenant means the tenant's bucket by a name alone, in the admin API that of no
        tenant: another bucket, of which the API would give the numbers as if they were right.
        """
        known = self._tenants.get(bucket)
        if known and known[0] == keys:
            return known[1]
        with self._target.transport.call(UPLOADS_OPERATION, deadline) as call:
            arguments = [("uploads", None), ("max-uploads", "1")]
            response = send_signed(self._target, keys, call.operation, route, arguments)
            if response.status != HTTPStatus.OK:
                asked = Asked(bucket, self._endpoint_url)
                raise refusal(UPLOADS_OPERATION, response, *read_error(response.body), asked)
            page = parse_answer(response, "ListMultipartUploadsResult", UPLOADS_OPERATION, "Tenant")
        self._tenants[bucket] = keys, page.text("Tenant").strip()
        return self._tenants[bucket][1]

    def _refusal(self, response: Response, bucket: str) -> StoreError:
        """Return the error of a response whose status is not 200."""
        of_s3 = begins_as_xml(response) and not is_html(response)
        if response.status in _REFUSALS and of_s3:
            text = (
                f"{CEPH_ADMIN_OPERATION}: HTTP {response.status} of S3, not of Ceph's admin API; "
                "check endpoint_url, any proxy, and rgw_enable_apis of the gateway"
            )
            return StoreError(Reason.UNSUPPORTED, text, status=response.status)
        asked = Asked(bucket, self._endpoint_url)
        said = read_error(response.body) if of_s3 else json_error(response)
        return refusal(CEPH_ADMIN_OPERATION, response, *said, asked)


def _read_count(response: Response, tenant: str, name: str) -> int:
    """Return the count in the statistics of this bucket. Raises StoreError (bad_response)."""
    try:
        found: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        raise bad_response(CEPH_ADMIN_OPERATION, "the answer is no JSON") from None
    usage = found.get("usage") if isinstance(found, dict) else None
    if not isinstance(usage, dict):
        raise bad_response(CEPH_ADMIN_OPERATION, "the answer has no usage of a bucket")
    if (found.get("tenant", ""), found.get("bucket")) != (tenant, name):
        raise bad_response(CEPH_ADMIN_OPERATION, "the answer names another bucket")
    if _UPLOADS_CATEGORY not in usage:  # there has never been any
        return 0
    category = usage[_UPLOADS_CATEGORY]
    number = category.get("num_objects") if isinstance(category, dict) else None
    if type(number) is not int:
        raise bad_response(CEPH_ADMIN_OPERATION, f"{_UPLOADS_CATEGORY} has no num_objects")
    if not 0 <= number < _BELOW_ZERO:
        what, check = "the index counts less than no uploads", "mend it: radosgw-admin bucket check --fix"
        raise bad_response(CEPH_ADMIN_OPERATION, what, check)
    return number
