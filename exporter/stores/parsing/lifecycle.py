"""Lifecycle rules that abort uploads: a response in, checked rules out.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.results import AbortRules
from exporter.stores.base import LIFECYCLE_OPERATION
from exporter.stores.errors import bad_response, describe_body, error_in_success
from exporter.stores.parsing.document import DoctypeError, Document, NotXmlError
from exporter.stores.parsing.pages import read_error

if TYPE_CHECKING:
    from exporter.model.errors import StoreError
    from exporter.stores.parsing.document import Element
    from exporter.stores.transport.response import Response

DAY_SECONDS = 86400.0
NO_RULES = AbortRules()
_MAX_DIGITS = 9
_PREFIX_ONLY = {"Prefix", "And"}
"""Elements of a filter that exclude no upload under its prefix."""


def has_no_rules(error: StoreError) -> bool:
    """Whether a refusal means that the bucket has no lifecycle rules."""
    return error.status == HTTPStatus.NOT_FOUND and error.code == "NoSuchLifecycleConfiguration"


def read_rules(response: Response, watched_prefix: str | None) -> AbortRules:
    """Return when the rules abort uploads whose keys begin with `watched_prefix`.

    Raises StoreError (bad_response).
    """
    within = watched_prefix or ""
    shortest: dict[bool, float] = {}
    for rule in _parse_checked(response).children("Rule"):
        seconds = _abort_after_seconds(rule)
        if seconds is None:
            continue
        prefix, filtered = _scope(rule)
        covers_all = within.startswith(prefix) and not filtered
        if within.startswith(prefix) or prefix.startswith(within):
            shortest[covers_all] = min(seconds, shortest.get(covers_all, seconds))
    return AbortRules(bucket=shortest.get(True), prefix=shortest.get(False))


def _parse_checked(response: Response) -> Document:
    try:
        document = Document(response.body)
    except (DoctypeError, NotXmlError):
        what = f"the answer is not the XML of a store ({describe_body(response)})"
        raise bad_response(LIFECYCLE_OPERATION, what) from None
    if document.name == "Error":
        raise error_in_success(LIFECYCLE_OPERATION, *read_error(response.body))
    if document.name != "LifecycleConfiguration":
        what = f"the answer is not a LifecycleConfiguration ({describe_body(response)})"
        raise bad_response(LIFECYCLE_OPERATION, what)
    return document


def _abort_after_seconds(rule: Element) -> float | None:
    """Return the age at which a rule aborts uploads; None if it does not, or is disabled."""
    aborts = rule.children("AbortIncompleteMultipartUpload")
    status = rule.text("Status").strip().lower()
    if not aborts or status == "disabled":
        return None
    days = aborts[0].text("DaysAfterInitiation").strip()
    readable = days.isascii() and days.isdigit() and len(days) <= _MAX_DIGITS
    if status != "enabled" or not readable:
        raise bad_response(LIFECYCLE_OPERATION, "a rule's status or days cannot be read")
    return int(days) * DAY_SECONDS


def _scope(rule: Element) -> tuple[str, bool]:
    """Return the prefix of a rule, and whether tags or sizes exclude some of the uploads under it."""
    filters = rule.children("Filter")
    filters += [inner for each in filters for inner in each.children("And")]
    prefixes = [element.text("Prefix") for element in (rule, *filters)]
    filtered = any(name not in _PREFIX_ONLY for each in filters for name in each.names())
    return max(prefixes, key=len), filtered
