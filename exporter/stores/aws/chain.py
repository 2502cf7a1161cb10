"""botocore's chain of credential providers, with those replaced that could wait for ever or ask a person."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.credentials import (
    AssumeRoleProvider,
    AssumeRoleWithWebIdentityProvider,
    CanonicalNameCredentialSourcer,
    ContainerProvider,
    CredentialResolver,
    EnvProvider,
    InstanceMetadataProvider,
    ProcessProvider,
    ProfileProviderBuilder,
    create_credential_resolver,
)
from botocore.utils import (
    ContainerMetadataFetcher,
    FileWebIdentityTokenLoader,
    InstanceMetadataFetcher,
    create_nested_client,
    resolve_imds_endpoint_mode,
)

from exporter.stores.aws.credential_process import CredentialProcess
from exporter.stores.aws.credential_service import CredentialService
from exporter.stores.aws.keys import NO_KEYS_ADVICE
from exporter.stores.aws.sdk_files import faults
from exporter.stores.secret_sources import CredentialSourceError, read_token

if TYPE_CHECKING:
    import botocore.session
    from botocore.credentials import CredentialProvider
    from botocore.credentials import Credentials as BotoCredentials

    from exporter.stores.aws.lookup import Lookup

_INSTANCE_VARIABLES = ("ec2_metadata_service_endpoint", "ec2_metadata_v1_disabled")
_REFRESH_WINDOW_SECONDS = 900
"""As botocore has it for the keys of instances."""


class Chain(CredentialResolver):
    """botocore's default chain for a session, whose every step is told to `lookup`."""

    def __init__(self, core: botocore.session.Session, region: str | None, lookup: Lookup) -> None:
        """Ask nothing yet."""
        usual: list[CredentialProvider] = create_credential_resolver(core, region_name=region).providers
        own = {provider.METHOD: provider for provider in _replacements(core, region, lookup)}
        super().__init__([own.get(provider.METHOD, provider) for provider in usual])
        self._lookup = lookup

    def load_credentials(self) -> BotoCredentials:
        """Return the credentials of the first provider that has some.

        Raises what botocore does, and CredentialSourceError.
        """
        for provider in self.providers:
            self._lookup.check_stop()
            self._lookup.method = provider.METHOD or ""
            found: BotoCredentials | None = provider.load()
            if found is not None:
                return found
        raise CredentialSourceError(f"{_where_none_are()}; {NO_KEYS_ADVICE}")


def _where_none_are() -> str:
    """Return that no keys were found, and what was not asked for some."""
    is_off = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    instance = "is switched off by AWS_EC2_METADATA_DISABLED" if is_off else "gives none"
    text = "no keys: none in the environment, in the SDK's files and from a service of the container"
    return "; ".join(filter(None, (f"{text}, and the instance's metadata service {instance}", faults())))


class _Profiles(ProfileProviderBuilder):
    """Makes the providers of a profile, also those of the profiles that it names as its source."""

    def __init__(self, core: botocore.session.Session, region: str | None, lookup: Lookup) -> None:
        super().__init__(core, cache={}, region_name=region)
        self._core = core
        self._region = region
        self._lookup = lookup

    def providers(self, profile_name: str, disable_env_vars: bool = False) -> list[Any]:  # noqa: FBT001, FBT002 - as botocore has it
        load_config = partial(getattr, self._core, "full_config")
        process = ProcessProvider(
            profile_name,
            load_config,
            popen=lambda command, **_: CredentialProcess(self._lookup, command),
        )
        web = AssumeRoleWithWebIdentityProvider(
            load_config=load_config,
            client_creator=_client_creator(self._core, self._region),
            profile_name=profile_name,
            cache={},
            disable_env_vars=disable_env_vars,
            token_loader_cls=_TokenLoader,
        )
        own = {process.METHOD: process, web.METHOD: web}
        usual = super().providers(profile_name, disable_env_vars)
        return [own.get(provider.METHOD or "", provider) for provider in usual]


class _TokenLoader(FileWebIdentityTokenLoader):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._path = path

    def __call__(self) -> str:
        return read_token(self._path)


class _Container(ContainerProvider):
    def __init__(self, lookup: Lookup) -> None:
        service = CredentialService(lookup, self.METHOD, ContainerMetadataFetcher.TIMEOUT_SECONDS)
        fetcher: Any = ContainerMetadataFetcher(session=service, sleep=lookup.stop.wait)  # stubs name another
        super().__init__(fetcher=fetcher)

    def load(self) -> Any:  # noqa: ANN401 - credentials or None
        if self.ENV_VAR_AUTH_TOKEN_FILE in os.environ and (
            self.ENV_VAR in os.environ or self.ENV_VAR_FULL in os.environ
        ):
            read_token(os.environ[self.ENV_VAR_AUTH_TOKEN_FILE])
        return super().load()


class _InstanceMetadata(InstanceMetadataFetcher):
    def __init__(self, core: botocore.session.Session, lookup: Lookup) -> None:
        timeout = core.get_config_variable("metadata_service_timeout")
        config = {name: core.get_config_variable(name) for name in _INSTANCE_VARIABLES}
        config["ec2_metadata_service_endpoint_mode"] = resolve_imds_endpoint_mode(core)
        config["ec2_credential_refresh_window"] = _REFRESH_WINDOW_SECONDS
        super().__init__(
            timeout=timeout,
            num_attempts=core.get_config_variable("metadata_service_num_attempts"),
            user_agent=core.user_agent(),
            config=config,
        )
        self._session = CredentialService(lookup, InstanceMetadataProvider.METHOD, timeout, by_proxy=True)


def _replacements(
    core: botocore.session.Session, region: str | None, lookup: Lookup
) -> list[CredentialProvider]:
    """Return the providers that stand in for botocore's own of the same METHOD."""
    profile = core.get_config_variable("profile") or "default"
    builder = _Profiles(core, region, lookup)
    container = _Container(lookup)
    instance = InstanceMetadataProvider(iam_role_fetcher=_InstanceMetadata(core, lookup))
    role = AssumeRoleProvider(
        load_config=partial(getattr, core, "full_config"),
        client_creator=_client_creator(core, region),
        cache={},
        profile_name=profile,
        prompter=_refuse_to_ask,
        credential_sourcer=CanonicalNameCredentialSourcer([EnvProvider(), container, instance]),
        profile_provider_builder=builder,
    )
    only_profile = core.instance_variables().get("profile") is not None
    return [role, container, instance, *builder.providers(profile, only_profile)]


def _client_creator(core: botocore.session.Session, region: str | None) -> Any:  # noqa: ANN401 - a factory of run-time classes
    def create(service: str, **arguments: Any) -> Any:  # noqa: ANN401
        return create_nested_client(core, service, **{"region_name": region, **arguments})

    return create


def _refuse_to_ask(_prompt: str) -> str:
    text = "the profile has mfa_serial, and nobody is there to type its code: name a profile or role without"
    raise CredentialSourceError(text)
