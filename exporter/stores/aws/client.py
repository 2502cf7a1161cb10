"""boto3 clients whose requests go through the target's transport, and StoreErrors for their failures."""

from __future__ import annotations

import io
import math
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import botocore.exceptions
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.handlers import validate_bucket_name

from exporter import __version__
from exporter.model.errors import Reason, StoreError
from exporter.stores.asked import Asked
from exporter.stores.aws.partition import DEFAULT_REGION
from exporter.stores.aws.route import host_header
from exporter.stores.aws.sdk_access import SdkAccess
from exporter.stores.aws.sdk_errors import NAME_ERRORS, ROLE_OPERATIONS, SDK_ERRORS, sdk_error
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
from exporter.stores.errors import refusal
from exporter.stores.parsing.large_pages import UPLOAD_TAG
from exporter.stores.transport.client import Call, Request, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3
    from botocore.awsrequest import AWSPreparedRequest

    from exporter.config.settings import TargetSettings
    from exporter.stores.aws.keys import Keys
    from exporter.stores.transport.response import Response

ROLE_TIMEOUT_SECONDS = 10.0
"""Timeout of a call to STS: the call that needs the keys has to have time left."""
_NOT_THE_KEYS = {"RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed"}
_PAGE_OPERATIONS = {
    *(UPLOADS_OPERATION, PARTS_OPERATION),
    *(BUCKETS_OPERATION, VAULTS_OPERATION, LIFECYCLE_OPERATION, TAGS_OPERATION, VAULT_TAGS_OPERATION),
}


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
        self._local = threading.local()
        self._access = SdkAccess(target, transport, self._send, self._new_client, read_error, clock=clock)
        self.region = target.region or ""
        """The region that requests are signed for; before the first call the configured one or ''."""

    def call_api(
        self, call: Call, method: str, parameters: dict[str, Any], region: str | None = None
    ) -> Response:
        """Return the raw response (status 200) of one call of boto3's `method`. Raises StoreError.

        `region` is that of the bucket, None: the target's own.
        """
        try:
            return self._answer(call, method, parameters, region)
        except StoreError as error:
            if call.last_response is None or not _doubts_keys(error):
                raise
            if not self._access.replaced(call.operation, call.deadline):
                raise
        return self._answer(call, method, parameters, region)

    def _answer(self, call: Call, method: str, parameters: dict[str, Any], region: str | None) -> Response:
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
        return self._access.get(call.operation, call.deadline).keys

    def doubt(self, refused: Keys) -> None:
        """Have keys looked for anew where these, which the store refused, are still in use."""
        self._access.doubt(refused)

    def _invoke(self, call: Call, method: str, parameters: dict[str, Any], region: str | None) -> None:
        operation = call.operation
        client = self._access.get(operation, call.deadline).client
        self._local.region = region
        try:
            getattr(client, method)(**parameters)
        except botocore.exceptions.ClientError:
            raise self._refusal(operation, call, parameters) from None
        except SDK_ERRORS as error:
            if not isinstance(error, NAME_ERRORS):
                self._access.forget()
            raise sdk_error(operation, error, answered=call.last_response is not None) from error

    def _new_client(self, session: boto3.Session) -> Any:  # noqa: ANN401 - the SDK's clients are made at run time
        target = self._target
        load_models(self._service)
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
        timeout = ROLE_TIMEOUT_SECONDS if operation in ROLE_OPERATIONS else math.inf
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

    def _refusal(self, operation: str, call: Call, parameters: dict[str, Any]) -> StoreError:
        if call.last_response is None:
            return StoreError(Reason.INTERNAL, f"{operation}: the SDK failed without an answer")
        asked = Asked(parameters.get("Bucket", ""), self._target.endpoint_url, parameters.get("Key", ""))
        return refusal(operation, call.last_response, *self._read_error(call.last_response), asked)


def _doubts_keys(error: StoreError) -> bool:
    """Whether other keys might help: the clock or the region may be wrong as well."""
    return error.reason is Reason.CREDENTIALS and error.code not in _NOT_THE_KEYS


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
