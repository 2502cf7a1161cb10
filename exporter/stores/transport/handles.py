"""Makes libcurl's handles, all alike for one target: how servers are verified, which proxy, which limits."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pycurl

from exporter.config.settings import TlsSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONNECTIONS_PER_HANDLE = 4
_A_DAY = 86400
_CA_CACHE_TIMEOUT = 321  # CURLOPT_CA_CACHE_TIMEOUT, which pycurl has no name for
_KNOWS_CA_CACHE = pycurl.version_info()[2] >= 0x075700  # noqa: PLR2004 - 7.87.0


class HandlePool:
    """Knows what every request of a target has in common."""

    def __init__(self, tls: TlsSettings | None = None, proxy_url: str | None = None) -> None:
        """Make it from a target's settings; without a proxy URL the environment's proxies count."""
        tls = tls or TlsSettings()
        self._proxy_url = proxy_url
        self._constant = {
            pycurl.PATH_AS_IS: True,  # keys may hold `..`; what was signed is what is sent
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.ACCEPT_ENCODING: "",  # decode what comes encoded, though `identity` is asked for
            pycurl.NOSIGNAL: True,
            pycurl.CONNECTTIMEOUT: _A_DAY,  # the limit of the whole counts
            pycurl.MAXCONNECTS: _CONNECTIONS_PER_HANDLE,
            pycurl.TCP_KEEPALIVE: True,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            **_tls_options(tls),
        }

    def configure(self, handle: pycurl.Curl, url: str) -> None:
        """Set what all requests of the target have in common; of the URL only the scheme counts."""
        for option, value in self._constant.items():
            handle.setopt(option, value)
        for option, value in self._proxy_options(url).items():
            handle.setopt(option, value)

    def _proxy_options(self, url: str) -> dict[int, Any]:
        if self._proxy_url:
            return {pycurl.PROXY: self._proxy_url, pycurl.NOPROXY: ""}
        # of the environment's names libcurl leaves HTTP_PROXY out, fearing CGI; we are none
        upper = os.environ.get("HTTP_PROXY")
        if upper and url.startswith("http://") and not os.environ.get("http_proxy"):
            return {pycurl.PROXY: upper}
        return {}


def aim(handle: pycurl.Curl, url: str, headers: Sequence[str], seconds: float) -> None:
    """Set what one request has of its own: header lines, and how long it may take to the last byte."""
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.HTTPHEADER, headers)
    handle.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))


def default_ca_file() -> Path:
    """Return the trust store of every store: the environment's, else the system's, else certifi's."""
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if value := os.environ.get(name):
            return Path(value)
    paths = (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt")
    return next((Path(path) for path in paths if path and Path(path).is_file()), Path(certifi.where()))


def _tls_options(tls: TlsSettings) -> dict[int, Any]:
    verify = not tls.insecure_skip_verify
    options: dict[int, Any] = {
        pycurl.CAINFO: str(tls.ca_file or default_ca_file()),
        pycurl.SSL_VERIFYPEER: verify,
        pycurl.SSL_VERIFYHOST: 2 if verify else 0,
    }
    if tls.ca_file and _KNOWS_CA_CACHE:
        options[_CA_CACHE_TIMEOUT] = 0  # libcurl would use for a day what it has read of the file
    if tls.cert_file:
        options[pycurl.SSLCERT] = str(tls.cert_file)
        options[pycurl.SSLKEY] = str(tls.key_file or tls.cert_file)
    return options
