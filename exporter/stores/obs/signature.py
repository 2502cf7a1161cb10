"""Requests signed by esdk-obs-python: of the SDK nothing else is used.

Source of what is said here about the SDK: its files auth.py and convertor.py, release 3.26.6.
"""

from __future__ import annotations

import time
import warnings
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter import __version__
from exporter.model.errors import Reason, StoreError
from exporter.stores.obs.parts_signature import PartsSigner, SignedBucket
from exporter.stores.transport.url import percent_encoded, query_string

with warnings.catch_warnings():  # where it is not compiled yet, Python complains of its string escapes
    warnings.simplefilter("ignore")
    from obs import const
    from obs.auth import Authentication, V4Authentication
    from obs.convertor import Adapter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.stores.obs.credentials import Keys
    from exporter.stores.obs.endpoint import Server
    from exporter.stores.transport.url import QueryArgument

_USER_AGENT = f"obs-sdk-python/{const.OBS_SDK_VERSION} mpu-exporter/{__version__}"
_BARE_PORTS = {80, 443}
"""Those that the SDK leaves out of the Host header, whatever the scheme."""


class ObsRequest(NamedTuple):
    """A GET to be signed: of a bucket's key, '' for the bucket itself; of no bucket, '' for the account."""

    operation: str
    bucket: str
    key: str
    arguments: Sequence[QueryArgument]
    headers: Mapping[str, str] = {}
    """Those that are sent and signed with the rest."""


class SignedRequest(NamedTuple):
    """A GET: its URL, and every header that goes with it."""

    url: str
    headers: dict[str, str]

    def header_lines(self) -> list[str]:
        """Return the headers as lines."""
        return [f"{name}: {value}" for name, value in self.headers.items()]


class ObsSigner:
    """Signs GETs to one server. Safe to use from many threads.

    `signature` is that of the config (obs, v2 or v4). With the bucket in the path, `obs` means `v2`: so the
    SDK has it, and OBS takes it.
    """

    def __init__(self, server: Server, signature: str, region: str) -> None:
        """`region` goes into a signature of `v4`."""
        self._server = server
        self._region = region
        self._is_v4 = signature == "v4"
        self._authorization = self._v4_authorization if self._is_v4 else self._v2_authorization
        self._names = Adapter("v2" if server.path_style and signature == "obs" else signature)
        self._token_header: str = self._names.security_token_header()
        self._v4_date_header: str = self._names.date_header()
        self.location_header: str = self._names.location_header()
        """The header that asks for the regions of buckets."""

    def parts_signer(self, bucket: str) -> PartsSigner | None:
        """Return what signs questions for parts without the SDK; None for a signature of `v4`."""
        if self._is_v4:
            return None
        host, path = self._address(ObsRequest("", bucket, "", ()))
        server, names = self._server, self._names
        return PartsSigner(
            SignedBucket(
                bucket,
                origin=f"{server.scheme}://{host}:{server.port}{path}".removesuffix("/"),
                host=self._host_header(host),
                scheme=names.auth_prefix(),
                token_header=self._token_header,
                user_agent=_USER_AGENT,
            )
        )

    def sign(self, request: ObsRequest, keys: Keys, now: float) -> SignedRequest:
        """Return the signed request; `now` is the server's time in Unix seconds.

        Raises UnicodeEncodeError for texts with lone surrogates, StoreError where the SDK fails.
        """
        server = self._server
        host, path = self._address(request)
        url = f"{server.scheme}://{host}:{server.port}{path}"
        if request.arguments:
            url = f"{url}?{query_string(request.arguments)}"
        headers = {"Host": self._host_header(host), **request.headers}
        if keys.token:
            headers[self._token_header] = keys.token
        headers["Authorization"] = self._signature(request, keys, headers, int(now))
        headers["User-Agent"] = _USER_AGENT
        return SignedRequest(url, headers)

    def _host_header(self, host: str) -> str:
        return host if self._server.port in _BARE_PORTS else f"{host}:{self._server.port}"

    def _address(self, request: ObsRequest) -> tuple[str, str]:
        """Return host and path; the bucket is in one of them."""
        path = f"/{percent_encoded(request.key, safe='/')}" if request.key else ""
        bucket, host = request.bucket, self._server.host
        if not self._server.path_style:
            return f"{bucket}.{host}" if bucket else host, path or "/"
        return host, f"/{bucket}{path}" if bucket else path or "/"

    def _signature(self, request: ObsRequest, keys: Keys, headers: dict[str, str], second: int) -> str:
        """Return the Authorization header; what is signed with `headers` is added to them."""
        try:
            authorization = self._authorization(request, keys, headers, second)
        except UnicodeError:
            raise
        except Exception as error:  # it raises bare builtins
            what = f"{request.operation}: the SDK cannot sign with these credentials ({type(error).__name__})"
            raise StoreError(Reason.CREDENTIALS, f"{what}; nothing was sent") from error
        if not authorization:
            what = f"{request.operation}: the SDK did not sign; nothing was sent"
            raise StoreError(Reason.CREDENTIALS, what)
        return str(authorization)

    def _v2_authorization(self, request: ObsRequest, keys: Keys, headers: dict[str, str], second: int) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Sign as OBS does, or as Amazon's version 2 does."""
        headers["Date"] = _http_date(second)
        server = self._server
        signer = Authentication(
            keys.access_key, keys.secret, server.path_style, self._names, server.host, is_cname=False
        )
        signed = signer.doAuth("GET", request.bucket, request.key, dict(request.arguments), headers)
        return signed.get("Authorization")

    def _v4_authorization(self, request: ObsRequest, keys: Keys, headers: dict[str, str], second: int) -> Any:  # noqa: ANN401
        """Sign as Amazon's version 4 does; the date header is the one that Ceph asks for."""
        moment = headers[self._v4_date_header] = _v4_moment(second)
        signer = V4Authentication(
            *(keys.access_key, keys.secret, self._region, moment[:8], moment),
            *(self._server.path_style, self._names),
        )
        signed = signer.doAuth("GET", request.bucket, request.key, dict(request.arguments), headers)
        return signed.get("Authorization")


@lru_cache(maxsize=8)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


@lru_cache(maxsize=8)
def _v4_moment(second: int) -> str:
    """Return a moment as Signature Version 4 writes it; the day comes first."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
