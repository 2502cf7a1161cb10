"""Every HTTP request is counted, also those that libcurl repeats by itself."""

import itertools
import threading
import time

from fakes import Recorder
from servers.standin import Reply, StandIn

from exporter.stores.transport.client import Request, Transport


def test_a_request_sent_again_over_a_new_connection_counts_twice():
    number = itertools.count(1)
    traffic = Recorder()
    with StandIn(lambda _: Reply(reset=next(number) == 2)) as server:
        transport = Transport(traffic, threading.Event())
        for _ in range(2):
            with transport.call("ListParts", time.monotonic() + 10):
                assert transport.send(Request("ListParts", "GET", server.url, [])).status == 200
        transport.close()
        assert len(server.requests) == 3
    assert traffic.seen == [("sent", "ListParts")] * 3
