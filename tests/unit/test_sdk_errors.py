"""What the SDKs raise over a config or an environment is told as their fault, never as the exporter's."""

import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from string import Formatter

import botocore.exceptions
import obs
import pytest
from cases import in_turn

from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason, StoreError
from exporter.stores.aws.sdk_errors import SDK_ERRORS, lookup_error, sdk_error
from exporter.stores.obs.credentials import Keys
from exporter.stores.obs.endpoint import read_server
from exporter.stores.obs.signature import ObsRequest, ObsSigner

OF_THE_SDK_S_OWN_FILES = (Warning, botocore.exceptions.UndefinedModelAttributeError)
"""Faults of botocore's models, which no config is part of; warnings are not raised."""
REASONS = {
    Reason.CREDENTIALS: """NoCredentialsError PartialCredentialsError CredentialRetrievalError ProfileNotFound
        ConfigNotFound ConfigParseError InvalidConfigError InfiniteLoopConfigError UnknownCredentialError
        MetadataRetrievalError InvalidIMDSEndpointError InvalidIMDSEndpointModeError NoAuthTokenError
        TokenRetrievalError UnknownTokenProviderError SSOError SSOTokenLoadError UnauthorizedSSOTokenError
        LoginError LoginRefreshRequired LoginTokenLoadError RefreshWithMFAUnsupportedError""",
    Reason.TIMEOUT: "ConnectTimeoutError ReadTimeoutError",
    Reason.TLS: "SSLError",
    Reason.CONNECTION: """EndpointConnectionError ConnectionClosedError ProxyConnectionError ConnectionError
        HTTPClientError ResponseStreamingError""",
    Reason.UNSUPPORTED: """NoRegionError InvalidRegionError UnknownEndpointError EndpointVariantError
        UnsupportedSignatureVersionError InvalidS3AddressingStyleError InvalidProxiesConfigError
        InvalidRetryModeError InvalidDefaultsMode EndpointResolutionError UnsupportedS3ConfigurationError
        MissingDependencyException ParamValidationError""",
}


def error_classes() -> list[type[Exception]]:
    """Return each class that botocore declares, but for what no config can cause."""
    declared = [each for _, each in inspect.getmembers(botocore.exceptions, inspect.isclass)]
    mine = [each for each in declared if each.__module__ == botocore.exceptions.__name__]
    return [each for each in mine if not issubclass(each, OF_THE_SDK_S_OWN_FILES)]


def made(kind: type[Exception]) -> Exception:
    """Return an exception of this class, with some value for each field of its text."""
    if issubclass(kind, botocore.exceptions.ClientError):
        return kind({"Error": {"Code": "Denied"}}, "AssumeRole")
    if kind is botocore.exceptions.WaiterError:
        return kind(name="value", reason="value", last_response={})
    fields = {name: "value" for _, name, _, _ in Formatter().parse(getattr(kind, "fmt", "")) if name}
    return kind(**fields)


class TestBotocore:
    @in_turn("kind", error_classes())
    def test_no_class_is_a_fault_of_the_exporter(self, kind: type[Exception]):
        error = made(kind)
        assert isinstance(error, (*SDK_ERRORS, botocore.exceptions.ClientError))
        told = [sdk_error("ListParts", error, answered=answered).reason for answered in (False, True)]
        assert Reason.INTERNAL not in told
        assert lookup_error("ListParts", error).reason == Reason.CREDENTIALS

    @in_turn(
        ("name", "reason"), [(name, reason) for reason, names in REASONS.items() for name in names.split()]
    )
    def test_each_has_the_reason_of_its_cause(self, name: str, reason: Reason):
        error = made(getattr(botocore.exceptions, name))
        assert sdk_error("ListParts", error, answered=False).reason == reason

    @in_turn(
        "error",
        [
            ValueError("Invalid header value b'sEcReT'"),
            KeyError("sEcReT"),
            EOFError("sEcReT"),
            OverflowError("sEcReT"),
            botocore.exceptions.HTTPClientError(error=ValueError("b'sEcReT'")),
            botocore.exceptions.CredentialRetrievalError(provider="p", error_msg="token=sEcReT"),
        ],
    )
    def test_no_text_that_could_hold_a_secret_is_shown(self, error: Exception):
        text = str(lookup_error("ListParts", error, "the environment"))
        assert (type(error).__name__ in text, "sEcReT" in text) == (True, False)


def obs_errors() -> Iterator[type[Exception]]:
    """Yield the classes that the OBS SDK declares, and those of Python that it raises."""
    yield from (Exception, ValueError, TypeError, AttributeError, KeyError, IndexError, RuntimeError)
    for module in pkgutil.iter_modules(obs.__path__):
        with suppress(ModuleNotFoundError):  # what needs a package that is not a dependency
            members = inspect.getmembers(import_module(f"obs.{module.name}"), inspect.isclass)
            yield from (
                each for _, each in members if issubclass(each, Exception) and "obs." in each.__module__
            )


class TestObs:
    @pytest.mark.parametrize("signature", ["obs", "v2", "v4"])
    def test_no_class_is_a_fault_of_the_exporter(self, signature: str, monkeypatch: pytest.MonkeyPatch):
        target = TargetSettings(
            "t", StoreKind.OBS, (BucketSettings("media"),), endpoint_url="http://h", signature=signature
        )
        signer = ObsSigner(read_server(target), signature, "r")
        for kind in set(obs_errors()):

            def fail(*_: object, kind: type[Exception] = kind) -> None:
                raise kind.__new__(kind, "sEcReT")

            for name in ("Authentication", "V4Authentication"):
                monkeypatch.setattr(f"obs.auth.{name}.doAuth", fail)
            with pytest.raises(StoreError) as caught:
                signer.sign(ObsRequest("ListParts", "media", "", ()), Keys("a", "b", None), 0.0)
            assert (caught.value.reason, "sEcReT" in str(caught.value)) == (Reason.CREDENTIALS, False)
