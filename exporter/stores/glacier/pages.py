"""Pages and errors of Glacier: JSON in, proven pages out. Whatever is no such page is a bad_response.

API: https://docs.aws.amazon.com/amazonglacier/latest/dev/api-multipart-list-uploads.html,
api-multipart-list-parts.html and api-error-responses.html.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from exporter.model.errors import Reason, StoreError
from exporter.model.uploads import MAX_NUMBER, Part, Upload
from exporter.stores import timestamps
from exporter.stores.base import (
    PARTS_OPERATION,
    UPLOADS_OPERATION,
    VAULT_TAGS_OPERATION,
    VAULTS_OPERATION,
    FoundBucket,
    Marker,
    Page,
)
from exporter.stores.bodies import is_empty
from exporter.stores.errors import bad_response, describe_body, error_in_success
from exporter.stores.parsing.required import REQUIRED_JSON

if TYPE_CHECKING:
    from exporter.stores.transport.response import Response

STORAGE_CLASS = "GLACIER"
MAX_JSON_BYTES = 2 * 1024 * 1024
"""A larger page is refused: read, empty objects take thirty times their size. The longest has half of it."""

_NO_MARKER = {"", "null"}
_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_ARN = re.compile(r"\barn:\S*")


def read_uploads(answer: Response, vault: str, now: float) -> Page[Upload]:
    """Return the page of uploads in `answer`, which have to be of `vault` where they name one.

    `now` is our clock, used where the answer does not carry the store's. Raises StoreError (bad_response).
    """
    page, listed = _prove_list(answer, UPLOADS_OPERATION)
    store_now = answer.server_time(default=now)
    uploads = []
    for fields in listed:
        _prove_vault(fields, vault, UPLOADS_OPERATION)
        uploads.append(_upload(fields, store_now))
    marker = _marker(page, UPLOADS_OPERATION)
    return Page(items=uploads, truncated=marker is not None, next_marker=marker)


def read_parts(answer: Response, vault: str, upload_id: str) -> Page[Part]:
    """Return the page of parts in `answer`, which has to be of the upload asked for where it names one.

    Raises StoreError (bad_response).
    """
    page, listed = _prove_list(answer, PARTS_OPERATION)
    _prove_vault(page, vault, PARTS_OPERATION)
    if _text(page, "MultipartUploadId") not in ("", upload_id):
        raise bad_response(PARTS_OPERATION, "the answer names another upload")
    parts = [_part(_text(fields, "RangeInBytes")) for fields in listed]
    marker = _marker(page, PARTS_OPERATION)
    return Page(items=parts, truncated=marker is not None, next_marker=marker)


def read_vaults(answer: Response) -> Page[FoundBucket]:
    """Return the page of vaults in `answer`. Raises StoreError (bad_response)."""
    page, listed = _prove_list(answer, VAULTS_OPERATION)
    found = [FoundBucket(_text(fields, "VaultName")) for fields in listed]
    marker = _marker(page, VAULTS_OPERATION)
    return Page(items=found, truncated=marker is not None, next_marker=marker)


def read_tags(answer: Response) -> dict[str, str]:
    """Return the tags in `answer`: values by keys. Raises StoreError (bad_response)."""
    page = _prove(answer, VAULT_TAGS_OPERATION)
    return page[REQUIRED_JSON[VAULT_TAGS_OPERATION].name]  # type: ignore[no-any-return]  # as proven


def read_error(answer: Response) -> tuple[str, str]:
    """Return the code and message of a refusal; '' for what it does not say.

    The code is in a header, in the body, or in both; it may carry a namespace before and a link after it.
    """
    try:
        body = _document(answer.body)
    except (ValueError, RecursionError):
        body = None
    said = body if isinstance(body, dict) else {}
    code = answer.headers.get("x-amzn-errortype", "") or _text(said, "code") or _text(said, "__type")
    message = _text(said, "message") or _text(said, "Message")
    return code.partition(":")[0].rpartition("#")[2].strip(), message


def is_gone(error: StoreError) -> bool:
    """Whether an error of ListParts says that the upload has ended, and not that there is no such vault.

    Both are ResourceNotFoundException: "The upload ID was not found: …", "Vault not found for ARN: …".
    """
    if error.status != HTTPStatus.NOT_FOUND or error.reason is not Reason.NOT_FOUND:
        return False
    said = _ARN.sub("", str(error)).lower()  # a vault may be called anything
    return "upload" in said or "vault" not in said


def _prove_list(answer: Response, operation: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the answer's object and its list; whatever else it is, or lacks, is refused."""
    page = _prove(answer, operation)
    required = REQUIRED_JSON[operation]
    for fields in page[required.name]:
        for name in required.of_item:
            if not _text(fields, name).strip():
                raise bad_response(operation, f"an item without {name}")
    return page, page[required.name]


def _prove(answer: Response, operation: str) -> dict[str, Any]:
    """Return the answer's object, which has what it needs, and is no error in which nothing is listed."""
    try:
        page = _document(answer.body)
    except (ValueError, RecursionError):
        what = f"the answer is not the JSON of a store ({describe_body(answer)})"
        raise bad_response(operation, what, garbled=_may_be_garbled(answer)) from None
    if not isinstance(page, dict):
        raise bad_response(operation, f"the answer is not an object ({describe_body(answer)})")
    required = REQUIRED_JSON[operation]
    if not page.get(required.name) and _text(page, "code"):
        raise error_in_success(operation, *read_error(answer))
    if not required.is_in(page):
        raise bad_response(operation, f"the answer has no {required.what} ({describe_body(answer)})")
    return page


def _may_be_garbled(answer: Response) -> bool:
    """Whether a fault on the way may have damaged what a store sent: an object, or what is empty now."""
    return is_empty(answer) or answer.body.lstrip().startswith(b"{")


def _prove_vault(fields: dict[str, Any], vault: str, operation: str) -> None:
    _, named, name = _text(fields, "VaultARN").partition("vaults/")
    if named and name != vault:
        raise bad_response(operation, "the answer names another vault")


def _document(body: bytes) -> object:
    """Return what JSON in UTF-8 says. Raises ValueError, and RecursionError where it is too deep."""
    if len(body) > MAX_JSON_BYTES:
        raise ValueError("larger than any page")
    return _DECODER.decode(body.decode("utf-8"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse)


def _text(fields: dict[str, Any], name: str) -> str:
    """Return a field's text; '' where it is missing, null or no text."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _marker(page: dict[str, Any], operation: str) -> Marker | None:
    """Return where the listing goes on; None at its end, which is null, empty or the text `null`."""
    marker = page.get("Marker")
    if marker is not None and not (isinstance(marker, str) and _has_utf_8(marker)):
        raise bad_response(operation, "Marker is no text")
    return None if marker is None or marker.strip() in _NO_MARKER else (marker,)


def _has_utf_8(text: str) -> bool:
    """Whether a text can be sent: JSON can name half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _upload(fields: dict[str, Any], store_now: float) -> Upload:
    upload_id = _text(fields, "MultipartUploadId").strip()
    initiated = timestamps.parse_past(_text(fields, "CreationDate"), store_now)
    return Upload(_text(fields, "ArchiveDescription"), upload_id, initiated, STORAGE_CLASS)


def _part(covered: str) -> Part:
    """Return the part that covers `first-last`, both counted.

    It is of unknown place and size where these cannot be read, or end where no archive can.
    """
    match = _RANGE.fullmatch(covered.strip())
    first, last = (int(match[1]), int(match[2])) if match else (0, -1)
    return Part(first, last - first + 1) if first <= last < MAX_NUMBER else Part(None, None)
