"""Credentials of boto3's requests: the target's own keys, else the SDK's chain; then the role, if any."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import botocore.session
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials, ReadOnlyCredentials

from exporter.model.errors import StoppingError
from exporter.stores.aws.chain import Chain
from exporter.stores.aws.keys import checked, read_keys
from exporter.stores.aws.partition import DEFAULT_REGION, is_amazon
from exporter.stores.aws.sdk_files import check_sizes
from exporter.stores.aws.sdk_models import LOADER, load_models
from exporter.stores.errors import log_safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials as BotoCredentials

    from exporter.config.credentials import AssumeRole
    from exporter.config.settings import TargetSettings
    from exporter.stores.aws.lookup import Lookup

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
_ROLE_METHOD = "mpu-exporter-role"
_NO_PROFILE = {"profile": (None, None, None, None)}


def open_session(target: TargetSettings, send: Callable[..., Any]) -> botocore.session.Session:
    """Return the SDK's session of a target; `send` sends its requests, also those for credentials."""
    check_sizes()
    configured = target.credentials.access_key_id is not None
    core = botocore.session.Session(
        session_vars=_NO_PROFILE if configured else None,  # AWS_PROFILE may name one that is not there
        profile=target.credentials.profile,
        event_hooks=copy.copy(_BUILTIN_HANDLERS),
        include_builtin_handlers=False,
    )
    core.register_component("data_loader", LOADER)
    # certificates are the transport's concern: botocore would only refuse an empty AWS_CA_BUNDLE
    core.set_config_variable("ca_bundle", True)  # noqa: FBT003 - any value
    if str(core.get_config_variable("defaults_mode")).lower() == "auto":
        # botocore would ask the metadata service past the deadline; the answer decides timeouts only
        core.set_config_variable("defaults_mode", "standard")
    core.get_component("event_emitter").register("before-send", send)
    return core


def find_credentials(
    core: botocore.session.Session, target: TargetSettings, clock: Callable[[], float], lookup: Lookup
) -> BotoCredentials:
    """Return the credentials of a target; some of them ask for keys when these are needed.

    `clock` is Unix seconds. Raises what botocore does.
    """
    if role := target.credentials.assume_role:
        return _RoleCredentials(_RoleSessions(core, role, target, clock, lookup))
    return Chain(core, target.region or core.get_config_variable("region"), lookup).load_credentials()


class _RoleCredentials(DeferredRefreshableCredentials):
    """A role's session, renewed before it expires; while it is valid, a failed renewal is no error."""

    def __init__(self, sessions: _RoleSessions) -> None:
        super().__init__(sessions, method=_ROLE_METHOD, time_fetcher=sessions.now)
        seconds = int(sessions.role.duration)
        # the SDK's own limits would renew a session of 15 minutes at every call, and drop valid ones
        self._advisory_refresh_timeout = min(_MAX_ADVISORY_SECONDS, seconds // _ADVISORY_SHARE)
        self._mandatory_refresh_timeout = _MANDATORY_SECONDS


class _RoleSessions:
    """Gets sessions of the target's role from STS, with base credentials looked up each time."""

    def __init__(
        self,
        core: botocore.session.Session,
        role: AssumeRole,
        target: TargetSettings,
        clock: Callable[[], float],
        lookup: Lookup,
    ) -> None:
        self.role = role
        self._core = core
        self._target = target
        self._clock = clock
        self._lookup = lookup
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
            keys = self._base_keys()
            self._lookup.method = _ROLE_METHOD
            session = self._sts_client(keys).assume_role(**self._parameters())["Credentials"]
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
        own = self._target.credentials
        if own.access_key_id is not None:
            return ReadOnlyCredentials(*checked(read_keys(own), "the target's config"))
        return Chain(self._core, self._region(), self._lookup).load_credentials().get_frozen_credentials()

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
