"""Every HTTP request is counted, also those that libcurl repeats by itself."""

import itertools
import threading
import time

from servers.standin import Reply, StandIn

from exporter.stores.transport import Request, Transport


class Sent:
    def __init__(self) -> None:
        self.operations: list[str] = []

    def sent(self, operation: str) -> None:
        self.operations.append(operation)

    def failed(self, operation: str, reason: str) -> None:
        raise AssertionError((operation, reason))


def test_a_request_sent_again_over_a_new_connection_counts_twice():
    number = itertools.count(1)
    traffic = Sent()
    with StandIn(lambda _: Reply(reset=next(number) == 2)) as server:
        transport = Transport(traffic, threading.Event())
        for _ in range(2):
            with transport.call("ListParts", time.monotonic() + 10):
                assert transport.send(Request("ListParts", "GET", server.url, [])).status == 200
        transport.close()
        assert len(server.requests) == 3
    assert traffic.operations == ["ListParts"] * 3
