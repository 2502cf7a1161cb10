"""A container's metadata, which stands for a bucket's tags: a response in, names and values out.

https://learn.microsoft.com/rest/api/storageservices/get-container-metadata
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stores.base import METADATA_OPERATION
from exporter.stores.bodies import is_empty
from exporter.stores.errors import bad_response, describe_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.stores.transport.response import Response

_PREFIX = "x-ms-meta-"
_PROOF = "x-ms-request-id"
"""A header of every answer of Azure's, and of the emulator's."""


def read_metadata(response: Response, names: Iterable[str]) -> dict[str, str]:
    """Return all metadata by small letters, and by those of `names` that are the same but for capitals.

    Raises StoreError (bad_response).
    """
    if not is_empty(response) or _PROOF not in response.headers:
        what = (
            f"the answer is not one of Azure's, which have no body but {_PROOF} ({describe_body(response)})"
        )
        raise bad_response(METADATA_OPERATION, what)
    found = {
        name.removeprefix(_PREFIX): value
        for name, value in response.headers.items()
        if name.startswith(_PREFIX)
    }
    return found | {name: found[name.lower()] for name in names if name.lower() in found}
