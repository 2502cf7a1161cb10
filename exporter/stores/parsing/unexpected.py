"""Answers of status 200 that are not the document asked for: what came instead, and what to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import BUCKETS_OPERATION
from exporter.stores.bodies import begins_as_xml, is_empty, is_html, is_json, json_error
from exporter.stores.errors import bad_response, describe_body, error_in_success, log_safe

if TYPE_CHECKING:
    from exporter.stores.parsing.document import Document
    from exporter.stores.transport.response import Response

_OTHER_QUERY = "another call's answer: check any proxy or cache, which has to tell apart queries"
_ADDRESS = "check endpoint_url (a path in it, its port), addressing_style and any proxy"
_KNOWN = {
    "ListAllMyBucketsResult": ("the account's list of buckets", f"the bucket's name was lost: {_ADDRESS}"),
    "ListMultipartUploadsResult": ("a list of uploads", _OTHER_QUERY),
    "ListPartsResult": ("a list of parts", _OTHER_QUERY),
    "ListPartsResponse": ("a list of parts under another name", "known of the test server moto"),
    "ListVersionsResult": ("a list of object versions", _OTHER_QUERY),
    "LocationConstraint": ("the bucket's region", _OTHER_QUERY),
    "VersioningConfiguration": ("the bucket's versioning", _OTHER_QUERY),
    "Tagging": ("the bucket's tags", _OTHER_QUERY),
    "LifecycleConfiguration": ("the bucket's lifecycle rules", _OTHER_QUERY),
    "AccessControlPolicy": ("an access control list", _OTHER_QUERY),
    "html": ("a web page (HTML), as a login or a console sends it", _ADDRESS),
}
"""What the root elements of other documents mean, and what to check."""
_OBJECTS = "ListBucketResult"


def other_document(operation: str, root: str, document: Document, response: Response) -> StoreError:
    """Return the error for an XML document whose root element is not `root`."""
    name = document.name
    if name == _OBJECTS and operation != BUCKETS_OPERATION:
        what = f"{operation}: the store answered with a list of objects ({name})"
        what += ": it does not know the call, or something on the way drops the query"
        return StoreError(Reason.UNSUPPORTED, what, status=response.status)
    if name == _OBJECTS:
        return bad_response(operation, f"the answer is a bucket's list of objects ({name})", _ADDRESS)
    if name in _KNOWN:
        what, check = _KNOWN[name]
        return bad_response(operation, f"the answer is {what} ({name}), not a {root}", check)
    return bad_response(operation, f"the answer is not a {root} but a {log_safe(name)}")


def no_document(operation: str, response: Response, *, has_doctype: bool = False) -> StoreError:
    """Return the error for a body that is no XML document, or has a DOCTYPE.

    Garbled is what a store may have sent and a fault on the way damaged: what begins as XML, and an empty
    body, which is one cut at its beginning. A web page, JSON and other text come from something else.
    """
    if is_html(response):
        what = f"the answer is {_KNOWN['html'][0]}{', and has a DOCTYPE' if has_doctype else ''}"
        return bad_response(operation, what, _ADDRESS)
    if has_doctype:
        return bad_response(operation, "the answer has a DOCTYPE, which no store sends")
    if is_json(response):
        return _json(operation, response)
    garbled = is_empty(response) or begins_as_xml(response)
    what = f"the answer is not the XML of a store ({describe_body(response)})"
    return bad_response(operation, what, garbled=garbled)


def _json(operation: str, response: Response) -> StoreError:
    error = json_error(response)
    if error.code or error.message:
        return error_in_success(operation, *error, "an error in JSON, which no S3 store sends", _ADDRESS)
    return bad_response(operation, "the answer is JSON, not the XML of a store", _ADDRESS)
