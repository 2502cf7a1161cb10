"""A lookup of credentials that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.model.errors import StoppingError

if TYPE_CHECKING:
    import threading

_SOURCES = {
    "env": "the environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "assume-role": "the profile's role_arn, by STS",
    "assume-role-with-web-identity": "the web identity token, by STS",
    "sso": "the profile's SSO session",
    "login": "the profile's login session",
    "shared-credentials-file": "the SDK's credentials file",
    "custom-process": "the profile's credential_process",
    "config-file": "the SDK's config file",
    "container-role": "the container's credential service",
    "iam-role": "the instance's metadata service",
    "mpu-exporter": "the target's config",
    "mpu-exporter-role": "the target's assume_role, by STS",
}


@dataclass(slots=True)
class Lookup:
    """The lookup that is under way for a target: until when (monotonic clock), and where it looks now."""

    stop: threading.Event
    deadline: float = 0.0
    method: str = ""
    """botocore's name of the provider."""

    @property
    def source(self) -> str:
        """Where keys are looked for, for people."""
        return source_of(self.method)

    def check_stop(self) -> None:
        """Raise StoppingError where the lookup is cancelled."""
        if self.stop.is_set():
            raise StoppingError


def source_of(method: str) -> str:
    """Return where a provider of botocore looks, for people; `method` is its name."""
    return _SOURCES.get(method, method) or "the SDK's config"
