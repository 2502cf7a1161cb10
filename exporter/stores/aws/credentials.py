"""Credentials of boto3's requests: the target's own keys, else the SDK's chain; then the role, if any."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import botocore.exceptions
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
    create_credential_resolver,
)
from botocore.credentials import Credentials as BotoCredentials

from exporter.model.errors import StoppingError
from exporter.stores.aws.keys import read_keys
from exporter.stores.aws.partition import DEFAULT_REGION, is_amazon
from exporter.stores.aws.sdk_models import LOADER, load_models
from exporter.stores.errors import log_safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.credentials import AssumeRole, Credentials
    from exporter.config.settings import TargetSettings

log = logging.getLogger(__name__)

REFUSAL_VALID_SECONDS = 5.0
"""STS is not asked again for this long after a refusal: every bucket of a target would do so."""
FAILURE_VALID_SECONDS = 60.0
"""STS is not asked again for this long after a failed renewal, while the old session is valid."""
_ADVISORY_SHARE = 4
"""A session is renewed when a quarter of its duration is left, at most _MAX_ADVISORY_SECONDS."""
_MAX_ADVISORY_SECONDS = 900
_MANDATORY_SECONDS = 60
"""A session is not used in its last minute: a call may end after it has expired."""
_BUILTIN_HANDLERS = botocore.session.Session().get_component("event_emitter")
"""The SDK's own event handlers; each target has a copy."""
_NO_PROFILE = {"profile": (None, None, None, None)}


def open_session(
    target: TargetSettings, send: Callable[..., Any], clock: Callable[[], float]
) -> botocore.session.Session:
    """Return the SDK's session of a target; `send` sends its requests, also those for credentials.

    `clock` is Unix seconds.
    """
    configured = target.credentials.access_key_id is not None
    core = botocore.session.Session(
        session_vars=_NO_PROFILE if configured else None,  # AWS_PROFILE may name one that is not there
        profile=target.credentials.profile,
        event_hooks=copy.copy(_BUILTIN_HANDLERS),
        include_builtin_handlers=False,
    )
    core.register_component("data_loader", LOADER)
    core.get_component("event_emitter").register("before-send", send)
    provider: CredentialProvider | None = ConfiguredProvider(target.credentials) if configured else None
    if role := target.credentials.assume_role:
        provider = _RoleProvider(_RoleSessions(core, provider, role, target, clock))
    if provider:
        core.register_component("credential_provider", CredentialResolver([provider]))
    return core


class _RoleCredentials(DeferredRefreshableCredentials):
    """A role's session, renewed before it expires; while it is valid, a failed renewal is no error."""

    def __init__(self, sessions: _RoleSessions) -> None:
        super().__init__(sessions, method="mpu-exporter-role", time_fetcher=sessions.now)
        seconds = int(sessions.role.duration)
        # the SDK's own limits would renew a session of 15 minutes at every call, and drop valid ones
        self._advisory_refresh_timeout = min(_MAX_ADVISORY_SECONDS, seconds // _ADVISORY_SHARE)
        self._mandatory_refresh_timeout = _MANDATORY_SECONDS


class _RoleProvider(CredentialProvider):
    METHOD = "mpu-exporter-role"
    CANONICAL_NAME = "mpu-exporter-role"

    def __init__(self, sessions: _RoleSessions) -> None:
        super().__init__()
        self._sessions = sessions

    def load(self) -> BotoCredentials:
        return _RoleCredentials(self._sessions)


class _RoleSessions:
    """Gets sessions of the target's role from STS, with base credentials looked up each time."""

    def __init__(
        self,
        core: botocore.session.Session,
        base: CredentialProvider | None,
        role: AssumeRole,
        target: TargetSettings,
        clock: Callable[[], float],
    ) -> None:
        self.role = role
        self._core = core
        self._base = base
        self._target = target
        self._clock = clock
        self._failed: Exception | None = None
        self._failed_at = 0.0
        self._needed_at = 0.0
        self._renewing = False

    def now(self) -> datetime:
        """Return the time that expirations are compared with."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def __call__(self) -> dict[str, str]:
        """Return keys, token and expiration of a new session, in the form of the SDK's refresh callback."""
        if self._failed and 0 <= self._clock() - self._failed_at < self._valid_seconds(self._failed):
            raise self._failed
        try:
            session = self._sts_client(self._base_keys()).assume_role(**self._parameters())["Credentials"]
        except StoppingError:
            raise
        except Exception as error:
            self._failed, self._failed_at = error, self._clock()
            self._log_failure(error)
            raise
        self._failed, self._renewing = None, True
        self._needed_at = session["Expiration"].timestamp() - _MANDATORY_SECONDS
        return {
            "access_key": session["AccessKeyId"],
            "secret_key": session["SecretAccessKey"],
            "token": session["SessionToken"],
            "expiry_time": session["Expiration"].isoformat(),
        }

    def _valid_seconds(self, error: Exception) -> float:
        """Return the seconds for which STS is not asked again after a failure."""
        if self._clock() < self._needed_at:
            return FAILURE_VALID_SECONDS
        return REFUSAL_VALID_SECONDS if isinstance(error, botocore.exceptions.ClientError) else 0.0

    def _log_failure(self, error: Exception) -> None:
        """Log once that a session cannot be renewed: while it is valid, no call fails."""
        if self._renewing:
            self._renewing = False
            fields = {"target": self._target.name, "error": log_safe(f"{type(error).__name__}: {error}")}
            log.warning("the role's session cannot be renewed yet", extra={"fields": fields})

    def _base_keys(self) -> ReadOnlyCredentials:
        if self._base:
            found = self._base.load()
        else:
            found = create_credential_resolver(self._core, region_name=self._region()).load_credentials()
        if found is None:
            raise botocore.exceptions.NoCredentialsError
        return cast("ReadOnlyCredentials", found.get_frozen_credentials())

    def _region(self) -> str:
        return str(self._target.region or self._core.get_config_variable("region") or DEFAULT_REGION)

    def _parameters(self) -> dict[str, Any]:
        role = self.role
        external_id = {"ExternalId": role.external_id} if role.external_id else {}
        return {
            "RoleArn": role.role_arn,
            "RoleSessionName": role.session_name,
            "DurationSeconds": int(role.duration),
            **external_id,
        }

    def _sts_client(self, keys: ReadOnlyCredentials) -> Any:  # noqa: ANN401 - the SDK's clients are made at run time
        """Return the client of STS: at the SDK's configured URL, else at endpoint_url, else in the region."""
        load_models("sts")
        client = self._create_client(keys, None)
        endpoint_url = self._target.endpoint_url
        if endpoint_url is None or is_amazon(endpoint_url) or not is_amazon(client.meta.endpoint_url):
            return client
        return self._create_client(keys, endpoint_url)  # Ceph and MinIO serve STS beside S3

    def _create_client(self, keys: ReadOnlyCredentials, url: str | None) -> Any:  # noqa: ANN401
        return self._core.create_client(
            "sts",
            region_name=self._region(),
            endpoint_url=url,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
        )


class _ConfiguredCredentials(BotoCredentials):
    """The target's own keys, read again for each request, since their files rotate."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        super().__init__("", "", method="mpu-exporter")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(*read_keys(self._credentials))


class ConfiguredProvider(CredentialProvider):
    """botocore's credential provider of the keys in a target's config."""

    METHOD = "mpu-exporter"
    CANONICAL_NAME = "mpu-exporter"

    def __init__(self, credentials: Credentials) -> None:
        """`credentials` are those of the target's config."""
        super().__init__()
        self._credentials = credentials

    def load(self) -> BotoCredentials:
        """Return credentials that are read when they are used."""
        return _ConfiguredCredentials(self._credentials)
