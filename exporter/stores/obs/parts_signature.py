"""The first question for an upload's parts, which is most requests, signed without the SDK in the way.

It is right because it is what the SDK sends and signs for the same call, byte for byte: tests compare them.
Source: https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from exporter.stores.transport.url import percent_encoded

if TYPE_CHECKING:
    from exporter.stores.obs.credentials import Keys


@dataclass(frozen=True, slots=True)
class SignedBucket:
    """What all questions about one bucket's uploads have in common.

    `origin` is the URL up to the slash before the key, `scheme` what the Authorization header begins with.
    """

    name: str
    origin: str
    host: str
    scheme: str
    token_header: str
    user_agent: str


@dataclass(frozen=True, slots=True, repr=False)  # a repr would show the keys
class _SigningContext:
    """The parts of a signature that are equal within a second for the same keys."""

    second: int
    keys: Keys
    signature: hmac.HMAC
    """The signature, fed with the text to sign up to the slash before the key: to be copied."""
    authorization_start: str
    lines: tuple[str, ...]


class PartsSigner:
    """Signs GETs of a bucket's keys with an upload id alone, as `obs` and `v2`. For one thread."""

    def __init__(self, bucket: SignedBucket) -> None:
        """Make the signer of one bucket."""
        self._bucket = bucket
        self._context: _SigningContext | None = None

    def sign(self, key: str, upload_id: str, keys: Keys, now: float) -> tuple[str, list[str]]:
        """Return URL and header lines; `now` is the server's time in Unix seconds.

        Raises UnicodeEncodeError for texts with lone surrogates.
        """
        context, second = self._context, int(now)
        if context is None or context.second != second or context.keys != keys:
            context = self._context = self._new_context(keys, second)
        path = f"/{percent_encoded(key, safe='/')}"
        signature = context.signature.copy()
        signature.update(f"{path}?uploadId={upload_id}".encode())
        url = f"{self._bucket.origin}{path}?uploadId={percent_encoded(upload_id)}"
        return url, [f"{context.authorization_start}{b64encode(signature.digest()).decode()}", *context.lines]

    def _new_context(self, keys: Keys, second: int) -> _SigningContext:
        bucket, date = self._bucket, formatdate(second, usegmt=True)
        token = f"{bucket.token_header}:{keys.token}\n" if keys.token else ""
        text_start = f"GET\n\n\n{date}\n{token}/{bucket.name}"
        lines = [f"Host: {bucket.host}", f"Date: {date}", f"User-Agent: {bucket.user_agent}"]
        if keys.token:
            lines.append(f"{bucket.token_header}: {keys.token}")
        return _SigningContext(
            second,
            keys,
            hmac.new(keys.secret.encode(), text_start.encode(), "sha1"),
            authorization_start=f"Authorization: {bucket.scheme} {keys.access_key}:",
            lines=tuple(lines),
        )
