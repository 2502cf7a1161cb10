"""Options of libcurl's handles: a target's TLS, proxy and limits; a request's URL and headers."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pycurl

from exporter.config.target_sections import TlsSettings
from exporter.stores.transport.proxies import has_proxies, proxy_for

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_CONNECTIONS_PER_HANDLE = 4
_DAY_SECONDS = 86400
_CA_CACHE_TIMEOUT = 321  # CURLOPT_CA_CACHE_TIMEOUT, which pycurl has no name for
_HAS_CA_CACHE_TIMEOUT = pycurl.version_info()[2] >= 0x075700  # noqa: PLR2004 - 7.87.0


class HandleOptions:
    """The libcurl options that all requests of a target share."""

    def __init__(self, tls: TlsSettings | None = None, proxy_url: str | None = None) -> None:
        """Without `proxy_url` the environment's proxies are used."""
        tls = tls or TlsSettings()
        self._proxy_url = proxy_url or ""
        self._depends_on_url = not proxy_url and has_proxies()
        self._common = {
            pycurl.PATH_AS_IS: True,  # keys may hold `..`; what was signed is what is sent
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.NOSIGNAL: True,
            pycurl.CONNECTTIMEOUT: _DAY_SECONDS,  # the timeout of the whole request is the limit
            pycurl.MAXCONNECTS: _MAX_CONNECTIONS_PER_HANDLE,
            pycurl.TCP_KEEPALIVE: True,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            **_tls_options(tls),
        }

    def configure(self, handle: pycurl.Curl, url: str) -> None:
        """Set the options on a handle, for a request to this URL."""
        for option, value in self._common.items():
            handle.setopt(option, value)
        handle.setopt(pycurl.PROXY, self._proxy_url)  # '': libcurl does not look into the environment itself
        handle.setopt(pycurl.NOPROXY, "")
        self.set_proxy(handle, url)

    def set_proxy(self, handle: pycurl.Curl, url: str) -> None:
        """Set the proxy that this URL needs, where that is not the same for every URL."""
        if self._depends_on_url:
            handle.setopt(pycurl.PROXY, proxy_for(url))


def set_request(handle: pycurl.Curl, url: str, headers: Sequence[str], timeout: float) -> None:
    """Set URL, header lines and timeout (seconds, to the last byte) of one request."""
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.HTTPHEADER, headers)
    handle.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout * 1000)))


def default_ca_file() -> Path:
    """Return the file of trusted CAs: the environment's, else the system's, else certifi's."""
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if value := os.environ.get(name, "").strip():
            return Path(value)
    # not `cafile`, which an empty SSL_CERT_FILE takes away
    paths = (ssl.get_default_verify_paths().openssl_cafile, "/etc/ssl/certs/ca-certificates.crt")
    for path in paths:
        if path and Path(path).is_file():
            return Path(path)
    import certifi  # noqa: PLC0415 - takes long; only a system without CAs needs it

    return Path(certifi.where())


def _tls_options(tls: TlsSettings) -> dict[int, Any]:
    verify = not tls.insecure_skip_verify
    options: dict[int, Any] = {
        pycurl.CAINFO: str(tls.ca_file or default_ca_file()),
        pycurl.SSL_VERIFYPEER: verify,
        pycurl.SSL_VERIFYHOST: 2 if verify else 0,
    }
    if tls.ca_file and _HAS_CA_CACHE_TIMEOUT:
        options[_CA_CACHE_TIMEOUT] = 0  # libcurl would cache the file's content for a day
    if tls.cert_file:
        options[pycurl.SSLCERT] = str(tls.cert_file)
        options[pycurl.SSLKEY] = str(tls.key_file or tls.cert_file)
    return options
