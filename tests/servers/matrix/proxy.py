"""A proxy before a server, which passes everything on and lets a test act between two requests."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from servers.standin import Reply, Request, StandIn

Hook = Callable[[Request, bytes | None], None]
"""Is called before a request is passed on, with None, and again with the body of its answer."""
_OWN = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Proxy:
    """The handler: what a client signed, its Host header too, reaches the server as it came."""

    def __init__(self, endpoint_url: str, hook: Hook) -> None:
        self._server = urlsplit(endpoint_url).netloc
        self._hook = hook
        self._local = threading.local()

    def __call__(self, request: Request) -> Reply:
        self._hook(request, None)
        connection = http.client.HTTPConnection(self._server, timeout=30)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(request.body)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        self._hook(request, body)
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _OWN}
        return Reply(response.status, headers, body)


@contextmanager
def proxied(endpoint_url: str, hook: Hook) -> Iterator[str]:
    """Yield the URL of a proxy that runs while the block lasts."""
    with StandIn(Proxy(endpoint_url, hook)) as proxy:
        yield proxy.url
