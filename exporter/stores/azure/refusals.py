"""What Azure Blob Storage says of a refusal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.stores.parsing.pages import error_fields

if TYPE_CHECKING:
    from exporter.stores.transport.response import Response

_SIGNED = re.compile(r"['\"]|string to sign", re.IGNORECASE)
"""What a signature, or the text that was signed, comes after."""
_REQUEST = re.compile(r"\s*RequestId:.*", re.DOTALL)


def read_refusal(response: Response) -> tuple[str, str]:
    """Return code and message of a refusal, with the details of an authentication that failed.

    A detail ends where it would quote what was signed. Without a body the code is in a header.
    """
    fields = error_fields(response.body)
    code = fields.get("Code", "").strip() or response.headers.get("x-ms-error-code", "").strip()
    detail = _SIGNED.split(fields.get("AuthenticationErrorDetail", ""), maxsplit=1)[0]
    message = _REQUEST.sub("", fields.get("Message", ""))
    return code, " ".join(filter(None, (message.strip(), detail.strip(" :"))))
