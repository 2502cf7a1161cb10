"""Tells whether a page of another site has a browser send a request that has something done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.web.hosts import DEFAULT_PORTS, Host

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWN_SITES = {"none", "same-origin"}
"""Values of Sec-Fetch-Site for a request of nobody's page, or of our own."""
_ORIGIN = re.compile(r"(https?)://([^/?#]+)", re.IGNORECASE)


def is_foreign(headers: Mapping[str, str], *, encrypted: bool = False) -> bool:
    """Return whether a browser says that another site's page sends a request; what is no browser may.

    Browsers send Sec-Fetch-Site over TLS and to localhost only. With it they know better than a comparison,
    as a proxy may change Host. Over plain HTTP they send Origin, whose host and port must be those of Host;
    very old ones send a Referer only. `encrypted`: the request came over TLS, so our own pages did as well.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in _OWN_SITES
    host = headers.get("host", "")
    if (origin := headers.get("origin")) is not None:
        return not _is_own(_ORIGIN.fullmatch(origin), host, encrypted=encrypted)
    referer = headers.get("referer")
    return bool(referer) and not _is_own(_ORIGIN.match(referer or ""), host, encrypted=encrypted)


def _is_own(origin: re.Match[str] | None, host: str, *, encrypted: bool) -> bool:
    """Whether an origin is at this host and port; `null`, which is what a page without one has, is not."""
    if origin is None or (encrypted and origin[1].lower() != "https"):
        return False
    try:
        asking, asked = Host.parse(origin[2]), Host.parse(host)
    except ValueError:
        return False
    default = DEFAULT_PORTS[origin[1].lower()]  # a proxy in front may be the one that encrypts
    return _complete(asking, default) == _complete(asked, default)


def _complete(host: Host, default_port: int) -> Host:
    return host if host.port is not None else host._replace(port=default_port)
