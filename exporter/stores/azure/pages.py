"""Pages of Azure Blob Storage: a response in, a checked page out.

API: https://learn.microsoft.com/rest/api/storageservices/list-blobs, get-block-list and list-containers2.
"""

from __future__ import annotations

from itertools import chain, compress, repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from exporter.model.uploads import Upload
from exporter.stores.azure.block_list import read_blocks
from exporter.stores.azure.documents import learn, prove_no_items, read
from exporter.stores.azure.large_answers import BLOB_TAG, pieces_of_answer
from exporter.stores.base import (
    BLOBS_OPERATION,
    CONTAINERS_OPERATION,
    FoundBucket,
    Page,
)
from exporter.stores.errors import bad_response
from exporter.stores.parsing.document import Document
from exporter.stores.parsing.echoes import differs
from exporter.stores.parsing.fields import PageKind
from exporter.stores.parsing.pages import parse_answer, refuse_torn
from exporter.stores.parsing.required import BLOB_MARKS, prove_empty, prove_items
from exporter.stores.parsing.shape_learning import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.stores.base import Marker, PageRequest
    from exporter.stores.parsing.fields import PageFields
    from exporter.stores.transport.response import Response

MAX_MARKER_LENGTH = 16 * 1024
"""A longer marker is refused; those of the longest names have 4 KiB."""
MAX_BLOBS = 50_000
"""A page with more blobs is refused: ten times as many as Azure puts on one."""
ORDERED_NAMES = 10
"""Number of names in order that are taken as proof that a page which lacks a name has passed it."""
_OTHER_QUERY = "check any proxy or cache, which has to tell apart queries"
NO_TIER = "unknown"
"""The storage class of uploads without an access tier: of accounts that have none, and of the emulator."""
_AZURE = "Windows-Azure-Blob/"
"""With this Azure's own header Server begins; a proxy may have put another in its place."""
_BLOCK_BLOB = {"BlockBlob", ""}
_NO_LENGTH = {"0", ""}
_COLUMNS = (
    *("Name", "Snapshot", "VersionId", "IsCurrentVersion", "Deleted"),
    *("Properties/Etag", "Properties/Content-Length", "Properties/Content-Type"),
    *("Properties/BlobType", "Properties/ResourceType", "Properties/AccessTier"),
)
BLOB_SHAPES = Shapes(
    PageKind(
        BLOBS_OPERATION,
        "EnumerationResults",
        "Blob",
        ("@ContainerName", "Prefix", "Marker", "NextMarker"),
        _COLUMNS,
        BLOB_MARKS,
        "Blobs",
    )
)
"""The shapes of pages that this process has read, of all accounts."""


def read_page(request: PageRequest, response: Response) -> Page[Any]:
    """Return the requested page; see `read_blobs` and `read_blocks`."""
    return read_blocks(response) if request.upload else read_blobs(request, response)


def read_blobs(request: PageRequest, response: Response, shapes: Shapes = BLOB_SHAPES) -> Page[Upload]:
    """Return the uploads among the blobs in `response`, which has to answer `request`.

    An upload is a block blob that nothing of was ever committed: it has no Etag. The emulator gives it one,
    but neither Content-Type nor AccessTier. Where another server's empty blob lacks both as well, its block
    list tells. Raises StoreError (bad_response, unsupported).
    """
    pages = []
    for answer in pieces_of_answer(BLOBS_OPERATION, response, BLOB_TAG, MAX_BLOBS):
        document = read(answer, shapes)
        pages.append(_blobs_page(document, request, answer))
        learn(document, answer, shapes)
    if len(pages) == 1:
        return pages[0]
    uploads = list(chain.from_iterable(page.items for page in pages))
    names = list(chain.from_iterable(page.keys or () for page in pages))
    return pages[-1]._replace(items=uploads, keys=names)


def _blobs_page(document: PageFields, request: PageRequest, response: Response) -> Page[Upload]:
    names, *columns = (_column(document, BLOB_SHAPES.kind, name) for name in _COLUMNS)
    prove_items(BLOBS_OPERATION, names, garbled=document.is_repaired)
    if not names:
        prove_no_items(document, BLOBS_OPERATION)
    marker = _next_marker(document, BLOBS_OPERATION)
    _check_question(document, request)
    refuse_torn(document, BLOBS_OPERATION)
    if b" Encoded=" in response.body:
        names = _decoded(document, names)
    pairs = zip(names, columns[-1], strict=True)
    server = response.headers.get("server", "")
    found = compress(pairs, map(_may_be_upload, *columns, repeat(server.startswith(_AZURE))))
    uploads = [Upload(name, "", None, tier or NO_TIER) for name, tier in found]
    is_passed = request.by_name and marker and _has_passed(names)
    return Page(
        items=uploads,
        truncated=bool(marker and not is_passed),
        next_marker=marker,
        progressed=bool(names),
        server=server,
        keys=names,
    )


def read_containers(response: Response) -> Page[FoundBucket]:
    """Return the page of an account's containers. Raises StoreError (bad_response)."""
    document = parse_answer(response, "EnumerationResults", CONTAINERS_OPERATION)
    lists = document.children("Containers")
    names = [each.text("Name") for outer in lists for each in outer.children("Container")]
    prove_items(CONTAINERS_OPERATION, names, garbled=document.is_repaired)
    if not names:
        prove_empty(document, CONTAINERS_OPERATION)
    refuse_torn(document, CONTAINERS_OPERATION)
    marker = _next_marker(document, CONTAINERS_OPERATION)
    return Page(
        items=[FoundBucket(name) for name in names],
        truncated=marker is not None,
        next_marker=marker,
        progressed=bool(names),
    )


def _column(document: PageFields, kind: PageKind, name: str) -> list[str]:
    outer, _, inner = name.rpartition("/")
    if outer:
        return document.nested_column(kind.path, outer, inner)
    return document.columns(kind.path, name)[0]


def _may_be_upload(  # noqa: PLR0913, PLR0917 - columns of a page
    snapshot: str,
    version: str,
    is_current: str,
    deleted: str,
    etag: str,
    length: str,
    content_type: str,
    blob_type: str,
    resource_type: str,
    tier: str,
    is_azure: bool,  # noqa: FBT001 - the same for a whole page
) -> bool:
    """Whether a blob is an upload, or an empty one that only its block list tells from an upload."""
    return (
        not (etag and (content_type or tier or is_azure))
        and length in _NO_LENGTH
        and blob_type in _BLOCK_BLOB
        and not (snapshot or deleted == "true" or resource_type == "directory")
        and (not version or is_current == "true")
    )


def _next_marker(document: PageFields, operation: str) -> Marker | None:
    """Return where the listing goes on, None at its end. Raises StoreError where the page does not say."""
    if isinstance(document, Document) and "NextMarker" not in document.fields:  # each shape has one
        raise bad_response(operation, "the answer has no NextMarker, which ends a list", garbled=True)
    text = document.text("NextMarker")
    if len(text) > MAX_MARKER_LENGTH:
        what = (
            f"its NextMarker is longer than {MAX_MARKER_LENGTH:,} characters, and nothing could ask with it"
        )
        raise bad_response(operation, what)
    return (text,) if text else None


def _check_question(document: PageFields, request: PageRequest) -> None:
    """Raise StoreError where a page is the answer to another request."""
    container = document.text("@ContainerName").rstrip("/").rpartition("/")[2]
    if container and container != request.bucket.name:
        raise bad_response(BLOBS_OPERATION, "the answer names another container")
    (marker,) = request.marker or ("",)
    for name, asked in (("Prefix", request.bucket.prefix or ""), ("Marker", marker)):
        if differs(document.text(name), asked):
            what = f"the answer is to another request: its {name} is not the one that was asked for"
            raise bad_response(BLOBS_OPERATION, what, _OTHER_QUERY)


def _decoded(document: PageFields, names: list[str]) -> list[str]:
    """Return the names of a page of which some are percent-encoded, for characters that XML cannot hold."""
    if not isinstance(document, Document):
        return names
    encoded = document.attributes("Blobs/Blob", "Name", "Encoded")
    return [
        unquote(name, errors="surrogateescape") if flag == "true" else name
        for name, flag in zip(names, encoded, strict=True)
    ]


def _has_passed(names: Sequence[str]) -> bool:
    """Whether a page of names that begin with a key shows by their order that the key cannot follow."""
    return len(names) >= ORDERED_NAMES and list(names) == sorted(names)
