"""Azure Blob Storage over the wire engine."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter.model.errors import NotAnUploadError, Reason, StoreError
from exporter.stores.azure.large_answers import BLOB_TAG, BLOCK_TAG
from exporter.stores.azure.pages import ORDERED_NAMES, read_page
from exporter.stores.azure.refusals import read_refusal
from exporter.stores.base import BLOBS_OPERATION
from exporter.stores.engine.wire import ItemTags
from exporter.stores.errors import gone_error
from exporter.stores.transport.url import percent_encoded

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings
    from exporter.stores.azure.account import AzureAccount
    from exporter.stores.azure.signing import AzureKeys
    from exporter.stores.base import Page, PageRequest
    from exporter.stores.engine.wire import WireCall
    from exporter.stores.transport.response import Response

_BLOCKS = [("comp", "blocklist"), ("blocklisttype", "all")]
_GONE = (HTTPStatus.NOT_FOUND, "BlobNotFound")
_ANOTHER_KIND = (HTTPStatus.CONFLICT, "InvalidBlobType")
_BLOBS = [("restype", "container"), ("comp", "list"), ("include", "uncommittedblobs")]

ITEM_TAGS = ItemTags(BLOB_TAG, BLOCK_TAG)


class Container:
    """One container's `WireBucket`."""

    def __init__(self, bucket: BucketSettings, account: AzureAccount, page_size: int | None) -> None:
        """`page_size` is the number of blobs per page, None: the server's own, 5000."""
        self._path = f"/{percent_encoded(bucket.name)}"
        self._account = account
        self._page_size = page_size

    def sign(self, call: WireCall[AzureKeys], keys: AzureKeys, now: float) -> tuple[str, list[str]]:
        """Return URL and header lines. Raises UnicodeError and StoreError."""
        upload = call.request.upload
        if upload:
            return keys.sign(self._account, f"{self._path}/{percent_encoded(upload.key, '/')}", _BLOCKS, now)
        return keys.sign(self._account, self._path, list_arguments(call.request, self._page_size), now)

    def read_page(self, request: PageRequest, response: Response, _now: float) -> Page[Any]:
        """Return the page in a response. Raises StoreError, NotAnUploadError of a blob that is none."""
        return read_page(request, response)

    def read_error(self, response: Response) -> tuple[str, str]:
        """Return code and message of a refusal."""
        return read_refusal(response)

    def recover(self, call: WireCall[AzureKeys], _response: Response, error: StoreError) -> bool:
        """Give up: there is no other way to ask.

        Raises GoneError and NotAnUploadError where the refusal says so of the blob.
        """
        asked = (error.status, error.code) if call.request.upload else None
        if asked == _GONE:
            raise gone_error(call.operation, error)
        if asked == _ANOTHER_KIND:
            raise NotAnUploadError(call.operation)
        return False


def list_arguments(request: PageRequest, page_size: int | None) -> list[tuple[str, str]]:
    """Return the query of a page of blobs; what is empty is left out.

    A question by name is for the first blob of its prefix: a few more show that there is an order. Raises
    StoreError (unsupported) where the page is to begin after a key.
    """
    marker = request.marker[0] if request.marker else ""
    if request.marker and len(request.marker) > 1:
        what = f"{BLOBS_OPERATION}: a listing goes on after markers of its own, not after any key"
        raise StoreError(Reason.UNSUPPORTED, what)
    size = ORDERED_NAMES if request.by_name else page_size
    options = [
        ("prefix", request.bucket.prefix or ""),
        ("marker", marker),
        ("maxresults", str(size) if size else ""),
    ]
    return [*_BLOBS, *(option for option in options if option[1])]
