"""google-auth: tokens for what a credentials file holds, of each of its types.

Only its classes of credentials are used, each loaded by its own function as Google advises. Its search for
credentials is not: that opens connections of its own, and warns through Python's global state.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.auth.exceptions import GoogleAuthError

from exporter.model.errors import StoppingError, StoreError
from exporter.stores.errors import log_safe
from exporter.stores.gcs.token import checked, no_token
from exporter.stores.gcs.token_requests import TokenRequests
from exporter.stores.temporary_keys import Issued

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.settings import TargetSettings
    from exporter.stores.gcs.token import Token
    from exporter.stores.transport.client import Transport

    Info = Mapping[str, Any]

SCOPES = ("https://www.googleapis.com/auth/devstorage.read_only",)
"""The least that lists buckets and uploads; a user's login has the scopes that the user agreed to."""
_AWS_TOKEN_TYPE = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - a type's name
_IMPERSONATION = "grant roles/iam.serviceAccountTokenCreator on the service account to who takes its role"
_WITH_KEY = "service_account"
_REQUIRED = {
    _WITH_KEY: ("client_email", "private_key", "token_uri"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}
_DAMAGED_KEY = "its private_key cannot be read"
_ADVICE = "check the file and what it names, and the clock"


class GoogleIdentity:
    """Who a credentials file says the exporter is. For one thread at a time."""

    def __init__(self, info: Info, name: str, target: TargetSettings, transport: Transport) -> None:
        """Take a file's content; `name` is what errors call the file. Raises StoreError (credentials)."""
        self._name = name
        self._requests = TokenRequests(target, transport)
        kind = info.get("type")
        load = _LOADERS.get(kind) if isinstance(kind, str) else None
        if load is None:
            known = ", ".join(_LOADERS)
            raise no_token(f"{name} has none of the types {known}: it has {log_safe(repr(kind))}")
        if lacking := [field for field in _REQUIRED.get(str(kind), ()) if not info.get(field)]:
            raise no_token(f"{name} cannot be used: it lacks {' and '.join(lacking)}; {_ADVICE}")
        try:
            self._credentials = load(info)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file
            cause = _DAMAGED_KEY if kind == _WITH_KEY and isinstance(error, ValueError) else _cause(error)
            raise no_token(f"{name} cannot be used: {cause}; {_ADVICE}") from None

    def fetch(self, deadline: float) -> Issued[Token]:
        """Return a new token. Raises StoreError (credentials) and StoppingError."""
        self._requests.deadline = deadline
        try:
            self._credentials.refresh(self._requests)
        except (StoreError, StoppingError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever an answer makes of it
            raise self._refused(error) from None
        token = checked(self._credentials.token, self._name)
        expiry = self._credentials.expiry
        return Issued(token, expiry.replace(tzinfo=UTC).timestamp() if expiry else math.inf)

    def _refused(self, error: Exception) -> StoreError:
        cause = _cause(error)
        advice = _IMPERSONATION if "iam.serviceAccounts.getAccessToken" in cause else _ADVICE
        retryable = bool(getattr(error, "retryable", False))
        return no_token(f"no token for {self._name}: {cause}; {advice}", retryable=retryable)


@dataclass(frozen=True, slots=True)
class _Loader:
    """What makes credentials of a file's content: a function of the class `Credentials` of a module."""

    module: str
    function: str = "from_info"
    takes_scopes: bool = True

    def __call__(self, info: Info) -> Any:  # noqa: ANN401 - these classes have no common type
        scopes = {"scopes": SCOPES} if self.takes_scopes else {}
        return getattr(import_module(self.module).Credentials, self.function)(info, **scopes)


def _external_account(info: Info) -> Any:  # noqa: ANN401
    """Return an identity of another cloud, a cluster or a company, by where its token comes from."""
    source = info.get("credential_source")
    if info.get("subject_token_type") == _AWS_TOKEN_TYPE:
        return _Loader("google.auth.aws")(info)
    runs = isinstance(source, dict) and source.get("executable") is not None
    return _Loader("google.auth.pluggable" if runs else "google.auth.identity_pool")(info)


_LOADERS: dict[str, Callable[[Info], Any]] = {
    "service_account": _Loader("google.oauth2.service_account", "from_service_account_info"),
    "authorized_user": _Loader("google.oauth2.credentials", "from_authorized_user_info", takes_scopes=False),
    "external_account": _external_account,
    "external_account_authorized_user": _Loader(
        "google.auth.external_account_authorized_user", takes_scopes=False
    ),
    "impersonated_service_account": _Loader(
        "google.auth.impersonated_credentials", "from_impersonated_service_account_info"
    ),
}


def _cause(error: Exception) -> str:
    """Return what went wrong; of texts that could hold a secret only the class of the error."""
    kind = type(error).__name__
    if not isinstance(error, GoogleAuthError):
        return f"{kind} (its text may hold a secret)"
    texts = [text for text in error.args[:2] if isinstance(text, str)]
    said = [text for text in (log_safe(_message(text)) for text in texts) if text]
    return f"{kind}: {': '.join(said)}" if said else kind


def _message(text: str) -> str:
    """Return the message in an answer of Google's APIs, any other text as it is."""
    try:
        message = json.loads(text)["error"]["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return text
    return message if isinstance(message, str) else ""
