"""Calls of esdk-obs-python, of which we use the signing: our transport sends, our reader reads.

Source of what is said here about the SDK: its files client.py, http.py and convertor.py, release 3.26.6.
"""

from __future__ import annotations

import copy
import re
import threading
import warnings
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter import __version__
from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.stores.base import PARTS_OPERATION
from exporter.stores.errors import gone_error, is_gone, log_safe, refusal
from exporter.stores.obs.credentials import METADATA_URL, ObsCredentials
from exporter.stores.obs.endpoint import iam_url, read_server, sign_region
from exporter.stores.parsing.pages import read_error
from exporter.stores.transport.client import Call, Request, Transport

with warnings.catch_warnings():  # where it is not compiled yet, Python complains of its string escapes
    warnings.simplefilter("ignore")
    from obs import ObsClient
    from obs.convertor import Convertor

if TYPE_CHECKING:
    from exporter.config.settings import BucketSettings, TargetSettings
    from exporter.stores.transport.response import Answer

_HOST_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATH_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")  # Ceph's tenant:bucket


class ObsCaller:
    """One target's calls through the SDK. Safe to use from many threads.

    The SDK believes answers that prove nothing, so it is shown none: it cannot retry, follow a redirect,
    sleep or choke. Every thread has its own copy of the client, so that neither keys nor answers can get
    mixed up between threads.
    """

    def __init__(
        self, target: TargetSettings, transport: Transport, metadata_url: str = METADATA_URL
    ) -> None:
        """Make a caller; the SDK's client is made by the first call."""
        self._identity = ObsCredentials(
            target.credentials, transport, metadata_url=metadata_url, iam_url=iam_url(target)
        )
        self._target = target
        self._transport = transport
        self._building = threading.Lock()
        self._client: Any = None
        self._local = threading.local()

    def ask(
        self, call: Call, method: str, bucket: BucketSettings | None, *names: str, **options: object
    ) -> Answer:
        """Return the raw answer (status 200) to one call of the SDK's `method`.

        `bucket` is None where the account itself is asked; `names` follow it. Raises StoreError with what
        went wrong, GoneError where the upload has ended.
        """
        try:
            signer = self._signer(call.operation, bucket)
            given = names if bucket is None else (bucket.name, *names)
            getattr(signer, method)(*given, extensionHeaders=self._date(), **options)
        except (StoreError, StoppingError):
            raise
        except UnicodeError as error:
            text = f"{call.operation}: the SDK cannot ask for this name ({type(error).__name__})"
            raise StoreError(Reason.UNSUPPORTED, text) from error
        except Exception as error:  # it raises bare builtins
            text = f"{call.operation}: the SDK failed: {type(error).__name__}: {log_safe(str(error))}"
            raise StoreError(Reason.INTERNAL, text) from error
        return _accepted(call)

    def _signer(self, operation: str, bucket: BucketSettings | None) -> Any:  # noqa: ANN401 - the SDK is untyped
        client = self._own_client()
        client.server = read_server(self._target, bucket.region if bucket else None).host
        names = _PATH_BUCKET if client.path_style else _HOST_BUCKET
        if bucket and not names.fullmatch(bucket.name):
            where = "path" if client.path_style else "host name (try addressing_style: path)"
            text = f"{operation}: the bucket's name does not fit into a {where}"
            raise StoreError(Reason.UNSUPPORTED, text)
        client.refresh(*self._identity.keys())
        client.session = _Session(self._transport, operation)
        return client

    def _own_client(self) -> Any:  # noqa: ANN401
        """Return this thread's client."""
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = copy.copy(self._shared_client())
        return client

    def _shared_client(self) -> Any:  # noqa: ANN401
        with self._building:
            if self._client is None:
                self._client = self._build()
            return self._client

    def _build(self) -> Any:  # noqa: ANN401
        target, server = self._target, read_server(self._target)
        client = _Signer(
            server="http://server",  # the SDK splits URLs at every colon: told the pieces below
            signature=target.signature,
            region=sign_region(target),
            path_style=server.path_style,
            max_retry_count=0,
            is_signature_negotiation=False,
            use_http_conns=True,
        )
        client.is_secure, client.server, client.port = server.is_secure, server.host, server.port
        client.convertor = _Convertor(client.signature, client.ha)
        return client

    def _date(self) -> dict[str, str]:
        """Return the date header that Ceph asks for under `v4`; the SDK sends Date instead, else enough."""
        if self._target.signature != "v4":
            return {}
        return {"x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")}


class _Signer(ObsClient):  # type: ignore[misc]  # untyped
    """The SDK's client, which signs and hands over to its session, and reads no answer."""

    def _parse_xml(self, *_: object) -> None:
        """Read nothing: our reader does, and the SDK's takes as long as its signature."""


class _Session:
    """Stands where the SDK keeps its connections, for one call."""

    def __init__(self, transport: Transport, operation: str) -> None:
        self._transport = transport
        self._operation = operation

    def do_request(self, request: Any, *_: object) -> None:  # noqa: ANN401
        """Send what the SDK has signed; raises StoreError, also where it has not (it may, without keys)."""
        if not request.headers.get("Authorization"):
            raise StoreError(Reason.CREDENTIALS, f"{self._operation}: the SDK did not sign; nothing was sent")
        headers = {name: str(value) for name, value in request.headers.items()}
        headers.pop("Connection", None)  # the transport's business; the SDK says close
        headers["User-Agent"] = f"{headers.get('User-Agent', '')} mpu-exporter/{__version__}".strip()
        path, mark, query = request.url.partition("?")
        url = path + mark + query.replace("/", "%2F")  # what `v4` has signed; the SDK sends the slash itself
        self._transport.send(Request(self._operation, request.method, url, tuple(headers.items())))


class _Convertor(Convertor):  # type: ignore[misc]  # untyped
    """Puts a listing's parameters into the query as they are, where the SDK's drops blank ones.

    A key marker of one space would start the listing over.
    """

    def trans_list_multipart_uploads(self, **parameters: Any) -> dict[str, dict[str, str | None]]:  # noqa: ANN401
        return {"pathArgs": {"uploads": None, **parameters["multipart"]}}


def _accepted(call: Call) -> Answer:
    """Return the call's answer; raises StoreError for any but status 200, GoneError for an upload that ended.

    Where a refusal has no body, OBS names its code in a header.
    """
    operation, answer = call.operation, call.last
    if answer is None:
        raise StoreError(Reason.INTERNAL, f"{operation}: the SDK ended without an answer")
    if answer.status != HTTPStatus.OK:
        code, message = read_error(answer.body)
        if not code:
            code = answer.headers.get("x-obs-error-code", "")
            message = answer.headers.get("x-obs-error-message", "")
        error = refusal(operation, answer, code, message)
        raise gone_error(operation, error) if operation == PARTS_OPERATION and is_gone(error) else error
    return answer
