"""What a page repeats of its request: whether it answers this question, or another one."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

if TYPE_CHECKING:
    from exporter.stores.base import PageRequest
    from exporter.stores.parsing.fields import PageFields

_PREFIXES = ("Prefix", "ListMultipartUploadsResult.Prefix")  # the latter is Ceph's
LISTING_ECHOES = (*_PREFIXES, "KeyMarker", "UploadIdMarker")
PARTS_ECHOES = ("Key", "UploadId", "PartNumberMarker")
"""The fields below the root that repeat the request, in pages of uploads and of parts."""
_NONE = {"0", "null", "none", "nil"}
"""What servers write for a marker that was not given, besides nothing."""
# what servers leave out of a text, or write U+FFFD for
_UNSTABLE = re.compile("[\x00-\x20\x7f-\xa0\ud800-\udfff\ufffd-\uffff]+")
_SLASHES = re.compile(r"[/\\]+")


def other_field(request: PageRequest, document: PageFields) -> str:
    """Return the name of the first field that is that of another request, '' where there is none.

    A field that is missing or empty says nothing: some servers repeat nothing. One that is the request's
    counts as given, percent-encoded or encoded as a form, whether or not that was asked for; and without
    what servers change in odd keys: control characters, white space, and slashes in a row.
    """
    upload = request.upload
    if upload is None:
        return _other_listing_field(request, document)
    said = document.fields.get
    for name, asked in (("Key", upload.key), ("UploadId", upload.upload_id)):
        text = said(name) or ""
        if text != asked and differs(text, asked):
            return name
    number = said("PartNumberMarker") or "0"
    return "PartNumberMarker" if number != "0" and _is_other_number(request, number) else ""


def _other_listing_field(request: PageRequest, document: PageFields) -> str:
    prefix = request.bucket.prefix or ""
    key, upload_id = request.marker or ("", "")
    fields = [(name, prefix) for name in _PREFIXES]
    if key or not upload_id:  # of an id alone, a server may say whose it is
        fields.append(("KeyMarker", key))
    fields.append(("UploadIdMarker", upload_id))
    return next((name for name, asked in fields if differs(document.text(name), asked)), "")


def differs(said: str, asked: str) -> bool:
    """Whether a text that an answer repeats is that of another request; see `other_field`."""
    if said == asked or not said.strip() or (not asked and said.strip().lower() in _NONE):
        return False
    sought = _without_unstable(asked)
    readings = (said, unquote(said), unquote_plus(said), unescape(said))
    return all(_without_unstable(text) != sought for text in readings)


def _without_unstable(text: str) -> str:
    return _SLASHES.sub("/", _UNSTABLE.sub("", text)).strip("/")


def _is_other_number(request: PageRequest, said: str) -> bool:
    """Whether a page of parts goes on after another part; without a marker servers say 0, or nothing."""
    said = said.strip()
    number = said.lstrip("0") if said.isascii() and said.isdigit() else ""
    asked = request.marker[0] if request.marker else ""
    return bool(number) and number != asked.strip().lstrip("0")
