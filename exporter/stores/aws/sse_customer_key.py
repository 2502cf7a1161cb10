"""The customer key (SSE-C) of encrypted uploads, which ListParts has to send.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
"""

from __future__ import annotations

import base64
import binascii
from hashlib import md5
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.model.errors import Reason, StoreError
from exporter.stores.base import PARTS_OPERATION
from exporter.text.file_limit import because

if TYPE_CHECKING:
    from exporter.config.credentials import Secret

HEADER = "x-amz-server-side-encryption-customer-key"
ALGORITHM = "AES256"
_KEY_BYTES = 32
_NOT_NEEDED = {"InvalidRequest", "InvalidArgument"}


class CustomerKey:
    """A target's key, read again when its file has changed; only `fields` and `headers` return it."""

    def __init__(self, secret: Secret | None) -> None:
        """`secret` is the key in base64, None: there is none."""
        self._secret = secret

    def fields(self) -> tuple[str, str] | None:
        """Return the key and its MD5, both in base64; None without a key. Raises StoreError (credentials)."""
        if self._secret is None:
            return None
        try:
            key = base64.b64decode(self._secret.read().strip(), validate=True)
        except OSError as error:
            raise _error(f"cannot be read ({because(error)})") from None
        except (binascii.Error, ValueError):
            raise _error("is not base64") from None
        if len(key) != _KEY_BYTES:
            raise _error(f"is not the base64 of {_KEY_BYTES} bytes")
        digest = md5(key, usedforsecurity=False).digest()
        return base64.b64encode(key).decode(), base64.b64encode(digest).decode()

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that carry the key, none without one. Raises StoreError (credentials)."""
        fields = self.fields()
        if fields is None:
            return ()
        return (
            ("x-amz-server-side-encryption-customer-algorithm", ALGORITHM),
            (HEADER, fields[0]),
            (f"{HEADER}-md5", fields[1]),
        )


def is_key_not_needed(error: StoreError) -> bool:
    """Whether a refusal may mean that this upload is not encrypted with a customer key."""
    return error.status == HTTPStatus.BAD_REQUEST and error.code in _NOT_NEEDED


def _error(how: str) -> StoreError:
    return StoreError(Reason.CREDENTIALS, f"{PARTS_OPERATION}: sse_customer_key_file {how}; nothing was sent")
