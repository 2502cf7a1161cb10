"""Pages whose keys were asked for in percent-encoding (`encoding-type=url`): the keys themselves.

Servers differ: Amazon S3 and others encode as a form and say `EncodingType`; some say so and do not encode,
some ignore the request and say nothing, and Ceph encodes keys alone and says nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from exporter.stores.base import UPLOADS_OPERATION
from exporter.stores.errors import bad_response

if TYPE_CHECKING:
    from exporter.model.errors import StoreError
    from exporter.stores.parsing.fields import PageFields

SAYS_ENCODING = ("EncodingType", "Encoding-Type", "Encoding-type")
"""The fields that say how keys are encoded; those with a hyphen are Tencent's."""
# What shows that a text is not encoded: a character that every encoding replaces, a percent sign that encodes
# nothing, and one that encodes a letter or digit, which none does.
_NOT_ENCODED = re.compile("[^\x21-\x7e]|%(?![0-9A-Fa-f]{2})|%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")


def as_they_are(
    document: PageFields, written: list[str], *, asked: bool, is_piece: bool
) -> tuple[list[str], str]:
    """Return the keys of a page, which has them `written` so, and its next key marker.

    `asked` is whether they were to be encoded, `is_piece` whether this is a part of a larger page. Raises
    StoreError where it is not certain whether they are.
    """
    marker = document.text("NextKeyMarker")
    if not any(document.text(name).strip().lower() == "url" for name in SAYS_ENCODING):
        if asked and _can_be_encoded(written) and any("%" in key for key in written):
            raise _uncertain("the answer does not say whether its keys are encoded")
        return written, marker
    if _can_be_encoded(written):
        keys = list(map(_decoded, written))
        # some servers leave the marker as it is, which shows where it is the last key
        return keys, marker if marker in keys[-1:] else _decoded(marker)
    if is_piece:
        raise _uncertain("the answer says that its keys are encoded, and some are not")
    return written, marker


def _can_be_encoded(keys: list[str]) -> bool:
    return not any(map(_NOT_ENCODED.search, keys))


def _decoded(text: str) -> str:
    """Return a text that is encoded as a form, in which `+` is a space; one that cannot be is as it is."""
    return text if _NOT_ENCODED.search(text) else unquote_plus(text, errors="surrogateescape")


def _uncertain(what: str) -> StoreError:
    return bad_response(UPLOADS_OPERATION, what, "the plain page could not be read")
