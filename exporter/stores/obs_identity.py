"""Whom requests to OBS are signed as: configured keys, the environment's, a workload's identity, an agency.

Workload identity: https://support.huaweicloud.com/intl/en-us/api-iam/iam_13_0605.html (a token for an ID
token) and iam_04_0002.html (keys for a token). Agency: the metadata of an Elastic Cloud Server, path
/openstack/latest/securitykey. Variables are named as Huawei's SDKs name them.
"""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from exporter.model import Reason, StoreError
from exporter.stores.obs_settings import iam_url, read_credentials
from exporter.stores.reasons import retry_after
from exporter.stores.transport import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.settings import TargetSettings
    from exporter.stores.answers import Answer
    from exporter.stores.transport import Transport

METADATA_URL = "http://169.254.169.254"
EARLY_SECONDS = 600.0
"""So long before their end keys are replaced."""
AGAIN_SECONDS = 30.0
"""So long a source that failed is not asked again: every call of a target would ask."""
METADATA_SECONDS = 3.0
"""A server's metadata answers at once, or there is none."""
SESSION_SECONDS = 6 * 3600
_IDP_VARIABLES = ("HUAWEICLOUD_SDK_IDP_ID", "HUAWEI_CLOUD_IDP_ID")
_TOKEN_VARIABLES = ("HUAWEICLOUD_SDK_ID_TOKEN_FILE", "OIDC_TOKEN_FILE")
_JSON = ("Content-Type", "application/json;charset=UTF-8")

Keys = tuple[str, str, str | None]
"""Access key, secret and token."""


class _Temporary(NamedTuple):
    """Keys, and when they end."""

    keys: Keys
    ends: float


class ObsIdentity:
    """One target's keys. Safe to use from many threads, within a call of the transport."""

    def __init__(
        self,
        target: TargetSettings,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.time,
        metadata_url: str | None = METADATA_URL,
    ) -> None:
        """Make it for a target; `clock` is Unix seconds, without `metadata_url` no agency is asked for."""
        self._target = target
        self._transport = transport
        self._clock = clock
        self._metadata_url = metadata_url
        self._lock = threading.Lock()
        self._known: _Temporary | None = None
        self._failure: StoreError | None = None
        self._failed_at = 0.0

    def keys(self) -> Keys:
        """Return the keys to sign with now. Raises StoreError, and StoppingError."""
        if (given := read_credentials(self._target.credentials)) is not None:
            return given
        with self._lock:
            now = self._clock()
            if self._known is None or now >= self._known.ends - EARLY_SECONDS:
                self._renew(now)
            if self._known is None or now >= self._known.ends:
                raise self._failure or StoreError(Reason.CREDENTIALS, "the keys given have ended already")
            return self._known.keys

    def _renew(self, now: float) -> None:
        """Ask for other keys; what fails is kept, and stands for a while."""
        if self._failure and 0 <= now - self._failed_at < AGAIN_SECONDS:
            return
        self._failure = None
        try:
            self._known = self._ask()
        except StoreError as error:
            if error.retryable:
                if self._known is None or now >= self._known.ends:
                    raise
                return
            self._failure, self._failed_at = error, now

    def _ask(self) -> _Temporary:
        provider, file = _first(_IDP_VARIABLES), _first(_TOKEN_VARIABLES)
        if provider and file:
            return self._exchange(provider, file)
        if self._metadata_url is None:
            raise _no_keys("")
        return self._ask_server(self._metadata_url)

    def _exchange(self, provider: str, file: str) -> _Temporary:
        """Return keys for the workload's token, by way of a token of IAM's."""
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            what = f"the workload's token cannot be read: {type(error).__name__}: {error}"
            raise StoreError(Reason.CREDENTIALS, what) from error
        url = iam_url(self._target)
        body: object = {"auth": {"id_token": {"id": token}}}
        operation = "CreateUnscopedTokenByIdToken"
        headers = (_JSON, ("X-Idp-Id", provider))
        answer = self._post(operation, f"{url}/v3.0/OS-AUTH/id-token/tokens", body, headers)
        federated = answer.headers.get("x-subject-token", "")
        if not federated:
            raise StoreError(
                Reason.CREDENTIALS, f"{operation}: the answer has no token; check the IAM endpoint"
            )
        asked = {"id": federated, "duration_seconds": SESSION_SECONDS}
        body = {"auth": {"identity": {"methods": ["token"], "token": asked}}}
        operation = "CreateTemporaryAccessKeyByToken"
        answer = self._post(operation, f"{url}/v3.0/OS-CREDENTIAL/securitytokens", body, (_JSON,))
        return _read_keys(operation, answer)

    def _post(self, operation: str, url: str, body: object, headers: tuple[tuple[str, str], ...]) -> Answer:
        answer = self._transport.send(Request(operation, "POST", url, headers, json.dumps(body).encode()))
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            later = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            text = f"{operation}: HTTP {answer.status}; check the identity provider, its rules and the agency"
            raise StoreError(
                Reason.CREDENTIALS,
                text,
                status=answer.status,
                retryable=later,
                retry_after=retry_after(answer),
            )
        return answer

    def _ask_server(self, url: str) -> _Temporary:
        """Return the keys of the agency that the server has, if it is one of Huawei's and has one."""
        try:
            ttl = (("X-Metadata-Token-Ttl-Seconds", str(SESSION_SECONDS)), ("Content-Length", "0"))
            token = self._get("GetMetadataToken", "PUT", f"{url}/meta-data/latest/api/token", ttl)
            granted = token.status == HTTPStatus.OK and token.body.strip().decode("latin-1")
            headers = (("X-Metadata-Token", granted),) if granted else ()
            answer = self._get("GetSecurityKey", "GET", f"{url}/openstack/latest/securitykey", headers)
        except StoreError as error:
            raise _no_keys(f"; no server's metadata answers ({error.reason})") from error
        if answer.status != HTTPStatus.OK:
            raise _no_keys(f"; the server has no agency (HTTP {answer.status})")
        return _read_keys("GetSecurityKey", answer)

    def _get(self, operation: str, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> Answer:
        request = Request(operation, method, url, headers, limit=METADATA_SECONDS, direct=True)
        return self._transport.send(request)


def _read_keys(operation: str, answer: Answer) -> _Temporary:
    """Return the keys in an answer; whatever else it is, is refused."""
    try:
        said = json.loads(answer.body)["credential"]
        keys = said["access"], said["secret"], said["securitytoken"]
        ends = datetime.fromisoformat(said["expires_at"])
        sound = all(isinstance(text, str) and text.isascii() and text.isprintable() and text for text in keys)
    except (ValueError, LookupError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise StoreError(Reason.CREDENTIALS, f"{operation}: no keys; check who answers there")
    return _Temporary(keys, (ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp())


def _first(names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := os.environ.get(name, "").strip())), "")


def _no_keys(why: str) -> StoreError:
    text = "no access key or no secret: put them under credentials, or in OBS_ACCESS_KEY_ID and "
    return StoreError(Reason.CREDENTIALS, f"{text}OBS_SECRET_ACCESS_KEY; nothing was sent to OBS{why}")
