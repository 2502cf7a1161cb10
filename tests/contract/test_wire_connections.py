"""Connections of the wire engine: few, kept from scan to scan; one that the server closed is no error."""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from threading import Thread

import pytest
from contract.rigs import PARTS, UPLOADS, Rig, failure
from contract.scans import (
    BY_NAME,
    Together,
    answering,
    bytes_of,
    hung_up,
    received,
    scan,
    sized_uploads,
    summary_of,
)
from servers.standin import Reply, Request

from exporter.model.errors import Reason

HELD = sized_uploads(100)


def hang_up(rig: Rig) -> None:
    """Close every connection, as a server does with idle ones."""
    for connection in list(rig.standin.sockets):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def closing(rig: Rig, every: int, **how: bool) -> None:
    """Have every so-manieth answer end its connection."""
    number = count(1)

    def decide(_: Request, truly: Callable[[], Reply]) -> Reply:
        reply = truly()
        return replace(reply, **how) if next(number) % every == 0 else reply

    rig.server.answer = decide


class TestCount:
    @pytest.mark.parametrize("concurrency", [1, 4, 16])
    def test_one_per_call_in_flight_and_one_for_the_listing_kept_from_scan_to_scan(
        self, wire: Rig, concurrency: int
    ):
        wire.fill(HELD)
        wire.retarget(scan=replace(wire.target.scan, page_size=10))
        for _ in range(3):
            together = Together(concurrency)
            answering(wire, lambda _, together=together: together.hold())
            assert summary_of(wire, concurrency=concurrency).bytes == bytes_of(HELD)
        assert concurrency <= wire.standin.connections <= concurrency + 1
        assert received(wire) == {UPLOADS: 30, PARTS: 300, BY_NAME: 3 * 9}  # 9 edges between 10 pages

    def test_two_scans_at_once_have_their_own_and_leave_them_to_the_next_ones(self, wire: Rig):
        wire.fill(HELD)
        together = Together(8)
        answering(wire, lambda _: together.hold())
        scans = [Thread(target=summary_of, args=(wire,), kwargs={"concurrency": 4}) for _ in range(2)]
        for each in scans:
            each.start()
        for each in scans:
            each.join()
        assert 8 <= wire.standin.connections <= 10
        wire.standin.forget()
        summary_of(wire, concurrency=4)
        assert wire.standin.connections == 0

    def test_a_scan_that_failed_gives_them_back(self, wire: Rig):
        wire.fill(HELD)
        wire.retarget(scan=replace(wire.target.scan, page_size=50))
        wire.answer(UPLOADS, wire.refusal(403, "AccessDenied"), {2})
        assert failure(scan, wire, concurrency=4).reason == Reason.ACCESS_DENIED
        assert summary_of(wire, concurrency=4).bytes == bytes_of(HELD)
        assert wire.standin.connections <= 2 * (4 + 1)  # those with calls in flight were given up
        (kept,) = wire.transport.idle_multis
        assert kept.in_flight == 0

    def test_closing_the_store_closes_them(self, wire: Rig):
        wire.fill(HELD)
        summary_of(wire, concurrency=4)
        wire.store.close()
        assert hung_up(wire)


class TestClosedByTheServer:
    @pytest.mark.parametrize("how", ["close", "close_silently"])
    @pytest.mark.parametrize("every", [1, 2, 7])
    def test_after_an_answer_is_no_error(self, wire: Rig, how: str, every: int):
        wire.fill(HELD)
        closing(wire, every, **{how: True})
        for _ in range(2):
            assert summary_of(wire, retries=0).bytes == bytes_of(HELD)
        assert wire.traffic.failures == {}
        assert received(wire) == {UPLOADS: 2, PARTS: 200}
        assert received(wire) <= wire.traffic.requests  # what was sent into a closed one counts too

    def test_between_scans_is_no_error(self, wire: Rig):
        wire.fill(HELD)
        for _ in range(3):
            assert summary_of(wire, retries=0, concurrency=8).bytes == bytes_of(HELD)
            hang_up(wire)
        assert wire.traffic.failures == {}
        assert received(wire) == {UPLOADS: 3, PARTS: 300}
        assert received(wire) <= wire.traffic.requests

    @pytest.mark.parametrize("operation", [UPLOADS, PARTS])
    def test_instead_of_an_answer_is_asked_again_by_libcurl_and_counted(self, wire: Rig, operation: str):
        wire.fill(HELD)
        summary_of(wire, concurrency=1)
        number = count(1)
        spoilt = {2, 40, 90} if operation == PARTS else {1}

        def once(request: Request) -> Reply | None:
            return Reply(reset=True) if next(number) in spoilt else None

        answering(wire, once, operation)
        before = wire.traffic.requests
        assert summary_of(wire, concurrency=1, retries=0).bytes == bytes_of(HELD)
        assert wire.traffic.failures == {}
        assert received(wire) == wire.traffic.requests
        assert wire.traffic.requests[operation] - before[operation] == before[operation] + len(spoilt)

    def test_as_soon_as_it_is_opened_is_a_failure_of_that_call_alone(self, wire: Rig):
        wire.fill(HELD)
        wire.server.answer = lambda request, truly: (
            Reply(reset=True) if request.argument("uploadId") == "u0007" else truly()
        )
        result = scan(wire)
        assert (result.summary.uploads, result.summary.unsized) == (100, 1)
        assert result.summary.bytes == bytes_of(HELD) - 8
        assert {what[1] for what in wire.traffic.failures} == {Reason.CONNECTION}
        assert wire.traffic.failures.total() == 1 + wire.target.scan.retries
        assert received(wire) == wire.traffic.requests
