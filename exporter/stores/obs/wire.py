"""One OBS bucket over the wire engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.stores.engine.wire import page_arguments
from exporter.stores.obs.signature import ObsRequest
from exporter.stores.parsing.pages import read_error as read_error_document
from exporter.stores.parsing.pages import read_page

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings
    from exporter.model.errors import StoreError
    from exporter.stores.base import Page, PageRequest
    from exporter.stores.engine.wire import WireCall
    from exporter.stores.obs.credentials import Keys
    from exporter.stores.obs.signature import ObsSigner
    from exporter.stores.transport.response import Response


class ObsBucket:
    """One bucket's `WireBucket`."""

    def __init__(self, bucket: BucketSettings, signer: ObsSigner, page_size: int | None) -> None:
        """`page_size` is the number of items per page, None: the server's own."""
        self._bucket = bucket
        self._signer = signer
        self._page_size = page_size
        self._parts_signer = None if page_size else signer.parts_signer(bucket.name)

    def sign(self, call: WireCall[Keys], keys: Keys, now: float) -> tuple[str, list[str]]:
        """Return URL and header lines. Raises UnicodeError and StoreError."""
        upload = call.request.upload
        if upload and self._parts_signer and not call.request.marker:
            return self._parts_signer.sign(upload.key, upload.upload_id, keys, now)
        arguments = page_arguments(call.request, self._page_size)
        key = upload.key if upload else ""
        signed = self._signer.sign(ObsRequest(call.operation, self._bucket.name, key, arguments), keys, now)
        return signed.url, signed.header_lines()

    def read_page(self, request: PageRequest, response: Response, now: float) -> Page[Any]:
        """Return the page in a response. Raises StoreError."""
        return read_page(request, response, self._bucket.name, now)

    def read_error(self, response: Response) -> tuple[str, str]:
        """Return code and message of a refusal."""
        return read_error(response)

    def recover(self, _call: WireCall[Keys], _response: Response, _error: StoreError) -> bool:
        """Give up: OBS is asked at one URL only."""
        return False


def read_error(response: Response) -> tuple[str, str]:
    """Return code and message of a refusal: from the headers, where its body has none."""
    code, message = read_error_document(response.body)
    if code:
        return code, message
    headers = response.headers
    return headers.get("x-obs-error-code", ""), headers.get("x-obs-error-message", "")
