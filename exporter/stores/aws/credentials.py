"""Whom boto3's requests are signed as: the target's own keys, else the chain; then the role, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.exceptions
from botocore.credentials import CredentialProvider, ReadOnlyCredentials
from botocore.credentials import Credentials as BotoCredentials

if TYPE_CHECKING:
    from exporter.config.credentials import Credentials, Secret

import copy
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.credentials import (
    CredentialResolver,
    DeferredRefreshableCredentials,
    create_credential_resolver,
)

from exporter.model.errors import StoppingError
from exporter.stores.aws.partition import is_amazon
from exporter.stores.aws.sdk_models import LOADER, load_models
from exporter.stores.errors import log_safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config.credentials import AssumeRole
    from exporter.config.settings import TargetSettings

log = logging.getLogger(__name__)

DEFAULT_REGION = "us-east-1"
REFUSED_SECONDS = 5.0
"""So long a refusal of the role stands: every bucket of a target would ask again."""
FAILED_SECONDS = 60.0
"""So long a renewal is left alone that failed while the old session holds."""
_EARLY = 4
"""A role is asked for again when a quarter of its time is left."""
_MOST_EARLY = 900
_LATEST = 60
"""In the last minute nothing goes without a new session: a call may end after the old one."""
_HANDLERS = botocore.session.Session().get_component("event_emitter")  # the SDK's own; each target has a copy
_NO_PROFILE = {"profile": (None, None, None, None)}


def open_session(
    target: TargetSettings, send: Callable[..., Any], clock: Callable[[], float]
) -> botocore.session.Session:
    """Return the SDK's session of a target, whose requests are sent by `send`, those of its identity too.

    `clock` is Unix seconds.
    """
    configured = target.credentials.access_key_id is not None
    core = botocore.session.Session(
        session_vars=_NO_PROFILE if configured else None,  # AWS_PROFILE may name one that is not there
        profile=target.credentials.profile,
        event_hooks=copy.copy(_HANDLERS),
        include_builtin_handlers=False,
    )
    core.register_component("data_loader", LOADER)
    core.get_component("event_emitter").register("before-send", send)
    provider: CredentialProvider | None = ConfiguredProvider(target.credentials) if configured else None
    if role := target.credentials.assume_role:
        provider = _RoleProvider(_Assuming(core, provider, role, target, clock))
    if provider:
        core.register_component("credential_provider", CredentialResolver([provider]))
    return core


class _RoleCredentials(DeferredRefreshableCredentials):
    """A role's session, renewed in time. While the old one holds, a failed renewal does no harm."""

    def __init__(self, assuming: _Assuming) -> None:
        super().__init__(assuming, method="mpu-exporter-role", time_fetcher=assuming.now)
        seconds = int(assuming.role.duration)
        # the SDK's own spans would renew sessions of a quarter of an hour without end, and give up good ones
        self._advisory_refresh_timeout = min(_MOST_EARLY, seconds // _EARLY)
        self._mandatory_refresh_timeout = _LATEST


class _RoleProvider(CredentialProvider):
    METHOD = "mpu-exporter-role"
    CANONICAL_NAME = "mpu-exporter-role"

    def __init__(self, assuming: _Assuming) -> None:
        super().__init__()
        self._assuming = assuming

    def load(self) -> BotoCredentials:
        return _RoleCredentials(self._assuming)


class _Assuming:
    """Asks STS for a session of the target's role, with base credentials found anew each time."""

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
        """Return the time by which sessions end."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def __call__(self) -> dict[str, str]:
        """Return keys, token and end of a new session, as the SDK's refreshing wants them."""
        if self._failed and 0 <= self._clock() - self._failed_at < self._standing_seconds(self._failed):
            raise self._failed
        try:
            session = self._client(self._base_keys()).assume_role(**self._parameters())["Credentials"]
        except StoppingError:
            raise
        except Exception as error:
            self._failed, self._failed_at = error, self._clock()
            self._tell(error)
            raise
        self._failed, self._renewing = None, True
        self._needed_at = session["Expiration"].timestamp() - _LATEST
        return {
            "access_key": session["AccessKeyId"],
            "secret_key": session["SecretAccessKey"],
            "token": session["SessionToken"],
            "expiry_time": session["Expiration"].isoformat(),
        }

    def _standing_seconds(self, error: Exception) -> float:
        """Return how long a failure stands; a hiccup not at all, where nothing goes without a session."""
        if self._clock() < self._needed_at:
            return FAILED_SECONDS
        return REFUSED_SECONDS if isinstance(error, botocore.exceptions.ClientError) else 0.0

    def _tell(self, error: Exception) -> None:
        """Say once that a session cannot be renewed: while the old one holds, nothing else does."""
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
        own = {"ExternalId": role.external_id} if role.external_id else {}
        return {
            "RoleArn": role.role_arn,
            "RoleSessionName": role.session_name,
            "DurationSeconds": int(role.duration),
            **own,
        }

    def _client(self, keys: ReadOnlyCredentials) -> Any:  # noqa: ANN401 - the SDK's clients are made at run time
        """Return what asks STS: where the SDK is told, else at a server of one's own, else in the region."""
        load_models("sts")
        client = self._made(keys, None)
        own = self._target.endpoint_url
        if own is None or is_amazon(own) or not is_amazon(client.meta.endpoint_url):
            return client
        return self._made(keys, own)  # Ceph and MinIO have it beside S3

    def _made(self, keys: ReadOnlyCredentials, url: str | None) -> Any:  # noqa: ANN401
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
        credentials = self._credentials
        return ReadOnlyCredentials(
            _read("access_key_id", credentials.access_key_id),
            _read("secret_access_key", credentials.secret_access_key),
            _read("session_token", credentials.session_token) if credentials.session_token else None,
        )


class ConfiguredProvider(CredentialProvider):
    """Gives botocore the keys of a target's own config."""

    METHOD = "mpu-exporter"
    CANONICAL_NAME = "mpu-exporter"

    def __init__(self, credentials: Credentials) -> None:
        """Make it of the config's credentials."""
        super().__init__()
        self._credentials = credentials

    def load(self) -> BotoCredentials:
        """Return what signs with them as they are at that moment."""
        return _ConfiguredCredentials(self._credentials)


def _read(name: str, secret: Secret | None) -> str:
    try:
        text = secret.read() if secret else ""
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise botocore.exceptions.PartialCredentialsError(provider="the target's config", cred_var=name)
    return text
