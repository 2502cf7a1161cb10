"""The names under which the exporter may be asked: flags and Host headers in, yes or no out.

A page of another site whose own name is made to lead here (DNS rebinding) can read whatever the exporter
answers: to a browser it is a page of this site. Its requests carry that name in Host.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from exporter.text.quoting import one_line
from exporter.web.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_PORT = 65535
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/?#@,\\]+)(?::([0-9]{0,5}))?")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_REFUSED = b"421 not under this name: ask by IP address, or start with --web.allowed-hosts=NAME to allow it\n"


class Host(NamedTuple):
    """A host, in lower case and IPv6 addresses in brackets, and its port, None where none is written."""

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read a host as headers and URLs have it. Raises ValueError where it is none."""
        found = _HOST.fullmatch(text)
        if found is None:
            raise ValueError("must be a host or host:port, with an IPv6 address in brackets")
        name, port = found[1].lower(), int(found[2]) if found[2] else None
        if name.startswith("["):
            name = f"[{ip_address(name[1:-1])}]"
        if port is not None and port > MAX_PORT:
            raise ValueError("must have a port of at most 65535")
        return cls(name, port)

    @property
    def is_address(self) -> bool:
        """Whether it is an IP address, which nobody has to look up."""
        try:
            ip_address(self.name.strip("[]"))
        except ValueError:
            return False
        return True


def parse_allowed_host(text: str) -> Host:
    """Read `name`, `name:port` or `*.domain`. Raises ValueError where it cannot be one."""
    host = Host.parse(text)
    name = host.name.removesuffix(".")
    if not host.is_address and not _NAME.fullmatch(name):
        raise ValueError(
            "must be a host, host:port or *.domain, as browsers send it: ASCII, no scheme, no path"
        )
    return host._replace(name=name)


def is_allowed(text: str, allowed: Sequence[Host], default_port: int) -> bool:
    """Return whether to answer a request with this Host header, which may lack the default port.

    Any IP address is allowed: it cannot be made to lead elsewhere, and probes and scrapes come with it.
    """
    try:
        host = Host.parse(text)
    except ValueError:
        return False
    if host.is_address:
        return True
    name, port = host.name.removesuffix("."), default_port if host.port is None else host.port
    return any(each.port in {None, port} and _matches(name, each.name) for each in allowed)


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:]) and name != pattern[1:]
    return name == pattern


@dataclass(slots=True)
class HostGuard:
    """ASGI middleware: passes requests for allowed hosts to `app`, and tells others nothing. None: any is."""

    app: Any
    allowed: Sequence[Host]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Respond to one request, or pass it on."""
        if scope["type"] != "http":
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = hosts[0] if len(hosts) == 1 else ""
        if not self.allowed or is_allowed(host, self.allowed, DEFAULT_PORTS[scope["scheme"]]):
            await self.app(scope, receive, send)
            return
        log.debug("a request names a host that is not allowed", extra={"fields": {"host": one_line(host)}})
        await refuse(send, 421, _REFUSED)
