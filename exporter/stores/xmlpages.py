"""Reads the XML answers of S3 and OBS: a raw body in, a proven page out."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING
from xml.parsers import expat

from exporter.model import Part, Upload
from exporter.stores import dates
from exporter.stores.base import PARTS_OPERATION, UPLOADS_OPERATION, Marker, Page
from exporter.stores.reasons import bad_response, error_in_success, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.stores.transport import Answer

_TRUE, _FALSE = {"true", "1"}, {"false", "0"}
_ESCAPE = "\ue000"
_FORBIDDEN = re.compile(
    "&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));"  # a reference, judged by what it stands for
    f"|([{_ESCAPE}\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff])"
)
_ESCAPED = re.compile(f"{_ESCAPE}([0-9a-f]{{6}})")
_LAST_CODE_POINT = 0x10FFFF
_INTEGER = re.compile(r"\d{1,19}")


class _DoctypeError(Exception):
    pass


class _RootReachedError(Exception):
    pass


def read_uploads(answer: Answer, bucket: str | None, now: float) -> Page[Upload]:
    """Return the page of uploads in `answer`, which has to name `bucket` if it names one (None: any).

    `now` is our clock, used where the answer does not carry the store's. Raises StoreError (bad_response).
    """
    root, text = _prove(answer, "ListMultipartUploadsResult", UPLOADS_OPERATION, bucket)
    store_now = answer.moment(default=now)
    uploads = [
        _upload(_children(element), text, store_now) for element in root if _local(element) == "Upload"
    ]
    fields = _children(root)
    marker = (text(fields.get("NextKeyMarker")), text(fields.get("NextUploadIdMarker")))
    return Page(
        items=uploads,
        truncated=_truncated(root, UPLOADS_OPERATION),
        next_marker=marker if marker[0] else None,
        last_marker=(uploads[-1].key, uploads[-1].upload_id) if uploads else None,
    )


def read_parts(answer: Answer, bucket: str | None, now: float) -> Page[Part]:
    """Return the page of parts in `answer`; see `read_uploads`."""
    root, text = _prove(answer, "ListPartsResult", PARTS_OPERATION, bucket)
    store_now = answer.moment(default=now)
    parts = [_part(_children(element), store_now) for element in root if _local(element) == "Part"]
    numbers = [part.start for part in parts if part.start is not None]
    fields = _children(root)
    return Page(
        items=parts,
        truncated=_truncated(root, PARTS_OPERATION),
        next_marker=_part_marker(fields.get("NextPartNumberMarker")),
        last_marker=(str(numbers[-1]),) if numbers else None,
        storage_class=text(fields.get("StorageClass")).strip(),
    )


def read_error(body: bytes) -> tuple[str, str]:
    """Return the code and message of an <Error> document, in whatever namespace; '' for what is not there."""
    try:
        root, text = _document(body)
    except (ET.ParseError, _DoctypeError, ValueError, LookupError):
        return "", ""
    if _local(root) != "Error":
        return "", ""
    fields = _children(root)
    return text(fields.get("Code")).strip(), text(fields.get("Message")).strip()


def _prove(
    answer: Answer, root_name: str, operation: str, bucket: str | None
) -> tuple[ET.Element, Callable[[str | None], str]]:
    try:
        root, text = _document(answer.body)
    except _DoctypeError:
        raise bad_response(operation, "the answer has a DOCTYPE, which no store sends") from None
    except (ET.ParseError, ValueError, LookupError):
        raise bad_response(operation, f"the answer is not the XML of a store ({kind_of(answer)})") from None
    if _local(root) == "Error":
        raise error_in_success(operation, *read_error(answer.body))
    if _local(root) != root_name:
        raise bad_response(operation, f"the answer is not a {root_name} ({kind_of(answer)})")
    named = text(_children(root).get("Bucket")).strip()
    if bucket is not None and named and named != bucket.rpartition(":")[2]:
        raise bad_response(operation, "the answer names another bucket")
    return root, text


def _document(body: bytes) -> tuple[ET.Element, Callable[[str | None], str]]:
    """Return the root element, and what turns an element's text into the store's own."""
    _refuse_doctype(body)
    try:
        return ET.fromstring(body), lambda text: text or ""  # noqa: S314 - no DTD, so no entities
    except ET.ParseError:
        repaired = _FORBIDDEN.sub(_escape, body.decode("utf-8-sig", "surrogateescape"))
        _refuse_doctype(repaired.encode("utf-8", "surrogatepass"))
        return ET.fromstring(repaired), _unescaped  # noqa: S314


def _refuse_doctype(body: bytes) -> None:
    """Read up to the root element with a real parser; raises _DoctypeError where a DOCTYPE comes first."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _raise_doctype
    parser.StartElementHandler = _raise_root_reached
    try:
        parser.Parse(body, True)  # noqa: FBT003 - takes no keywords
    except (_RootReachedError, expat.ExpatError):
        return


def _raise_doctype(*_: object) -> None:
    raise _DoctypeError


def _raise_root_reached(*_: object) -> None:
    raise _RootReachedError


def _escape(match: re.Match[str]) -> str:
    """Replace what XML 1.0 forbids, and the escape character itself, by the escape and six hex digits."""
    hexadecimal, decimal, raw = match.groups()
    point = ord(raw) if raw else int(hexadecimal or decimal, 16 if hexadecimal else 10)
    if point > _LAST_CODE_POINT or (not raw and _is_allowed(point)):
        return match.group()
    return f"{_ESCAPE}{point:06x}"


def _is_allowed(point: int) -> bool:
    return _FORBIDDEN.fullmatch(chr(point)) is None


def _unescaped(text: str | None) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text or "")


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: ET.Element) -> dict[str, str | None]:
    """Return the texts of an element's children by local name; of a repeated one the first."""
    fields: dict[str, str | None] = {}
    for child in element:
        fields.setdefault(_local(child), child.text)
    return fields


def _truncated(root: ET.Element, operation: str) -> bool | None:
    said = {(child.text or "").strip().lower() for child in root if _local(child) == "IsTruncated"}
    if not said:
        return None
    if said <= _TRUE:
        return True
    if said <= _FALSE:
        return False
    raise bad_response(operation, "IsTruncated is neither true nor false")


def _upload(fields: dict[str, str | None], text: Callable[[str | None], str], store_now: float) -> Upload:
    key, upload_id = text(fields.get("Key")), text(fields.get("UploadId"))
    if not key or not upload_id:
        raise bad_response(UPLOADS_OPERATION, "an upload without key or upload id")
    initiated = dates.read_believable(fields.get("Initiated"), store_now)
    return Upload(key, upload_id, initiated, text(fields.get("StorageClass")).strip())


def _part(fields: dict[str, str | None], store_now: float) -> Part:
    modified = dates.read_believable(fields.get("LastModified"), store_now)
    return Part(_integer(fields.get("PartNumber")), _integer(fields.get("Size")), modified)


def _integer(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and _INTEGER.fullmatch(text) else None


def _part_marker(text: str | None) -> Marker | None:
    """Return a marker as given; some servers say 0, or nothing, where they mean no marker."""
    number = _integer(text)
    return (str(text).strip(),) if number else None
