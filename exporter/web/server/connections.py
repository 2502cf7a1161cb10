"""The open connections: how many there may be, and which one goes where there is no room for another."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Container

_V6_CLIENT_BITS = 64
"""Length of the prefix that counts as one client: whoever has an IPv6 address usually has a whole /64."""
RESPONSES_AT_ONCE = 8
"""So many of the largest responses may always wait to be taken: servers ask in pairs."""
REFUSED_POLITELY = 64
"""Number of connections over the limit that get a 503, where all others have their requests under way."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What clients may take up.

    `request_timeout`: seconds from the connection (or, on a kept one, from the first byte) to the end of the
    request's head, a TLS handshake included. `response_timeout`: seconds from there until the client has
    sent the request's body, if there is one, and from the response on until it has received that.
    `connections`: maximum number for all clients together. `unsent_bytes`: of all responses together, what
    clients have still to take.
    """

    request_timeout: float = 10.0
    response_timeout: float = 60.0
    connections: int = 512
    unsent_bytes: int = 64 * 1024 * 1024
    max_header_bytes: int = 16 * 1024

    @property
    def share(self) -> int:
        """Maximum number of one client's connections: half, so that no client alone can fill all places.

        A reverse proxy or a kubelet is one client: so many of its requests are responded to side by side.
        """
        return max(1, self.connections // 2)


class Connection(Protocol):
    """An open connection."""

    client_key: object
    """What `client_of` says of its address."""

    @property
    def unsent(self) -> int:
        """Number of bytes in this process that the client has still to take."""

    def drop(self, *, unsent: bool = False) -> bool:
        """Close at once and return True, unless the client has a response to take (`unsent`: then, too)."""

    def abort(self) -> None:
        """Close at once, without sending what is buffered."""


class Connections:
    """The open connections of each client. For one event loop.

    A connection waits while the client has still to do something: from its beginning to the end of a
    request, and from the end of a response on. Only such a one is ever closed to make room, the one that
    waited longest first; one whose client has still to take a response only where no other is left.
    """

    def __init__(self, limits: ConnectionLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin without any."""
        self._limits = limits
        self._monotonic = monotonic
        self._open: dict[Connection, None] = {}
        self._waiting: dict[Connection, float] = {}
        self._count_of: defaultdict[object, int] = defaultdict(int)

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def all(self) -> list[Connection]:
        """Return every open connection."""
        return list(self._open)

    def make_room(self, client: object) -> bool:
        """Return whether a further connection of this client may be; those that wait may be closed for it."""
        own = self._count_of.get(client, 0)
        if own >= self._limits.share and not self._drop_one(self._long_ago, {client}):
            return False
        all_are_busy = len(self) - len(self._waiting) >= self._limits.connections
        most = self._limits.connections + (REFUSED_POLITELY if all_are_busy else 0)
        while len(self) >= most:
            if not self._make_place(own):
                return False
        return True

    def drop_longest_waiting(self) -> bool:
        """Close one that waits, of the clients with the most connections; return whether there was one."""
        return self._make_place(0)

    def _make_place(self, own: int) -> bool:
        """Close one that waits for a client that has `own` connections; return whether there was one.

        A client with fewer connections takes the place of one with more. Otherwise only a place that was
        held for long is taken: who opens connections faster than they can be served gains nothing. Last goes
        one of a client that asks and then does not take what it asked for.
        """
        most = max(self._count_of.values(), default=0)
        if own and own + 1 >= most:
            return self._drop_one(self._long_ago)
        heaviest = {client for client, count in self._count_of.items() if count == most}
        return (
            self._drop_one(self._monotonic(), heaviest)
            or self._drop_one(self._monotonic())
            or self._drop_one(self._long_ago, heaviest, unsent=True)
        )

    @property
    def _long_ago(self) -> float:
        """The time (monotonic clock) since which a client has had half of what it gets for a request."""
        return self._monotonic() - self._limits.request_timeout / 2

    def bound_unsent(self) -> None:
        """Close connections of whoever leaves most of what it asked for untaken, until it is not too much."""
        unsent = {each: size for each in self._open if (size := each.unsent)}
        most = max(self._limits.unsent_bytes, RESPONSES_AT_ONCE * max(unsent.values(), default=0))
        while sum(unsent.values()) > most:
            of_client: defaultdict[object, int] = defaultdict(int)
            for connection, size in unsent.items():
                of_client[connection.client_key] += size
            slowest = max(of_client, key=of_client.__getitem__)
            oldest = next(each for each in unsent if each.client_key == slowest)
            oldest.drop(unsent=True)
            self.remove(oldest)
            del unsent[oldest]

    def add(self, connection: Connection) -> None:
        """Count a connection, which waits for its first request."""
        self._open[connection] = None
        self._count_of[connection.client_key] += 1
        self.waits(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection not in self._open:
            return
        del self._open[connection]
        self.is_busy(connection)
        self._count_of[connection.client_key] -= 1
        if not self._count_of[connection.client_key]:
            del self._count_of[connection.client_key]

    def waits(self, connection: Connection) -> None:
        """Note that a connection waits from now on."""
        if connection in self._open:
            self._waiting.setdefault(connection, self._monotonic())

    def is_busy(self, connection: Connection) -> None:
        """Note that a connection's request is complete, and not yet responded to."""
        self._waiting.pop(connection, None)

    def _drop_one(self, since: float, of: Container[object] | None = None, *, unsent: bool = False) -> bool:
        """Close the one that waited longest, `since` then at least, of these clients or of all."""
        for connection, began in self._waiting.items():
            if began > since:
                return False
            if (of is None or connection.client_key in of) and connection.drop(unsent=unsent):
                self.remove(connection)
                return True
        return False


@lru_cache(maxsize=1024)
def client_of(host: str) -> object:
    """Return what stands for the client at an address: the address, of an IPv6 one the network."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return IPv6Network((int(address) >> _V6_CLIENT_BITS << _V6_CLIENT_BITS, _V6_CLIENT_BITS))
    return address if isinstance(address, IPv4Address) else address.ipv4_mapped
