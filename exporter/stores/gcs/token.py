"""An access token of Google's, and the error of a call for which there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.model.errors import Reason, StoreError
from exporter.stores.secret_sources import key_fault

TOKEN_OPERATION = "GetAccessToken"  # noqa: S105 - a call's name
"""What requests for tokens are counted under, unless their API has a name of its own for them."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, as the Authorization header has it after `Bearer`."""

    text: str = field(repr=False)


def checked(text: object, source: str) -> Token:
    """Return the token of this text. Raises StoreError (credentials) where no header can carry it."""
    if not isinstance(text, str) or not text:
        raise no_token(f"{source} answered without a token")
    if fault := key_fault(text):
        raise no_token(f"the token of {source} {fault}; nothing was sent with it")
    return Token(text)


def no_token(what: str, *, retryable: bool = False) -> StoreError:
    """Return the error of a call for which there is no token."""
    return StoreError(Reason.CREDENTIALS, f"{TOKEN_OPERATION}: {what}", retryable=retryable)
