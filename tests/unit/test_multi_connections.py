"""The connections of many requests: kept, used again, noticed when they close, numbered anew."""

from __future__ import annotations

import itertools
import os
import resource
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes import Recorder
from servers.standin import Reply, StandIn
from unit.multi_requests import SOON, fine, outcomes, paths, start

from exporter.stores.transport.client import Transport
from exporter.stores.transport.handles import HandleOptions
from exporter.stores.transport.multi import MultiTransport

HIGH = 1100
"""A file's number that select() could not wait for."""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def run_in_turn(multi: MultiTransport, server: StandIn, number: int, at_once: int) -> dict[object, object]:
    """Ask so many times, with so many requests in flight."""
    left, found = paths(number), {}
    start(multi, server, *left[:at_once])
    del left[:at_once]
    while len(found) < number:
        ended = outcomes(multi, 1)
        found |= ended
        start(multi, server, *left[: len(ended)])
        del left[: len(ended)]
    return found


class TestKept:
    def test_one_is_used_by_request_after_request(self, multi, server):
        assert run_in_turn(multi, server, 20, at_once=1) == fine(paths(20))
        assert server.connections == 1

    def test_as_many_as_were_in_flight_at_once(self, multi, server, answering):
        answering.default = Reply(delay_before_headers=0.05)
        for _ in range(4):
            start(multi, server, *paths(20))
            outcomes(multi, 20)
        assert server.connections == 20

    def test_by_a_transport_from_borrower_to_borrower(self, server):
        transport = Transport(Recorder(), threading.Event())
        for _ in range(3):
            multi = transport.borrow()
            start(multi, server, "/one")
            assert outcomes(multi, 1) == fine(["/one"])
            transport.give_back(multi)
        transport.close()
        assert server.connections == 1

    def test_but_no_two_borrow_the_same(self):
        transport = Transport(Recorder(), threading.Event())
        one, two = transport.borrow(), transport.borrow()
        assert one is not two
        transport.give_back(one)
        assert transport.borrow() is one
        transport.give_back(one)
        transport.give_back(two)
        transport.close()

    def test_what_is_given_back_has_nothing_in_flight(self, server, answering):
        answering.replies["/hangs"] = Reply(hang=True)
        transport = Transport(Recorder(), threading.Event())
        multi = transport.borrow()
        start(multi, server, "/hangs")
        multi.completed(0.05)
        transport.give_back(multi)
        again = transport.borrow()
        start(again, server, "/one")
        assert outcomes(again, 1) == fine(["/one"])
        transport.give_back(again)
        transport.close()


class TestClosedByTheServer:
    def test_with_notice(self, multi, server, answering):
        answering.default = Reply(close=True)
        assert run_in_turn(multi, server, 20, at_once=1) == fine(paths(20))
        assert server.connections == 20

    def test_silently(self, multi, server, answering):
        answering.default = Reply(close_silently=True)
        assert run_in_turn(multi, server, 50, at_once=1) == fine(paths(50))

    def test_while_a_request_was_on_its_way_has_it_sent_again_and_counted(self, multi):
        number = itertools.count(1)
        with StandIn(lambda _: Reply(reset=next(number) == 2)) as server:
            sendings = []
            for _ in range(3):
                multi.start(server.url, [], SOON, "label")
                ((_, answer, sent),) = multi.completed(SOON)
                sendings.append((answer.status, sent))
        assert sendings == [(200, 1), (200, 2), (200, 1)]
        assert len(server.requests) == 4

    def test_while_idle_costs_the_next_request_nothing(self, multi):
        with StandIn(lambda _: Reply()) as server:
            start(multi, server, *paths(5))
            outcomes(multi, 5)
            port = server.port
        with StandIn(lambda request: Reply(body=request.path.encode())) as other:
            assert other.port != port
            start(multi, other, *paths(5))
            assert outcomes(multi, 5) == fine(paths(5))


class TestGivenUp:
    def test_what_is_in_flight_never_comes_out(self, multi, server, answering):
        answering.replies["/hangs"] = Reply(hang=True)
        start(multi, server, "/hangs")
        multi.completed(0.05)
        multi.cancel()
        start(multi, server, "/one")
        assert outcomes(multi, 1) == fine(["/one"])
        assert multi.completed(0.05) == []

    def test_nor_what_has_ended_and_was_not_looked_at(self, multi, server):
        start(multi, server, *paths(5))
        while not all(buffer.received_bytes for buffer in multi.in_flight_buffers):
            multi.advance(time.monotonic() + 0.01)
        multi.cancel()
        start(multi, server, "/one")
        assert outcomes(multi, 1) == fine(["/one"])

    def test_idle_connections_are_kept(self, multi, server, answering):
        answering.replies["/hangs"] = Reply(hang=True)
        start(multi, server, "/hangs", "/one")
        outcomes(multi, 1)
        multi.cancel()
        start(multi, server, "/two")
        outcomes(multi, 1)
        assert server.connections == 2

    def test_half_an_answer_is_no_part_of_the_next(self, multi, server, answering):
        half = Reply(headers={"X-Half": "yes"}, body=b"x" * 1000, drip_body=SOON)
        answering.replies["/half"] = half
        start(multi, server, "/half")
        while not multi.in_flight_buffers[0].received_bytes:
            multi.completed(0.01)
        multi.cancel()
        start(multi, server, "/one")
        ((_, answer, sendings),) = multi.completed(SOON)
        assert (answer.body, answer.headers.get("x-half"), sendings) == (b"/one", None, 1)

    def test_without_requests_nothing_is(self, multi):
        multi.cancel()
        assert multi.completed(0.0) == []

    def test_closing_closes_every_file(self, answering):
        answering.replies["/hangs"] = Reply(hang=True)
        MultiTransport(HandleOptions()).close()  # what is opened once for all
        before = open_files()
        multi = MultiTransport(HandleOptions())
        with StandIn(answering) as server:
            start(multi, server, "/hangs", *paths(10))
            outcomes(multi, 10)
            multi.close()
        assert open_files() <= before


class TestNumbersOfFiles:
    """A connection that closes leaves its number to the next file, which epoll knows nothing of."""

    @pytest.mark.parametrize("at_once", [1, 20])
    def test_that_mean_another_connection_each_time(self, multi, server, answering, at_once):
        answering.default = Reply(close=True)
        assert run_in_turn(multi, server, 400, at_once=at_once) == fine(paths(400))
        assert server.connections == 400

    def test_of_connections_that_close_silently(self, multi, server, answering):
        answering.default = Reply(close_silently=True)
        assert run_in_turn(multi, server, 400, at_once=20) == fine(paths(400))

    def test_that_others_take_in_between(self, multi, server, answering):
        answering.default = Reply(close=True)
        over = threading.Event()

        def take_numbers() -> None:
            while not over.is_set():
                for file in [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]:
                    os.close(file)

        thread = threading.Thread(target=take_numbers)
        thread.start()
        try:
            assert run_in_turn(multi, server, 300, at_once=20) == fine(paths(300))
        finally:
            over.set()
            thread.join(SOON)

    def test_beside_connections_that_stay(self, multi, server, answering):
        answering.replies = {path: Reply(close=True) for path in paths(300)[::2]}
        answering.replies["/slow"] = Reply(delay_before_headers=0.3, close=True)
        start(multi, server, "/slow")
        found = run_in_turn(multi, server, 300, at_once=20)
        while len(found) < 301:  # on a slow machine the slow one may have ended among the others
            found |= outcomes(multi, 1)
        assert found == fine([*paths(300), "/slow"])

    def test_beyond_those_that_select_can_wait_for(self, multi, server, answering):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * HIGH:
            pytest.skip("this process may not open as many files")
        together = threading.Barrier(50)
        server.handler = lambda request: (together.wait(SOON), answering(request))[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * HIGH, hard))
        with ExitStack() as files:
            files.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            while files.enter_context(Path(os.devnull).open()).fileno() < HIGH:
                pass
            start(multi, server, *paths(50))
            assert outcomes(multi, 50) == fine(paths(50))
