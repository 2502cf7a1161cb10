"""Lifecycle rules that abort uploads: a response in, checked rules out.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import StoreError
from exporter.model.results import AbortRules
from exporter.stores.base import LIFECYCLE_OPERATION
from exporter.stores.parsing.abort_rule import read_abort_rule, refuse_unknown
from exporter.stores.parsing.pages import parse_answer, refuse_torn
from exporter.stores.parsing.required import prove_empty

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.transport.response import Response

NO_RULES = AbortRules()
_NO_RULES_CODES = {"NoSuchLifecycleConfiguration", "NoSuchLifecycle"}


def has_no_rules(error: StoreError) -> bool:
    """Whether a refusal means that the bucket has no lifecycle rules."""
    return error.status == HTTPStatus.NOT_FOUND and error.code in _NO_RULES_CODES


def ask_rules(ask: Callable[[], Response], watched_prefix: str | None) -> AbortRules:
    """Return what the response that `ask` returns says, as `read_rules`; it may refuse for lack of rules."""
    try:
        response = ask()
    except StoreError as error:
        if has_no_rules(error):
            return NO_RULES
        raise
    return read_rules(response, watched_prefix)


def read_rules(response: Response, watched_prefix: str | None) -> AbortRules:
    """Return when the rules abort uploads whose keys begin with `watched_prefix`.

    Raises StoreError (bad_response, unsupported).
    """
    within = watched_prefix or ""
    shortest: dict[bool, float] = {}
    document = parse_answer(response, "LifecycleConfiguration", LIFECYCLE_OPERATION)
    for name in document.texts().keys() - {"Rule"}:
        for element in document.children(name):
            refuse_unknown(name, element)
    rules = document.children("Rule")
    if not rules:
        prove_empty(document, LIFECYCLE_OPERATION)
    for rule in rules:
        found = read_abort_rule(rule)
        if found is None or not any(map(partial(_overlap, within), found.prefixes)):
            continue
        covers_all = within.startswith(found.prefixes) and not found.filtered
        shortest[covers_all] = min(found.seconds, shortest.get(covers_all, found.seconds))
    refuse_torn(document, LIFECYCLE_OPERATION)
    return AbortRules(bucket=shortest.get(True), prefix=shortest.get(False))


def _overlap(one: str, other: str) -> bool:
    """Whether some keys begin with both prefixes."""
    return one.startswith(other) or other.startswith(one)
