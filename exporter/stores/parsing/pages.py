"""Pages of S3 and OBS: a response in, a checked page out."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.model.uploads import Part, Parts, Upload
from exporter.stores import timestamps
from exporter.stores.base import (
    PARTS_OPERATION,
    UPLOADS_OPERATION,
    Page,
)
from exporter.stores.errors import bad_response, error_in_success
from exporter.stores.parsing.document import Document
from exporter.stores.parsing.document_size import memory_for, text_cost
from exporter.stores.parsing.echoes import LISTING_ECHOES, PARTS_ECHOES, other_field
from exporter.stores.parsing.encoding import SAYS_ENCODING, as_they_are
from exporter.stores.parsing.fields import PageKind
from exporter.stores.parsing.large_pages import read_large_page
from exporter.stores.parsing.numbers import integer, integers, part_marker
from exporter.stores.parsing.parser import DoctypeError, NotXmlError
from exporter.stores.parsing.required import PART_MARKS, UPLOAD_MARKS, prove_empty, prove_items, prove_known
from exporter.stores.parsing.shape_learning import Shapes
from exporter.stores.parsing.unexpected import no_document, other_document

if TYPE_CHECKING:
    from exporter.stores.base import PageRequest
    from exporter.stores.parsing.fields import PageFields
    from exporter.stores.transport.response import Response

MAX_PARTS = 20_000
"""A page with more parts is refused: twice as many as an upload may have."""
MAX_ERROR_BYTES = 256 * 1024
"""Nothing larger is an <Error> document."""
ABORT_DATE = "x-amz-abort-date"
"""The time at which a lifecycle rule aborts the upload whose parts are listed."""
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}
_UPLOADS_FIELDS = (
    *("Bucket", "IsTruncated", "NextKeyMarker", "NextUploadIdMarker", "CommonPrefixes"),
    *LISTING_ECHOES,
    *SAYS_ENCODING,
)
UPLOAD_SHAPES = Shapes(
    PageKind(
        UPLOADS_OPERATION,
        "ListMultipartUploadsResult",
        "Upload",
        _UPLOADS_FIELDS,
        ("Key", "UploadId", "Initiated", "StorageClass", "Initiator/ID"),
        UPLOAD_MARKS,
    )
)
_new_upload = partial(tuple.__new__, Upload)
"""Makes an upload of all its fields, in half the time of the class itself."""
_PARTS_FIELDS = ("Bucket", "IsTruncated", "NextPartNumberMarker", "MaxParts", "StorageClass", *PARTS_ECHOES)
PART_SHAPES = Shapes(
    PageKind(
        PARTS_OPERATION,
        "ListPartsResult",
        "Part",
        _PARTS_FIELDS,
        ("PartNumber", "Size", "LastModified"),
        PART_MARKS,
    )
)
"""The shapes of pages that this process has read, of all stores."""


def read_page(request: PageRequest, response: Response, bucket: str | None, now: float) -> Page[Any]:
    """Return the requested page; see `read_uploads` and `read_parts`."""
    return (read_parts if request.upload else read_uploads)(request, response, bucket, now)


def read_uploads(
    request: PageRequest,
    response: Response,
    bucket: str | None,
    now: float,
    shapes: Shapes = UPLOAD_SHAPES,
) -> Page[Upload]:
    """Return the page of uploads in `response`, which has to answer `request` where it repeats it.

    `bucket` is the name that it has to carry if it names one (None: any); `now` is our clock, used where the
    response does not carry the store's. Raises StoreError (bad_response, unsupported).
    """

    def read(answer: Response, *, is_piece: bool = False, is_proof: bool = False) -> Page[Upload]:
        question = (request, answer, bucket, now)
        lease = memory_for(text_cost(answer.body))
        found = shapes.read(answer.body)
        if found is not None and (is_piece or found.has_items):
            return _uploads_page(found, *question, is_piece=is_piece, is_proof=is_proof)
        del lease
        document = _parsed(answer, shapes)
        page = _uploads_page(document, *question, is_piece=is_piece, is_proof=is_proof)
        if found is None:
            shapes.learn(answer.body, document)
        return page

    return read_large_page(response, read) or read(response)


def _parsed(response: Response, shapes: Shapes) -> Document:
    """Return the document in a response of no known shape. Raises StoreError."""
    return parse_answer(response, shapes.kind.root, shapes.kind.operation, *shapes.kind.fields)


def _uploads_page(  # noqa: PLR0913 - all that decides what the page is
    document: PageFields,
    request: PageRequest,
    response: Response,
    bucket: str | None,
    now: float,
    *,
    is_piece: bool,
    is_proof: bool,
) -> Page[Upload]:
    _check_question(document, request, UPLOADS_OPERATION, bucket)
    if document.has_text_in("CommonPrefixes", "Prefix"):
        what = "the answer groups uploads in CommonPrefixes, which nobody asked for"
        raise bad_response(UPLOADS_OPERATION, what)
    keys, ids, initiated, classes = document.columns("Upload", "Key", "UploadId", "Initiated", "StorageClass")
    ids = list(map(str.strip, ids))
    prove_items(UPLOADS_OPERATION, keys, ids, garbled=document.is_repaired)
    if not (keys or is_piece):
        _prove_empty(document, response, UPLOAD_SHAPES.kind)
    keys, marker = as_they_are(document, keys, asked=request.encoded, is_piece=is_piece)
    moments: list[float | None] = [None] * len(keys)
    if not is_proof:  # it is read once more
        moments = timestamps.parse_past_column(initiated, response.server_time(default=now))
    initiators = document.nested_column("Upload", "Initiator", "ID")
    truncated = read_truncated(document, UPLOADS_OPERATION)
    refuse_torn(document, UPLOADS_OPERATION)
    rows = zip(keys, ids, moments, map(str.strip, classes), map(str.strip, initiators), strict=True)
    uploads = list(map(_new_upload, rows))
    next_marker = (marker, document.text("NextUploadIdMarker").strip())
    return Page(
        items=uploads,
        truncated=truncated,
        next_marker=next_marker if any(next_marker) else None,
        last_marker=(keys[-1], ids[-1]) if uploads else None,
        server=response.headers.get("server", ""),
    )


def read_parts(
    request: PageRequest,
    response: Response,
    bucket: str | None,
    now: float,
    shapes: Shapes = PART_SHAPES,
) -> Page[Part]:
    """Return the page of parts in `response`; see `read_uploads`."""
    lease = memory_for(text_cost(response.body))
    found = shapes.read(response.body)
    if found is not None and found.has_items:
        return _parts_page(found, request, response, bucket, now)
    del lease
    document = _parsed(response, shapes)
    page = _parts_page(document, request, response, bucket, now)
    if found is None:
        shapes.learn(response.body, document)
    return page


def _parts_page(
    document: PageFields, request: PageRequest, response: Response, bucket: str | None, now: float
) -> Page[Part]:
    _check_question(document, request, PARTS_OPERATION, bucket)
    texts, sizes, modified = document.columns("Part", "PartNumber", "Size", "LastModified")
    if len(texts) > MAX_PARTS:
        raise bad_response(PARTS_OPERATION, f"the answer has more than {MAX_PARTS:,} parts")
    if not texts:
        _prove_empty(document, response, PART_SHAPES.kind)
    numbers = integers(texts)
    store_now = response.server_time(default=now)
    abort_date = response.headers.get(ABORT_DATE)
    last = numbers[-1] if numbers else None
    if last is None:
        last = next((number for number in reversed(numbers) if number is not None), None)
    said = document.fields.get
    truncated = read_truncated(document, PARTS_OPERATION)
    refuse_torn(document, PARTS_OPERATION)
    has_gaps = last is not None and last != len(numbers)
    return Page(
        Parts(numbers, integers(sizes), timestamps.parse_past_column(modified, store_now)),
        truncated,
        part_marker(said("NextPartNumberMarker") or ""),
        None if last is None else (str(last),),
        (said("StorageClass") or "").strip(),
        timestamps.parse_future(abort_date, store_now) if abort_date else None,
        full=has_gaps and not truncated and integer(said("MaxParts") or "") == len(numbers),
    )


def _prove_empty(document: PageFields, response: Response, kind: PageKind) -> None:
    """Raise StoreError (bad_response) where a page has items elsewhere, or does not say that it has none."""
    if re.search(rf"(?i)[<:]{kind.item}[\s>]".encode(), response.body):
        raise bad_response(kind.operation, f"the answer has no {kind.item} below its root, but elsewhere")
    if isinstance(document, Document):  # others have items: see `read_uploads`
        prove_empty(document, kind.operation)


def refuse_torn(document: PageFields, operation: str) -> None:
    """Raise StoreError (bad_response) where an id, a date or a number has characters that none can have."""
    if document.torn:
        what = f"the answer's {document.torn[0]} has characters that XML forbids"
        raise bad_response(operation, what, garbled=True)


def read_error(body: bytes) -> tuple[str, str]:
    """Return the code and message of an <Error> document, in whatever namespace; '' for what is not there."""
    fields = error_fields(body)
    return fields.get("Code", "").strip(), fields.get("Message", "").strip()


def error_fields(body: bytes) -> dict[str, str]:
    """Return all fields of an <Error> document; of anything else none."""
    if len(body) > MAX_ERROR_BYTES:
        return {}
    try:
        document = Document(body)
    except (DoctypeError, NotXmlError):
        return {}
    return document.texts() if document.name == "Error" else {}


def parse_answer(response: Response, root: str, operation: str, *fields: str) -> Document:
    """Return the document in an answer of status 200, whose root element has to be `root`.

    Of the fields below the root only `fields` are read, all if none are given. Raises StoreError, also for an
    <Error> anywhere in it.
    """
    try:
        document = Document(response.body, *fields)
    except (DoctypeError, NotXmlError) as error:
        raise no_document(operation, response, has_doctype=isinstance(error, DoctypeError)) from None
    error_inside = document.error()
    if error_inside is not None:
        code, message = error_inside.text("Code").strip(), error_inside.text("Message").strip()
        raise error_in_success(operation, code, message)
    if document.name != root:
        raise other_document(operation, root, document, response)
    prove_known(document, operation)
    return document


def _check_question(document: PageFields, request: PageRequest, operation: str, bucket: str | None) -> None:
    """Raise StoreError where a page is the answer to another request."""
    named = (document.fields.get("Bucket") or "").strip()
    if bucket is not None and named and named != bucket and named != bucket.rpartition(":")[2]:
        raise bad_response(operation, "the answer names another bucket")
    if other := other_field(request, document):
        what = f"the answer is to another request: its {other} is not the one that was asked for"
        raise bad_response(operation, what, "check any proxy or cache, which has to tell apart queries")


def read_truncated(document: PageFields, operation: str) -> bool | None:
    """Return whether an answer says that there is more, None where it does not say. Raises StoreError."""
    texts = document.all_texts("IsTruncated")
    if texts == ["false"]:
        return False
    said = {text.strip().lower() for text in texts}
    if not said:
        return None
    if said <= _TRUE:
        return True
    if said <= _FALSE:
        return False
    what = "IsTruncated is neither true nor false"
    raise bad_response(operation, what, garbled=document.is_repaired)
