"""A server whose clock is another: a call is made once more with its time, which is then remembered."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from contract.rigs import PARTS, UPLOADS, Rig, refused
from contract.scans import Together, bytes_of, operation_of, received, sized_uploads, summary_of
from servers.standin import Reply, Request

from exporter.model.errors import Reason

HOUR = 3600.0
UPLOADS_HELD = sized_uploads(40)


def clock_ahead(rig: Rig, seconds: float) -> None:
    """Set the server's clock, which its Date header tells."""
    rig.server.skew = seconds
    rig.server.answer = lambda _, truly: dated(truly(), seconds)


def dated(reply: Reply, seconds: float) -> Reply:
    return replace(reply, headers={**reply.headers, "Date": formatdate(time.time() + seconds, usegmt=True)})


def moment_of(request: Request) -> float:
    """Return the time that a request was signed for."""
    return datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%S%z").astimezone(UTC).timestamp()


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 40 * 24 * HOUR])
class TestAnotherClock:
    def test_a_call_is_made_once_more_with_the_server_s_time(self, wire: Rig, seconds: float):
        wire.fill(UPLOADS_HELD)
        clock_ahead(wire, seconds)
        assert len(wire.ids()) == 40
        first, second = wire.standin.requests
        assert abs(moment_of(first) - time.time()) < 60
        assert abs(moment_of(second) - time.time() - seconds) < 60
        assert wire.traffic.requests == {UPLOADS: 2}
        assert wire.traffic.failures == {}

    def test_it_is_remembered_from_then_on(self, wire: Rig, seconds: float):
        wire.fill(UPLOADS_HELD)
        clock_ahead(wire, seconds)
        wire.ids()
        wire.standin.forget()
        for _ in range(2):
            assert summary_of(wire).bytes == bytes_of(UPLOADS_HELD)
        assert received(wire) == {UPLOADS: 2, PARTS: 80}

    def test_calls_in_flight_when_it_jumps_are_all_made_once_more(self, wire: Rig, seconds: float):
        wire.fill(UPLOADS_HELD)
        together = Together(16)

        def jump(request: Request, truly: Callable[[], Reply]) -> Reply:
            if operation_of(request) == UPLOADS:
                return truly()
            together.hold()
            wire.server.skew = seconds
            return dated(truly(), seconds)

        wire.server.answer = jump
        assert summary_of(wire, concurrency=16).bytes == bytes_of(UPLOADS_HELD)
        assert wire.traffic.failures == {}
        assert received(wire) == wire.traffic.requests
        assert 40 + 16 <= wire.traffic.requests[PARTS] <= 40 + 2 * 16


class TestTheSameClock:
    @pytest.mark.parametrize("seconds", [0.0, 1.0])
    @pytest.mark.parametrize("says_so", [True, False])
    def test_a_complaint_from_it_is_believed_at_once(self, wire: Rig, seconds: float, *, says_so: bool):
        wire.fill(UPLOADS_HELD)
        complaint = wire.refusal(403, "RequestTimeTooSkewed")
        wire.answer(
            UPLOADS, dated(complaint, seconds) if says_so else replace(complaint, headers={"Date": None})
        )
        error = refused(wire)
        assert (error.reason, error.code) == (Reason.CREDENTIALS, "RequestTimeTooSkewed")
        assert len(wire.standin.requests) == 1
        assert wire.traffic.failures == {(UPLOADS, Reason.CREDENTIALS): 1}


class TestAClockThatMoves:
    def test_one_that_differs_at_each_look_is_followed_once_per_call(self, wire: Rig):
        wire.fill(UPLOADS_HELD)
        ahead = iter(range(1, 100))
        wire.fault(
            UPLOADS,
            reply=lambda _: dated(wire.refusal(403, "RequestTimeTooSkewed"), HOUR * next(ahead)),
        )
        for requests in (2, 4):
            assert refused(wire).reason == Reason.CREDENTIALS
            assert len(wire.standin.requests) == requests

    def test_one_that_is_put_right_is_followed(self, wire: Rig):
        wire.fill(UPLOADS_HELD)
        for seconds in (HOUR, 0.0, -HOUR, 0.0):
            clock_ahead(wire, seconds)
            assert summary_of(wire).bytes == bytes_of(UPLOADS_HELD)
        assert wire.traffic.requests[UPLOADS] == 8
        assert wire.traffic.failures == {}
