"""Bodies that are not what was asked for: what kind of answer they are, in words."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from exporter.stores.transport.response import Response

_MAX_JSON_BYTES = 1_000_000
_BEGINS_AS_XML = re.compile(
    rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff|[ \t\r\n\0])*<\0?[?!A-Za-z_]"  # in UTF-8 or UTF-16
)
_MAX_WRAPPERS = 3
_WRAPPERS = ("error", "Error", "errors", "Errors")
_CODES = ("code", "Code", "errorCode", "error_code", "__type", "status")
_MESSAGES = ("message", "Message", "error_description", "detail", "title", "msg", "error", "errors")


class JsonError(NamedTuple):
    """Code and message of an error in JSON; '' for what it does not say."""

    code: str
    message: str


def is_html(answer: Response) -> bool:
    """Whether an answer is a web page."""
    head = answer.body[:1000].lower()
    return b"<html" in head or b"<!doctype html" in head


def is_empty(answer: Response) -> bool:
    """Whether an answer has no body but white space."""
    return not answer.body[:1000].strip() and not answer.body.strip()


def begins_as_xml(answer: Response) -> bool:
    """Whether an answer looks like the beginning of an XML document."""
    return _BEGINS_AS_XML.match(answer.body) is not None


def is_json(answer: Response) -> bool:
    """Whether an answer is a JSON object or list."""
    return _json(answer.body) is not None


def json_error(answer: Response) -> JsonError:
    """Return the error that an answer in JSON tells, in whatever shape."""
    found: Any = _json(answer.body)
    for _ in range(_MAX_WRAPPERS):
        if isinstance(found, list):
            found = found[0] if found else None
        within = _first(found, _WRAPPERS)
        if not isinstance(within, dict | list):
            break
        found = within
    return JsonError(_text(_first(found, _CODES)), _text(_first(found, _MESSAGES)))


def _first(found: object, names: tuple[str, ...]) -> object:
    """Return the first value of these names in a JSON object, None where there is none."""
    if not isinstance(found, dict):
        return None
    return next((found[name] for name in names if found.get(name)), None)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""


def _json(body: bytes) -> dict[str, Any] | list[Any] | None:
    if body[:100].lstrip()[:1] not in {b"{", b"["} or len(body) > _MAX_JSON_BYTES:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
