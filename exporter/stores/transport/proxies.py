"""The environment's proxies and their exceptions, read here for every store and engine alike.

libcurl reads them too, but not as the SDKs do: it knows no ports in NO_PROXY and no brackets.
"""

from __future__ import annotations

import ipaddress
import os
import re
from functools import lru_cache
from urllib.parse import urlsplit

_SCHEMES = ("http", "https", "all")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def has_proxies() -> bool:
    """Whether the environment names any proxy."""
    return any(map(_variable, _SCHEMES))


def proxy_for(url: str) -> str:
    """Return the URL of the proxy that a request for `url` goes through, '' for none."""
    scheme, _, rest = url.partition("://")
    proxy = _variable(scheme) or _variable("all")
    # as the SDKs have it, an empty variable in lower case hides the one in upper case
    exceptions = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    return "" if proxy and exceptions and _is_excepted(scheme, rest.split("/", 1)[0], exceptions) else proxy


def _variable(scheme: str) -> str:
    # libcurl ignores HTTP_PROXY, which a CGI request could set; this is no CGI program
    return os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY") or ""


@lru_cache(maxsize=1024)
def _is_excepted(scheme: str, authority: str, exceptions: str) -> bool:
    """Whether one of the exceptions names a server: `*`, a domain or address, with a port or without."""
    url = urlsplit(f"{scheme}://{authority}")
    host = (url.hostname or "").rstrip(".")
    port = url.port or _DEFAULT_PORTS.get(scheme)
    return any(_names(entry, host, port) for entry in re.split(r"[\s,]+", exceptions.lower()) if entry)


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    address, bracket, rest = entry.removeprefix("[").partition("]")
    if not bracket and entry.count(":") == 1:  # else it is an IPv6 address, or has no port
        address, _, rest = entry.partition(":")
        rest = f":{rest}"
    if rest.startswith(":") and rest != f":{port}":
        return False
    if "/" in address:
        return _is_within(host, address)
    name = address.strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _is_within(host: str, network: str) -> bool:
    """Whether a host is an address of a network like 10.0.0.0/8."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
