"""boto3 clients whose requests go through the target's transport, and StoreErrors for their failures."""

from __future__ import annotations

import io
import math
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import boto3
import botocore.exceptions
import botocore.parsers
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.handlers import validate_bucket_name

from exporter import __version__
from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.aws.credentials import open_session
from exporter.stores.aws.keys import Keys, MissingSecretError, no_credentials
from exporter.stores.aws.partition import DEFAULT_REGION
from exporter.stores.aws.route import host_header
from exporter.stores.aws.sdk_models import load_models
from exporter.stores.aws.sse_customer_key import HEADER as CUSTOMER_KEY_HEADER
from exporter.stores.base import (
    BUCKETS_OPERATION,
    LIFECYCLE_OPERATION,
    PARTS_OPERATION,
    TAGS_OPERATION,
    UPLOADS_OPERATION,
    VAULT_TAGS_OPERATION,
    VAULTS_OPERATION,
)
from exporter.stores.errors import describe_body, log_safe, refusal
from exporter.stores.parsing.large_pages import UPLOAD_TAG
from exporter.stores.transport.client import Call, Request, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest

    from exporter.config.settings import TargetSettings
    from exporter.stores.transport.response import Response

ROLE_TIMEOUT_SECONDS = 10.0
"""Timeout of a call to STS: the call that needs the keys has to have time left."""
_PAGE_OPERATIONS = {
    *(UPLOADS_OPERATION, PARTS_OPERATION),
    *(BUCKETS_OPERATION, VAULTS_OPERATION, LIFECYCLE_OPERATION, TAGS_OPERATION, VAULT_TAGS_OPERATION),
}
_AUXILIARY_OPERATIONS = {
    "CreateSession",
    "HeadBucket",
}  # of the store; any other (STS) is the credential chain's
_PROVIDER_ERRORS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ConfigNotFound,
    botocore.exceptions.InvalidConfigError,
    botocore.exceptions.MetadataRetrievalError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOError,
    *(MissingSecretError, OSError),  # a secret's file
)
_SDK_ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
# raised by the SDK over malformed responses
_PARSER_ERRORS = (
    botocore.parsers.ResponseParserError,
    *(ValueError, LookupError, TypeError, AttributeError, RuntimeError),
)
_ANY_ROLE_ADVICE = "check the role's ARN, its duration, and the credentials that take it"
_REFUSED_ROLE_ADVICE = (
    "let the caller use sts:AssumeRole, and the role's trust policy name the caller "
    "and the same external id, if any (docs/permissions.md, Roles)"
)
_ROLE_OPERATIONS = {"AssumeRole", "AssumeRoleWithWebIdentity"}
_NAME_ERRORS = (botocore.exceptions.ParamValidationError, UnicodeError)


class AwsClient:
    """The boto3 client of a target, created on first use. Safe to use from many threads.

    botocore finds credentials, endpoint and addressing, and signs; the transport sends. Instead of a page
    botocore is given an empty one: it accepts pages that prove nothing, and fails on a whole page for one bad
    field or header. The caller gets the raw response.
    """

    def __init__(  # noqa: PLR0913 - what it depends on
        self,
        target: TargetSettings,
        service: str,
        transport: Transport,
        read_error: Callable[[Response], tuple[str, str]],
        empty_page: bytes,
        *,
        clock: Callable[[], float],
    ) -> None:
        """`read_error` returns a refusal's code and message; `empty_page` is the body that botocore is given.

        `clock` is Unix seconds.
        """
        self._target = target
        self._service = service
        self._transport = transport
        self._read_error = read_error
        self._empty_page = empty_page
        self._clock = clock
        self._client: Any = None
        self._session: Any = None
        self._local = threading.local()
        self.region = target.region or ""
        """The region that requests are signed for; before the first call the configured one or ''."""
        self._building = threading.Lock()  # neither sessions nor the creation of clients is thread-safe

    def call_api(
        self, call: Call, method: str, parameters: dict[str, Any], region: str | None = None
    ) -> Response:
        """Return the raw response (status 200) of one call of boto3's `method`. Raises StoreError.

        `region` is that of the bucket, None: the target's own.
        """
        self._invoke(call, method, parameters, region)
        if call.last_response is None or call.last_response.status != HTTPStatus.OK:
            raise self._refusal(call.operation, call, parameters)
        return call.last_response

    def prepare(
        self, call: Call, method: str, parameters: dict[str, Any], region: str | None = None
    ) -> Request | None:
        """Return the signed request of a page, unsent; None where the SDK sends another one first.

        Finding or refreshing credentials may take requests. Raises StoreError.
        """
        requests: list[Request] = []
        self._local.requests = requests
        try:
            self._invoke(call, method, parameters, region)
        except _OtherRequestFirstError:
            return None
        finally:
            self._local.requests = None
        return requests[-1]

    def credentials(self, call: Call) -> Keys:
        """Return the keys to sign with now, refreshed if they expire soon. Raises StoreError."""
        self._boto_client()
        try:
            if credentials := self._session.get_credentials():
                found = credentials.get_frozen_credentials()
                return Keys(found.access_key, found.secret_key, found.token)
            raise botocore.exceptions.NoCredentialsError
        except (*_SDK_ERRORS, *_PROVIDER_ERRORS, *_PARSER_ERRORS) as error:
            raise self._no_credentials(call, error) from error

    def _invoke(self, call: Call, method: str, parameters: dict[str, Any], region: str | None) -> None:
        operation = call.operation
        self._local.region = region
        try:
            getattr(self._boto_client(), method)(**parameters)
        except botocore.exceptions.ClientError as error:
            if error.operation_name not in {operation, *_AUXILIARY_OPERATIONS}:
                raise self._no_credentials(call, error) from error
            raise self._refusal(operation, call, parameters) from None
        except (botocore.exceptions.BotoCoreError, *_PROVIDER_ERRORS, *_PARSER_ERRORS) as error:
            if not isinstance(error, _NAME_ERRORS):
                self._client = None  # it caches missing credentials and a wrong region
            raise _from_sdk(operation, error, call) from error

    def _boto_client(self) -> Any:  # noqa: ANN401 - the SDK's clients are made at run time
        with self._building:
            if self._client is None:
                load_models(self._service)
                self._client = self._build()
            return self._client

    def _build(self) -> Any:  # noqa: ANN401
        target = self._target
        core = open_session(target, self._send, self._clock)
        session = self._session = boto3.Session(botocore_session=core)
        client = session.client(
            self._service,  # type: ignore[call-overload]  # one of two, by the store
            region_name=target.region or session.region_name or DEFAULT_REGION,
            endpoint_url=target.endpoint_url,
            config=_config(target),
        )
        self.region = str(client.meta.region_name)
        # first, so that a region which the SDK has learned by a redirect overrides it
        client.meta.events.register_first("before-endpoint-resolution.s3", self._set_region)
        # the server validates names: the SDK refuses Ceph's `tenant:bucket`
        client.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
        return client

    def _set_region(self, builtins: dict[str, Any], **_other: object) -> None:
        """Set the region of this thread's call; a client for each region would take half a MiB."""
        if region := getattr(self._local, "region", None):
            builtins["AWS::Region"] = region

    def _send(self, request: AWSPreparedRequest, event_name: str, **_other: object) -> AWSResponse:
        _, service, operation = event_name.split(".")[:3]
        timeout = ROLE_TIMEOUT_SECONDS if operation in _ROLE_OPERATIONS else math.inf
        prepared = Request(
            *(operation, request.method, request.url, request_headers(request), _as_bytes(request), timeout),
            item=UPLOAD_TAG if operation == UPLOADS_OPERATION else b"",
        )
        recorded = getattr(self._local, "requests", None)
        if recorded is not None and service == self._service:  # else it is the credential chain's
            if operation not in _PAGE_OPERATIONS:
                raise _OtherRequestFirstError
            recorded.append(prepared)
            return AWSResponse(request.url, HTTPStatus.OK, HTTPHeaders(), _Body(self._empty_page))
        if request.url.startswith("http:") and CUSTOMER_KEY_HEADER in request.headers:
            what = f"{operation}: the customer's key goes over TLS only; nothing was sent"
            raise StoreError(Reason.TLS, what)
        response = self._transport.send(prepared)
        # Glacier's refusals are hidden too: botocore fails on a body that is not a JSON object in UTF-8
        hidden = response.status == HTTPStatus.OK or self._service == "glacier"
        is_page = operation in _PAGE_OPERATIONS and hidden
        if is_page:
            return AWSResponse(request.url, response.status, HTTPHeaders(), _Body(self._empty_page))
        headers = HTTPHeaders.from_dict(response.headers)
        return AWSResponse(request.url, response.status, headers, _Body(response.body))

    def _no_credentials(self, call: Call, error: Exception) -> StoreError:
        """Return the error for missing keys; of a role that was refused, with the code and message of STS."""
        if not isinstance(error, botocore.exceptions.ClientError) or call.last_response is None:
            return no_credentials(call.operation, error)
        if error.operation_name not in _ROLE_OPERATIONS:
            return no_credentials(call.operation, error)
        refusal_fields, response = error.response.get("Error", {}), call.last_response
        code, message = refusal_fields.get("Code", ""), refusal_fields.get("Message", "")
        if code == "Unknown":  # Ceph's refusals differ from those of STS, and the SDK cannot read them
            code, message = self._read_error(response)
        refused = code == "AccessDenied" or (not code and response.status == HTTPStatus.FORBIDDEN)
        cause = log_safe(f"{code} {message}".strip()) or describe_body(response)
        text = f"{error.operation_name}: HTTP {response.status} ({cause}); "
        text += _REFUSED_ROLE_ADVICE if refused else _ANY_ROLE_ADVICE
        return StoreError(Reason.CREDENTIALS, text, code=code, status=response.status)

    def _refusal(self, operation: str, call: Call, parameters: dict[str, Any]) -> StoreError:
        if call.last_response is None:
            return StoreError(Reason.INTERNAL, f"{operation}: the SDK failed without an answer")
        asked = Asked(parameters.get("Bucket", ""), self._target.endpoint_url)
        return refusal(operation, call.last_response, *self._read_error(call.last_response), asked)


class _OtherRequestFirstError(Exception):
    """The SDK sends another request before the one to be prepared."""


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


def _config(target: TargetSettings) -> Config:
    return Config(
        retries={"total_max_attempts": 1, "mode": "standard"},  # the executor retries
        s3={"addressing_style": cast("Any", target.addressing_style)},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra=f"mpu-exporter/{__version__}",
    )


def request_headers(request: AWSPreparedRequest) -> list[tuple[str, str]]:
    """Return the headers of a request of botocore as they are sent."""
    signed = [(_as_text(name), _as_text(value)) for name, value in request.headers.items()]
    # by itself libcurl sends the host as in the URL, and accepts every encoding that it can decode
    return [("Host", host_header(request.url)), ("Accept-Encoding", "identity"), *signed]


def _as_text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _as_bytes(request: AWSPreparedRequest) -> bytes | None:
    body = request.body
    if body is None or isinstance(body, str):
        return body.encode("utf-8") if body else None
    return bytes(cast("bytes", body))  # no call here streams a body


def _from_sdk(operation: str, error: Exception, call: Call) -> StoreError:
    kind = type(error).__name__
    operation_sent = call.last_request.operation if call.last_request else operation
    if isinstance(error, _PROVIDER_ERRORS) or operation_sent not in {operation, *_AUXILIARY_OPERATIONS}:
        return no_credentials(operation, error)
    if isinstance(error, _NAME_ERRORS):
        return StoreError(Reason.UNSUPPORTED, f"{operation}: the SDK cannot ask for this name ({kind})")
    reason = Reason.BAD_RESPONSE if call.last_response else Reason.UNSUPPORTED
    return StoreError(reason, f"{operation}: {kind}: {log_safe(str(error))}")
