"""Tells whether a page of another site has a browser send a request that has something done."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWN_SITES = {"none", "same-origin"}
"""Values of Sec-Fetch-Site for a request of nobody's page, or of our own."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that another site's page sends a request; what is no browser may.

    Browsers send Sec-Fetch-Site over TLS and to localhost only. With it they know better than a comparison,
    as a proxy may change Host. Over plain HTTP they send Origin, whose host and port must be those of Host.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in _OWN_SITES
    origin = headers.get("origin")
    return origin is not None and not _same_host(origin, headers.get("host", ""))


def _same_host(origin: str, host: str) -> bool:
    """Whether an origin is at this host and port; `null`, which is what a page without one has, is not."""
    try:
        asking, asked = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS.get(asking.scheme)
        places = [(each.hostname, each.port or default) for each in (asking, asked)]
    except ValueError:  # no port, or no IPv6 address
        return False
    return asking.hostname is not None and places[0] == places[1]
