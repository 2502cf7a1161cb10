"""One bucket of Google Cloud Storage over the wire engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.stores.engine.wire import page_arguments
from exporter.stores.parsing.pages import error_fields, read_page

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings
    from exporter.model.errors import StoreError
    from exporter.stores.base import Page, PageRequest
    from exporter.stores.engine.wire import WireCall
    from exporter.stores.gcs.route import GcsRoute
    from exporter.stores.transport.response import Response


class GcsBucket:
    """One bucket's `WireBucket`."""

    def __init__(self, bucket: BucketSettings, route: GcsRoute, page_size: int | None) -> None:
        """`page_size` is the number of items per page, None: the server's own."""
        self._bucket = bucket
        self._route = route
        self._page_size = page_size

    def sign(self, call: WireCall[Any], keys: Any, now: float) -> tuple[str, list[str]]:  # noqa: ANN401
        """Return URL and header lines. Raises UnicodeError."""
        upload = call.request.upload
        arguments = page_arguments(call.request, self._page_size)
        return self._route.request(keys, upload.key if upload else "", arguments, now)

    def read_page(self, request: PageRequest, response: Response, now: float) -> Page[Any]:
        """Return the page in a response. Raises StoreError."""
        return read_page(request, response, self._bucket.name, now)

    def read_error(self, response: Response) -> tuple[str, str]:
        """Return code and message of a refusal."""
        return read_error(response)

    def recover(self, _call: WireCall[Any], _response: Response, _error: StoreError) -> bool:
        """Give up: a bucket is asked at one URL only, and in one way."""
        return False


def read_error(response: Response) -> tuple[str, str]:
    """Return code and message of a refusal: the details say who lacks which permission on what."""
    fields = error_fields(response.body)
    texts = (fields.get(name, "").strip() for name in ("Message", "Details"))
    return fields.get("Code", "").strip(), " ".join(filter(None, texts))
