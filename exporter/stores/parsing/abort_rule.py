"""One rule of a lifecycle document: when it aborts uploads, and which.

Grammars: Amazon S3's, its older one with the prefix in the rule, and what other stores document: Alibaba's
AbortMultipartUpload (https://www.alibabacloud.com/help/en/oss/developer-reference/putbucketlifecycle) and
Google's Action and Condition (https://cloud.google.com/storage/docs/xml-api/put-bucket-lifecycle).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import LIFECYCLE_OPERATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.stores.parsing.document import Element

DAY_SECONDS = 86400.0
_MAX_DIGITS = 9
_ACTIONS = ("AbortIncompleteMultipartUpload", "AbortMultipartUpload")
_DAYS = ("DaysAfterInitiation", "Days")
_PREFIX_ONLY = {"Prefix", "And"}
"""Elements of a filter that exclude no upload under its prefix."""
_FILTERS_OF_RULE = {"Tag", "Tags", "TagSet", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "Condition"}
_OF_ALL_CONDITIONS = {"Age", "MatchesPrefix"}
_NAMES = {"ID", "Prefix", "Filter", "Tag", "Tags", "TagSet", "MatchesPrefix", "MatchesSuffix"}
"""Elements whose texts are people's own words."""
_MAY_ABORT = re.compile("abort|incomplete|multipart|unfinished|upload", re.IGNORECASE)
_PLAIN_NAME = re.compile("[A-Za-z]{1,60}")


class AbortRule(NamedTuple):
    """A rule that aborts uploads of a certain age, whose keys begin with one of the prefixes.

    `filtered` says that tags or sizes exclude some of them.
    """

    seconds: float
    prefixes: tuple[str, ...]
    filtered: bool


def read_abort_rule(rule: Element) -> AbortRule | None:
    """Return what a rule does to uploads; None if it does nothing to them, or is disabled.

    Raises StoreError: bad_response where days or status cannot be read, unsupported where the rule may abort
    uploads in a form that is not known.
    """
    status = rule.text("Status").strip().lower()
    if status == "disabled":
        return None
    if rule.children("Action"):
        return _by_action(rule, status)
    actions = [action for name in _ACTIONS for action in rule.children(name)]
    if not actions:
        refuse_unknown("Rule", rule)
        return None
    if status != "enabled":
        raise _unreadable()
    return AbortRule(_seconds(actions[0], *_DAYS), *_scope(rule))


def refuse_unknown(name: str, element: Element) -> None:
    """Raise StoreError (unsupported) where an element of this name may mean that uploads are aborted."""
    for each, text in _described(name, element):
        if _MAY_ABORT.search(each) or _MAY_ABORT.search(text):
            raise _unknown(each)


def _by_action(rule: Element, status: str) -> AbortRule | None:
    """Read a rule of Google's grammar, which has no status."""
    actions, conditions = rule.children("Action"), rule.children("Condition")
    if not any(action.children(name) for action in actions for name in _ACTIONS):
        refuse_unknown("Rule", rule)
        return None
    if len(conditions) != 1 or status not in {"", "enabled"}:
        raise _unreadable()
    [condition] = conditions
    prefixes = tuple(_prefixes(condition)) or ("",)
    filtered = any(name not in _OF_ALL_CONDITIONS for name in condition.names())
    return AbortRule(_seconds(condition, "Age"), prefixes, filtered)


def _prefixes(condition: Element) -> Iterator[str]:
    for matches in condition.children("MatchesPrefix"):
        nested = [each for name in dict.fromkeys(matches.names()) for each in matches.children(name)]
        yield from [each.own_text for each in nested or [matches]]


def _seconds(element: Element, *names: str) -> float:
    days = next(filter(None, (element.text(name).strip() for name in names)), "")
    if not (days.isascii() and days.isdigit() and len(days) <= _MAX_DIGITS):
        raise _unreadable()
    return int(days) * DAY_SECONDS


def _scope(rule: Element) -> tuple[tuple[str], bool]:
    """Return the prefix of a rule, and whether tags or sizes exclude some of the uploads under it."""
    filters = rule.children("Filter")
    filters += [inner for each in filters for inner in each.children("And")]
    prefixes = [element.text("Prefix") for element in (rule, *filters)]
    filtered = any(name not in _PREFIX_ONLY for each in filters for name in each.names())
    return (max(prefixes, key=len),), filtered or not _FILTERS_OF_RULE.isdisjoint(rule.names())


def _described(name: str, element: Element) -> Iterator[tuple[str, str]]:
    """Yield name and text of an element and of all within, except for people's own words."""
    if name in _NAMES:
        return
    yield name, element.own_text
    for each in dict.fromkeys(element.names()):
        for child in element.children(each):
            yield from _described(each, child)


def _unreadable() -> StoreError:
    what = "a rule's status, days or condition cannot be read; look at the bucket's lifecycle rules"
    return StoreError(Reason.BAD_RESPONSE, f"{LIFECYCLE_OPERATION}: {what}", status=HTTPStatus.OK)


def _unknown(name: str) -> StoreError:
    named = f" ({name})" if _PLAIN_NAME.fullmatch(name) else ""
    what = f"a rule may abort uploads in a form that is not known{named}; please report it"
    return StoreError(Reason.UNSUPPORTED, f"{LIFECYCLE_OPERATION}: {what}")
