"""Keys that OBS requests are signed with: from the config, the environment, or temporary ones.

Temporary keys come from IAM in exchange for a workload's token, or from the metadata service of a server that
has an agency. The SDK's own providers (loadtoken.py) are not used: they open connections past the target's
proxy, CA and deadline, and share keys between targets.
https://support.huaweicloud.com/usermanual-cce/cce_10_2188.html (workloads), the ECS guide's "Obtaining
Metadata" (servers).
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from exporter.model.errors import Reason, StoreError
from exporter.stores.errors import log_safe
from exporter.stores.secret_sources import CredentialSourceError, key_fault, read_token
from exporter.stores.temporary_keys import Issued, TemporaryKeys
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.credentials import Credentials, Secret
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.response import Response

METADATA_URL = "http://169.254.169.254"
"""Metadata service of a server; link-local, so never through a proxy."""
IAM_URL = "https://iam.myhuaweicloud.com"
_METADATA_TIMEOUT_SECONDS = 2.0
_LIFETIME_SECONDS = 3600
_KEY_VARIABLES = ("OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN")
_PROVIDER_VARIABLES = ("HUAWEICLOUD_SDK_IDP_ID", "HUAWEI_CLOUD_IDP_ID")  # the OBS SDK has names of its own
_TOKEN_FILE_VARIABLES = ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", "OIDC_TOKEN_FILE")
_ADVICE = (
    "put keys under credentials, or in OBS_ACCESS_KEY_ID and OBS_SECRET_ACCESS_KEY, "
    "or give the workload an identity or the server an agency"
)


class Keys(NamedTuple):
    """Access key, secret and security token that a request is signed with."""

    access_key: str
    secret: str
    token: str | None


class ObsCredentials:
    """The keys of one target as they are at the moment of a call. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - its sources
        self,
        credentials: Credentials,
        transport: Transport,
        *,
        metadata_url: str = METADATA_URL,
        iam_url: str = IAM_URL,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`environ` and `clock` (Unix seconds) are the process's own by default."""
        self._credentials = credentials
        self._transport = transport
        self._metadata_url = metadata_url
        self._iam_url = iam_url
        self._environ = environ
        self._clock = clock
        self._temporary = TemporaryKeys(self._fetch, clock)
        self.doubt = self._temporary.doubt
        """Has the next call fetch keys anew where these, which the store refused, are still in use."""

    def keys(self) -> Keys:
        """Return the keys; only within `Transport.call`. Raises StoreError (credentials), StoppingError."""
        keys = self._static_keys() or self._temporary.get()
        names = ("access key", "secret", "security token")
        for name, text in zip(names, keys, strict=True):
            if fault := key_fault(text or "", in_header=name != "secret"):
                raise StoreError(Reason.CREDENTIALS, f"the {name} {fault}; write it alone, nothing was sent")
        return keys

    def _static_keys(self) -> Keys | None:
        """Return the keys of the config or the environment, None where neither has any."""
        configured = self._credentials
        secrets = (configured.access_key_id, configured.secret_access_key, configured.session_token)
        try:
            texts = [
                _read(each) if any(secrets) else self._environ.get(name, "")
                for each, name in zip(secrets, _KEY_VARIABLES, strict=True)
            ]
        except (OSError, ValueError) as error:
            text = f"a secret's file: {type(error).__name__}: {error}"
            raise StoreError(Reason.CREDENTIALS, text) from error
        access_key, secret, token = (text.strip() for text in texts)
        if access_key and secret:
            return Keys(access_key, secret, token or None)
        if any(secrets) or access_key or secret:
            raise StoreError(Reason.CREDENTIALS, f"no access key or no secret: {_ADVICE}; nothing was sent")
        return None

    def _fetch(self) -> Issued[Keys]:
        provider, file = self._variable(_PROVIDER_VARIABLES), self._variable(_TOKEN_FILE_VARIABLES)
        return self._fetch_for_workload(provider, file) if provider and file else self._fetch_for_server()

    def _variable(self, names: tuple[str, ...]) -> str:
        return next((text for name in names if (text := self._environ.get(name, ""))), "")

    def _fetch_for_workload(self, provider: str, file: str) -> Issued[Keys]:
        """Exchange the workload's token for an IAM token, and that for keys."""
        try:
            id_token = read_token(file)
        except CredentialSourceError as error:
            text = f"{' or '.join(_TOKEN_FILE_VARIABLES)}: {error}"
            raise StoreError(Reason.CREDENTIALS, text) from None
        url = self._environ.get("HUAWEICLOUD_SDK_IAM_ENDPOINT") or self._iam_url
        auth: dict[str, object] = {"id_token": {"id": id_token}, **self._scope()}
        path = "/v3.0/OS-AUTH/id-token/tokens"
        response = self._post("CreateTokenWithIdToken", url + path, auth, {"X-Idp-Id": provider})
        token = response.headers.get("x-subject-token", "")
        if not token:
            raise _error("CreateTokenWithIdToken", "the answer has no X-Subject-Token")
        token_request = {"id": token, "duration_seconds": _LIFETIME_SECONDS}
        identity = {"identity": {"methods": ["token"], "token": token_request}}
        operation = "CreateTemporaryAccessKeyByToken"
        return self._read(
            operation, self._post(operation, f"{url}/v3.0/OS-CREDENTIAL/securitytokens", identity)
        )

    def _scope(self) -> dict[str, object]:
        for name, scope in (
            ("HUAWEICLOUD_SDK_DOMAIN_ID", "domain"),
            ("HUAWEICLOUD_SDK_PROJECT_ID", "project"),
        ):
            if value := self._environ.get(name):
                return {"scope": {scope: {"id": value}}}
        return {}

    def _fetch_for_server(self) -> Issued[Keys]:
        """Ask the metadata service, with a session token where it issues them."""
        put = {"X-Metadata-Token-Ttl-Seconds": str(_LIFETIME_SECONDS)}
        token_response = self._metadata("PUT", "/meta-data/latest/api/token", put)
        token = (
            token_response.body.decode("latin-1").strip() if token_response.status == HTTPStatus.OK else ""
        )
        headers = {"X-Metadata-Token": token} if token.isascii() and token.isprintable() and token else {}
        operation = "GetSecurityKey"
        response = self._metadata("GET", "/openstack/latest/securitykey", headers)
        if response.status != HTTPStatus.OK:
            raise _error(operation, f"HTTP {response.status}: has the server an agency?")
        return self._read(operation, response)

    def _metadata(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        request = Request(
            "GetSecurityKey",
            method,
            self._metadata_url + path,
            tuple(headers.items()),
            timeout=_METADATA_TIMEOUT_SECONDS,
            no_proxy=True,
        )
        try:
            return self._transport.send(request)
        except StoreError as error:
            text = f"no keys, and the metadata service does not answer ({error}): {_ADVICE}"
            raise StoreError(Reason.CREDENTIALS, text) from error

    def _post(
        self, operation: str, url: str, auth: object, headers: Mapping[str, str] | None = None
    ) -> Response:
        body = json.dumps({"auth": auth}).encode()
        lines = (("Content-Type", "application/json"), *(headers or {}).items())
        response = self._transport.send(Request(operation, "POST", url, lines, body))
        if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            error = _error(operation, f"HTTP {response.status}: check identity provider, mapping and project")
            error.retryable = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise error
        return response

    def _read(self, operation: str, response: Response) -> Issued[Keys]:
        """Return the keys in a response. Raises StoreError."""
        try:
            credential = json.loads(response.body)["credential"]
            keys = Keys(*(credential[name] for name in ("access", "secret", "securitytoken")))
            expires_at = datetime.fromisoformat(credential["expires_at"]).timestamp()
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _error(operation, "the answer holds no keys") from None
        if not all(isinstance(text, str) and text for text in keys):
            raise _error(operation, "the answer holds no keys")
        if expires_at <= self._clock():
            raise _error(operation, "the keys have ended already: check the clocks")
        return Issued(keys, expires_at)


def _error(operation: str, what: str) -> StoreError:
    return StoreError(Reason.CREDENTIALS, f"{operation}: {log_safe(what)}")


def _read(secret: Secret | None) -> str:
    return secret.read() if secret else ""
