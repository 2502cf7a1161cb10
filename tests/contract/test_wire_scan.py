"""Scans through the wire engine: stops, slow answers beside quick ones, odd keys, odd heads of answers."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from itertools import count
from threading import Event

import pytest
from contract.faults import TOO_LATE
from contract.keys import CONTROL_KEYS, ODD_KEYS
from contract.rigs import PARTS, UPLOADS, Opener, Part, Rig, Upload, body, fields, items
from contract.scans import (
    NOW,
    PATIENCE,
    Together,
    answering,
    bytes_of,
    hung_up,
    operation_of,
    received,
    scan,
    sized_uploads,
    spoiling,
    summary_of,
)
from servers.standin import Reply, Request

from exporter.model.errors import Reason, StoppingError, StoreError
from exporter.stores.transport.response import Response

HELD = sized_uploads(200)


def errors_and_responses() -> int:
    """Return how many are in memory."""
    # not isinstance, which asks what a proxy stands for, though that may be gone
    return sum(issubclass(type(each), StoreError | Response) for each in gc.get_objects())


class TestStop:
    @pytest.mark.parametrize("in_flight", [1, 16])
    def test_it_ends_a_scan_within_a_second_and_leaves_nothing_in_flight(self, wire: Rig, in_flight: int):
        wire.fill(HELD)
        stopped: list[float] = []

        def stop() -> None:
            stopped.append(time.monotonic())
            wire.stop.set()

        together = Together(in_flight, stop)
        answering(wire, lambda _: (together.hold(), Reply(hang=True))[1])
        with pytest.raises(StoppingError):
            scan(wire, concurrency=in_flight)
        assert time.monotonic() - stopped[0] < 1
        assert wire.traffic.failures == {}
        (kept,) = wire.transport.idle_multis
        assert kept.in_flight == 0
        assert hung_up(wire)  # the server is told that nobody waits

    def test_it_ends_a_scan_that_waits_for_its_listing(self, wire: Rig):
        wire.fill(HELD)
        answering(wire, lambda _: (wire.stop.set(), Reply(hang=True))[1], UPLOADS)
        started = time.monotonic()
        with pytest.raises(StoppingError):
            scan(wire)
        assert time.monotonic() - started < 2

    def test_nothing_is_sent_after_it(self, wire: Rig):
        wire.fill(HELD)
        wire.stop.set()
        with pytest.raises(StoppingError):
            scan(wire)
        assert received(wire).total() == 0


class TestSlowAnswers:
    @pytest.mark.parametrize("how", TOO_LATE)
    def test_one_is_given_up_in_time_while_all_others_are_taken(self, wire: Rig, how: str):
        wire.fill(HELD)
        scan(wire)  # so that boto3 and the connections are there
        spoiling(wire, "u0000", lambda reply: replace(reply, **TOO_LATE[how]))
        started = time.monotonic()
        result = scan(wire, concurrency=31, request_timeout=1.5, retries=0)
        assert 1.4 < time.monotonic() - started < 5
        assert (result.summary.uploads, result.summary.unsized) == (200, 1)
        assert result.summary.bytes == bytes_of(HELD) - 1
        assert wire.traffic.failures == {(PARTS, Reason.TIMEOUT): 1}

    @pytest.mark.parametrize("concurrency", [2, 31])
    def test_no_other_call_waits_for_one(self, wire: Rig, concurrency: int):
        wire.fill(HELD)
        others, all_answered = count(1), Event()

        def decide(request: Request, truly: Callable[[], Reply]) -> Reply:
            if request.argument("uploadId") == "u0000":
                assert all_answered.wait(PATIENCE), "the others wait for the slow one"
            elif operation_of(request) == PARTS and next(others) == len(HELD) - 1:
                all_answered.set()
            return truly()

        wire.server.answer = decide
        assert summary_of(wire, concurrency=concurrency).bytes == bytes_of(HELD)

    def test_the_end_of_a_scan_s_time_leaves_what_hangs_unsized(self, wire: Rig):
        wire.fill(HELD[:20])
        scan(wire)
        spoiling(wire, "u0003", lambda _: Reply(hang=True))
        started = time.monotonic()
        result = scan(wire, timeout=1.5, request_timeout=30.0, retries=5)
        assert time.monotonic() - started < 5
        assert (result.summary.uploads, result.summary.unsized) == (20, 1)


class TestFailures:
    @pytest.mark.parametrize("answer", [Reply(body=b"<html>"), Reply(403, body=b"no"), Reply(status=404)])
    def test_they_leave_nothing_for_the_garbage_collector(self, wire: Rig, answer: Reply):
        wire.fill(HELD[:20])
        scan(wire)  # so that boto3 and the connections are there
        answering(wire, lambda _: answer)
        gc.collect()
        gc.disable()
        try:
            before = errors_and_responses()
            assert scan(wire, retries=0).summary.unsized == 20
            assert errors_and_responses() == before
        finally:
            gc.enable()


class TestKeys:
    @pytest.mark.parametrize("page_size", [None, 3])
    def test_odd_ones_are_sized_exactly(self, open_wire: Opener, page_size: int | None):
        rig = open_wire()
        rig.retarget(scan=replace(rig.target.scan, page_size=page_size))
        uploads = [
            Upload(key, f"id-{number}", parts=[Part(1, 2**number), Part(2, 1)])
            for number, key in enumerate(ODD_KEYS + CONTROL_KEYS)
        ]
        rig.fill(uploads)
        summary = summary_of(rig)
        assert (summary.uploads, summary.parts) == (len(uploads), 2 * len(uploads))
        assert summary.bytes == bytes_of(uploads)
        assert rig.traffic.failures == {}

    def test_ids_of_any_text_are_sized_exactly(self, wire: Rig):
        uploads = [
            Upload("k", upload_id, NOW - number, parts=[Part(1, 2**number)])
            for number, upload_id in enumerate(
                ["+/=", "%41", "a b", "ü", "a&b=c", "?x#y", "..", "a/../b", "~*'()"]
            )
        ]
        wire.fill(uploads)
        assert summary_of(wire).bytes == bytes_of(uploads)

    @pytest.mark.parametrize("field", ["Key", "UploadId"])
    @pytest.mark.parametrize("text", [b"caf\xe9 \xff", b"\xed\xa0\x80", b"&#xD800;"])
    def test_one_that_is_not_unicode_leaves_that_upload_unsized(self, wire: Rig, field: str, text: bytes):
        wire.fill(HELD[:5])
        wire.fault(UPLOADS, page=items(2, **{field: "TEXT"}))
        wire.fault(UPLOADS, reply=body(lambda page: page.replace(b"TEXT", text)))
        try:
            summary = scan(wire).summary
        except StoreError as error:
            assert error.reason == Reason.BAD_RESPONSE  # noqa: PT017 - either will do
        else:
            assert (summary.uploads, summary.unsized) == (5, 1)
            assert summary.bytes == bytes_of(HELD[:5]) - 3

    def test_a_marker_that_is_not_unicode_fails_the_scan_and_not_the_exporter(self, wire: Rig):
        wire.fill(HELD[:5])
        wire.fault(UPLOADS, page=fields(IsTruncated="true", NextKeyMarker="TEXT"))
        wire.fault(UPLOADS, reply=body(lambda page: page.replace(b"TEXT", b"caf\xe9 \xff\x01")))
        with pytest.raises(StoreError) as caught:
            scan(wire)
        assert caught.value.reason == Reason.UNSUPPORTED

    def test_a_refused_upload_encrypted_with_a_customer_s_key_is_unsized_alone(self, wire: Rig):
        wire.fill(HELD)
        encrypted = wire.refusal(
            400, "InvalidRequest", "The object was stored using a form of Server Side Encryption."
        )
        spoiling(wire, "u0010", lambda _: encrypted)
        result = scan(wire)
        assert (result.summary.uploads, result.summary.unsized) == (200, 1)
        assert result.summary.bytes == bytes_of(HELD) - 11
        assert "InvalidRequest" in result.warning
        assert received(wire) == {UPLOADS: 1, PARTS: 200}


BLOCKS = {
    "100": "HTTP/1.1 100 Continue\r\n\r\n",
    "103 with a date": "HTTP/1.1 103 Early Hints\r\nDate: {old}\r\nLink: x\r\n\r\n",
    "many": "HTTP/1.1 100 Continue\r\n\r\n" * 5,
}


class TestHeads:
    @pytest.mark.parametrize("blocks", BLOCKS)
    def test_interim_answers_are_passed_over(self, wire: Rig, blocks: str):
        self.check(wire, BLOCKS[blocks], [formatdate(NOW, usegmt=True)])

    def test_the_last_of_two_dates_counts(self, wire: Rig):
        self.check(wire, "", [formatdate(NOW - 1e8, usegmt=True), formatdate(NOW, usegmt=True)])

    @staticmethod
    def check(rig: Rig, before: str, dates: list[str]) -> None:
        """Scan uploads that are believed only if the store's clock is the date of the answer itself."""
        uploads = [replace(upload, initiated=NOW - 60) for upload in HELD[:9]]
        rig.fill(uploads)

        def decide(_: Request, truly: Callable[[], Reply]) -> Reply:
            reply = truly()
            head = "".join(f"Date: {date}\r\n" for date in dates)
            head = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(reply.body)}\r\n\r\n"
            old = formatdate(NOW - 1e8, usegmt=True)
            return Reply(raw=(before.format(old=old) + head).encode() + reply.body)

        rig.server.answer = decide
        summary = summary_of(rig)
        assert (summary.undated, summary.bytes) == (0, bytes_of(uploads))
        assert summary.oldest_initiated == NOW - 60
