"""The signature of OBS, and Amazon's version 2, which differs from it in names only: of GETs without a body.

Sources: https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html
and https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import hmac
from binascii import b2a_base64
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha1
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.stores.obs.credentials import Keys
    from exporter.stores.transport.url import QueryArgument

SIGNED_ARGUMENTS = {"uploads", "uploadId", "lifecycle"}
"""Names of the arguments that are signed, of those that are sent here."""


@dataclass(frozen=True, slots=True, repr=False)  # a repr would show the keys
class _SigningContext:
    """The parts of a signature that are equal within a second for the same keys."""

    second: int
    keys: Keys
    signature: hmac.HMAC
    """The signature, fed with the text to sign up to the resource: to be copied."""
    authorization_start: str
    lines: tuple[str, ...]


class Version2Signer:
    """Signs requests that differ in resource and time only. Safe to use from many threads."""

    def __init__(self, scheme: str, prefix: str, *, asks_for_regions: bool = False) -> None:
        """`scheme` begins the Authorization header, `prefix` the names of the service's own headers.

        `asks_for_regions` has the list of buckets name the region of each.
        """
        self._scheme = scheme
        self._token_header = f"{prefix}security-token"
        self._headers = {f"{prefix}location": "true"} if asks_for_regions else {}
        self._context: _SigningContext | None = None  # replaced as a whole: another thread may be reading it

    def lines(self, keys: Keys, resource: str, now: float) -> list[str]:
        """Return the Authorization header and all that are signed, as lines; `now` is Unix seconds."""
        context, second = self._context, int(now)
        if context is None or context.second != second or context.keys != keys:
            context = self._context = self._new_context(keys, second)
        signature = context.signature.copy()
        signature.update(resource.encode())
        signed = b2a_base64(signature.digest(), newline=False).decode()
        return [f"{context.authorization_start}{signed}", *context.lines]

    def _new_context(self, keys: Keys, second: int) -> _SigningContext:
        date = formatdate(second, usegmt=True)
        token = {self._token_header: keys.token} if keys.token else {}
        headers = {**self._headers, **token}
        block = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        return _SigningContext(
            second,
            keys,
            signature=hmac.new(keys.secret.encode(), f"GET\n\n\n{date}\n{block}".encode(), sha1),
            authorization_start=f"Authorization: {self._scheme} {keys.access_key}:",
            lines=(f"Date: {date}", *(f"{name}: {value}" for name, value in headers.items())),
        )


def signed_resource(path: str, arguments: list[QueryArgument]) -> str:
    """Return what is signed of a URL: bucket and key as a path, and the arguments that count, not encoded."""
    counted = sorted(each for each in arguments if each[0] in SIGNED_ARGUMENTS)
    query = "&".join(name if value is None else f"{name}={value}" for name, value in counted)
    return f"{path}?{query}" if query else path
