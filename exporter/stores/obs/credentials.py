"""Whom a target's OBS requests are signed as: keys of the config, the environment, a workload or a server.

Temporary keys come from IAM, in exchange for a workload's token, or from the metadata service of a server
with an agency. https://support.huaweicloud.com/usermanual-cce/cce_10_2188.html (workloads), the ECS guide's
"Obtaining Metadata" (servers).
"""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from exporter.model.errors import Reason, StoreError
from exporter.stores.errors import log_safe
from exporter.stores.transport.client import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config.credentials import Credentials, Secret
    from exporter.stores.transport.client import Transport
    from exporter.stores.transport.response import Response

METADATA_URL = "http://169.254.169.254"
"""Where a server asks about itself; link-local, so never through a proxy."""
IAM_URL = "https://iam.myhuaweicloud.com"
RENEW_SECONDS = 300.0
"""So long before their end temporary keys are renewed; a renewal that fails leaves them in use."""
PAUSE_SECONDS = 10.0
"""So long nobody is asked again: while keys hold, and after a failure unless another try may help."""
_METADATA_SECONDS = 2.0
_SESSION_SECONDS = 3600
_KEYS = ("OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN")
_PROVIDERS = ("HUAWEICLOUD_SDK_IDP_ID", "HUAWEI_CLOUD_IDP_ID")  # the OBS SDK has names of its own
_TOKEN_FILES = ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", "OIDC_TOKEN_FILE")
_ADVICE = (
    "put keys under credentials, or in OBS_ACCESS_KEY_ID and OBS_SECRET_ACCESS_KEY, "
    "or give the workload an identity or the server an agency"
)


class Keys(NamedTuple):
    """What requests are signed with."""

    access_key: str
    secret: str
    token: str | None


class _Temporary(NamedTuple):
    """Keys that end; Unix seconds."""

    keys: Keys
    ends: float


class ObsCredentials:
    """Gives the keys of one target as they are at that moment. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - where it looks, and whom it asks
        self,
        credentials: Credentials,
        transport: Transport,
        *,
        metadata_url: str = METADATA_URL,
        iam_url: str = IAM_URL,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make it; whom it asks decides each time what the config and the environment hold."""
        self._credentials = credentials
        self._transport = transport
        self._metadata_url = metadata_url
        self._iam_url = iam_url
        self._environ = environ
        self._clock = clock
        self._lock = threading.Lock()
        self._temporary: _Temporary | None = None
        self._failure: StoreError | None = None
        self._asked = 0.0

    def keys(self) -> Keys:
        """Return the keys; within a call of the transport. Raises StoreError (credentials), StoppingError."""
        keys = self._given() or self._renewed()
        if not all(text.isascii() and text.isprintable() for text in (keys.access_key, keys.token or "")):
            text = "access key or token hold characters that no header can carry"
            raise StoreError(Reason.CREDENTIALS, text)
        return keys

    def _given(self) -> Keys | None:
        """Return the keys of the config or the environment, None where neither has any."""
        own = self._credentials
        secrets = (own.access_key_id, own.secret_access_key, own.session_token)
        try:
            texts = [
                _read(each) if any(secrets) else self._environ.get(name, "")
                for each, name in zip(secrets, _KEYS, strict=True)
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

    def _renewed(self) -> Keys:
        """Return temporary keys; while some hold, only the thread that renews them waits for it."""
        held = self._held(self._clock())
        if not self._lock.acquire(blocking=held is None):
            return cast("Keys", held)
        try:
            now = self._clock()
            if self._is_due(now):
                self._renew(now)
            if keys := self._held(now):
                return keys
            raise self._failure or StoreError(Reason.CREDENTIALS, _ADVICE)
        finally:
            self._lock.release()

    def _held(self, now: float) -> Keys | None:
        known = self._temporary
        return known.keys if known and now < known.ends else None

    def _is_due(self, now: float) -> bool:
        """Whether keys end soon, or have ended, and it may help to ask for new ones now."""
        known, failure = self._temporary, self._failure
        if known and now < known.ends - RENEW_SECONDS:
            return False
        waits = self._held(now) or (failure and not failure.retryable)
        return not (waits and 0 <= now - self._asked < PAUSE_SECONDS)

    def _renew(self, now: float) -> None:
        self._asked = now
        try:
            self._temporary = self._ask()
        except StoreError as error:
            self._failure = error
        else:
            self._failure = None

    def _ask(self) -> _Temporary:
        provider, file = self._first(_PROVIDERS), self._first(_TOKEN_FILES)
        return self._of_workload(provider, Path(file)) if provider and file else self._of_server()

    def _first(self, names: tuple[str, ...]) -> str:
        return next((text for name in names if (text := self._environ.get(name, ""))), "")

    def _of_workload(self, provider: str, file: Path) -> _Temporary:
        """Exchange the workload's token for a token of IAM, and that for keys."""
        try:
            id_token = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            text = f"{' or '.join(_TOKEN_FILES)}: {type(error).__name__}: {error}"
            raise StoreError(Reason.CREDENTIALS, text) from error
        url = self._environ.get("HUAWEICLOUD_SDK_IAM_ENDPOINT") or self._iam_url
        auth: dict[str, object] = {"id_token": {"id": id_token}, **self._scope()}
        path = "/v3.0/OS-AUTH/id-token/tokens"
        response = self._post("CreateTokenWithIdToken", url + path, auth, {"X-Idp-Id": provider})
        token = response.headers.get("x-subject-token", "")
        if not token:
            raise _unusable("CreateTokenWithIdToken", "the answer has no X-Subject-Token")
        named = {"id": token, "duration_seconds": _SESSION_SECONDS}
        identity = {"identity": {"methods": ["token"], "token": named}}
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

    def _of_server(self) -> _Temporary:
        """Ask the metadata service; with a token of its own, where it knows of such."""
        put = {"X-Metadata-Token-Ttl-Seconds": str(_SESSION_SECONDS)}
        asked = self._metadata("PUT", "/meta-data/latest/api/token", put)
        token = asked.body.decode("latin-1").strip() if asked.status == HTTPStatus.OK else ""
        headers = {"X-Metadata-Token": token} if token.isascii() and token.isprintable() and token else {}
        operation = "GetSecurityKey"
        response = self._metadata("GET", "/openstack/latest/securitykey", headers)
        if response.status != HTTPStatus.OK:
            raise _unusable(operation, f"HTTP {response.status}: has the server an agency?")
        return self._read(operation, response)

    def _metadata(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        request = Request(
            "GetSecurityKey",
            method,
            self._metadata_url + path,
            tuple(headers.items()),
            timeout=_METADATA_SECONDS,
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
            error = _unusable(
                operation, f"HTTP {response.status}: check identity provider, mapping and project"
            )
            error.retryable = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise error
        return response

    def _read(self, operation: str, response: Response) -> _Temporary:
        """Return the keys in an answer. Raises StoreError."""
        try:
            said = json.loads(response.body)["credential"]
            keys = Keys(*(said[name] for name in ("access", "secret", "securitytoken")))
            ends = datetime.fromisoformat(said["expires_at"]).timestamp()
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _unusable(operation, "the answer holds no keys") from None
        if not all(isinstance(text, str) and text for text in keys):
            raise _unusable(operation, "the answer holds no keys")
        if ends <= self._clock():
            raise _unusable(operation, "the keys have ended already: check the clocks")
        return _Temporary(keys, ends)


def _unusable(operation: str, what: str) -> StoreError:
    return StoreError(Reason.CREDENTIALS, f"{operation}: {log_safe(what)}")


def _read(secret: Secret | None) -> str:
    return secret.read() if secret else ""
