"""Rule 7, and what else goes wrong on the way: deadlines to the last byte, broken transfers, connections."""

import random
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Thread

import pytest
from contract.faults import TOO_LATE
from contract.rigs import PARTS, SCAN, UPLOADS, Opener, Part, Rig, Upload, body, ids_of, refused, some_uploads
from servers import free_port
from servers.standin import Reply

from exporter.model.errors import Reason, StoppingError
from exporter.stores.transport import listing_body, response_buffer

UPLOAD = Upload("k", "id-1", parts=[Part(1, 7)])
IMPATIENT = replace(SCAN, request_timeout=0.4, retries=0)


def late(rig: Rig, operation: str, how: str) -> None:
    """Ask, which has to end by itself, long before the answer does."""
    rig.fill([UPLOAD])
    rig.ids()  # the SDK's client is made by the first call
    rig.fault(operation, reply=lambda reply: replace(reply, **TOO_LATE[how]))
    started = time.monotonic()
    error = refused(rig, UPLOAD if operation == PARTS else None, request_timeout=0.3, retries=0)
    assert (error.reason, error.retryable) == (Reason.TIMEOUT, True)
    assert time.monotonic() - started < 3
    assert rig.traffic.failures == {(operation, Reason.TIMEOUT): 1}


class TestDeadline:
    @pytest.mark.parametrize("how", TOO_LATE)
    @pytest.mark.parametrize("operation", [UPLOADS, PARTS])
    def test_a_call_ends_with_its_last_byte(self, one_rig: Rig, operation: str, how: str):
        late(one_rig, operation, how)

    @pytest.mark.parametrize("how", ["no answer", "dripping headers", "dripping body"])
    def test_whatever_the_store_s_sdk_thinks(self, rig: Rig, how: str):
        late(rig, UPLOADS, how)

    def test_a_slow_answer_in_time_is_taken(self, one_rig: Rig):
        one_rig.fill([UPLOAD])
        one_rig.fault(UPLOADS, reply=lambda reply: replace(reply, drip_headers=1e-4, drip_body=1e-4))
        assert one_rig.ids(retries=0) == ["id-1"]

    def test_the_scan_s_deadline_ends_a_call_before_its_own(self, open_rig: Opener):
        rig = open_rig(scan=replace(IMPATIENT, request_timeout=60, retries=5))
        rig.answer(UPLOADS, Reply(hang=True))
        started = time.monotonic()
        error = refused(rig, deadline=started + 0.4)
        assert error.reason == Reason.TIMEOUT
        assert time.monotonic() - started < 5

    def test_no_call_begins_after_the_scan_s_deadline(self, rig: Rig):
        assert refused(rig, deadline=time.monotonic() - 1).reason == Reason.TIMEOUT
        assert rig.standin.requests == []

    def test_a_timeout_is_tried_again(self, open_rig: Opener):
        rig = open_rig(scan=replace(IMPATIENT, retries=5))
        rig.fill([UPLOAD])
        rig.size(UPLOAD, request_timeout=30)
        rig.answer(UPLOADS, Reply(hang=True), {1})
        assert rig.ids() == ["id-1"]

    def test_a_handshake_nobody_answers_ends_in_time(self, open_rig: Opener):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            rig = open_rig(scan=IMPATIENT, endpoint_url=f"https://localhost:{port}")
            assert refused(rig).reason == Reason.TIMEOUT

    def test_stopping_ends_a_call_under_way(self, open_rig: Opener):
        rig = open_rig(scan=replace(SCAN, request_timeout=60))
        rig.fault(UPLOADS, reply=lambda reply: (rig.stop.set(), replace(reply, hang=True))[1])
        started = time.monotonic()
        with pytest.raises(StoppingError):
            rig.ids()
        assert time.monotonic() - started < 5
        assert rig.traffic.failures == {}

    def test_nothing_is_sent_once_stopped(self, open_rig: Opener):
        rig = open_rig()
        rig.stop.set()
        with pytest.raises(StoppingError):
            rig.ids()
        assert rig.standin.requests == []


class TestBrokenTransfers:
    def test_a_refused_connection(self, open_rig: Opener):
        rig = open_rig(endpoint_url=f"http://localhost:{free_port()}")
        error = refused(rig)
        assert (error.reason, error.retryable) == (Reason.CONNECTION, True)
        assert rig.traffic.requests == {UPLOADS: 3}

    def test_a_name_nobody_knows(self, open_rig: Opener):
        rig = open_rig(endpoint_url="http://no-such-name.invalid", scan=replace(SCAN, retries=0))
        assert refused(rig).reason == Reason.CONNECTION

    @pytest.mark.parametrize("broken", [Reply(reset=True), Reply(raw=b"")])
    def test_a_connection_that_breaks_is_tried_again(self, rig: Rig, broken: Reply):
        rig.fill([UPLOAD])
        rig.answer(UPLOADS, broken, {1})
        assert rig.ids() == ["id-1"]
        rig.answer(PARTS, broken)
        assert refused(rig, UPLOAD).reason == Reason.CONNECTION

    def test_a_cut_answer_is_tried_again(self, rig: Rig):
        rig.fill([UPLOAD])
        rig.fault(UPLOADS, {1, 2}, reply=lambda reply: replace(reply, cut_after=20))
        assert rig.ids() == ["id-1"]

    @pytest.mark.parametrize(
        "raw",
        [
            b"SSH-2.0-OpenSSH_9.2p1\r\n",
            b"\x00\x01\x02\xff" * 50,
            b"<html></html>",
            b"HTTP/9.9 200 OK\r\n\r\n",
        ],
    )
    def test_what_is_not_http_is_a_bad_response(self, rig: Rig, raw: bytes):
        rig.answer(UPLOADS, Reply(raw=raw))
        assert refused(rig).reason == Reason.BAD_RESPONSE

    def test_endless_headers_are_a_bad_response(self, rig: Rig):
        rig.answer(UPLOADS, Reply(headers={f"X-{number}": "x" * 8000 for number in range(100)}))
        assert refused(rig).reason == Reason.BAD_RESPONSE

    def test_an_interim_answer_is_passed_over(self, rig: Rig):
        rig.fill([UPLOAD])
        interim = b"HTTP/1.1 103 Early Hints\r\nDate: Fri, 01 Jan 1999 00:00:00 GMT\r\n\r\n"

        def after_it(reply: Reply) -> Reply:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply.body)}\r\n\r\n".encode()
            return Reply(raw=interim + head + reply.body)

        rig.fault(UPLOADS, reply=after_it)
        initiated = UPLOAD.initiated if rig.store.has_initiation_times else None
        assert [initiated] == [upload.initiated for upload in rig.uploads()]


class TestBodies:
    @pytest.mark.parametrize(
        "how", [{"chunked": True}, {"no_length": True}, {"gzip": True}, {"gzip": True, "chunked": True}]
    )
    def test_bodies_of_any_framing_are_read(self, rig: Rig, how: dict[str, bool]):
        rig.fill([UPLOAD, *some_uploads(40)])
        for operation in (UPLOADS, PARTS):
            rig.fault(operation, reply=lambda reply: replace(reply, **how))
        assert len(rig.ids()) == 41
        assert rig.size(UPLOAD).bytes == 7

    def test_a_body_that_is_not_what_it_says_is_a_bad_response(self, rig: Rig):
        rig.answer(UPLOADS, Reply(headers={"Content-Encoding": "gzip"}, body=b"no gzip"))
        assert refused(rig).reason == Reason.BAD_RESPONSE

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize("status", [200, 500])
    def test_a_body_over_the_cap_is_refused(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch, status: int, *, packed: bool
    ):
        monkeypatch.setattr(response_buffer, "LARGE_BYTES", 50_000)
        for module in (response_buffer, listing_body):
            monkeypatch.setattr(module, "MAX_BODY_BYTES", 100_000)
        monkeypatch.setattr(listing_body, "PIECE_BYTES", 5_000)
        rig.fill([UPLOAD])
        blanks = bytes(random.Random(1).choices(b" \t\n", k=100_000))
        padded = body(lambda text: text + blanks)
        rig.fault(UPLOADS, reply=lambda reply: replace(padded(reply), status=status, gzip=packed))
        assert refused(rig).reason == Reason.BAD_RESPONSE
        assert "cap" in str(refused(rig))

    def test_a_listing_over_the_cap_of_others_is_read(
        self, open_engine: Opener, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(response_buffer, "LARGE_BYTES", 50_000)
        monkeypatch.setattr(response_buffer, "MAX_BODY_BYTES", 100_000)
        rig = open_engine()
        rig.fill([UPLOAD, *some_uploads(2000)])
        assert len(rig.ids()) == 2001

    def test_one_that_is_refused_tells_how_many_uploads_were_read(
        self, open_engine: Opener, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(response_buffer, "LARGE_BYTES", 50_000)
        monkeypatch.setattr(response_buffer, "MAX_LISTING_BYTES", 100_000)
        monkeypatch.setattr(listing_body, "PIECE_BYTES", 5_000)
        rig = open_engine()
        rig.fill([UPLOAD, *some_uploads(2000)])
        error = refused(rig)
        [told] = re.findall("([0-9]+) uploads were read until there", str(error))
        assert error.reason == Reason.BAD_RESPONSE
        assert 100 < int(told) < 1000

    def test_a_body_under_the_cap_is_read(self, xml_rig: Rig):
        xml_rig.fill([UPLOAD])
        xml_rig.fault(UPLOADS, reply=body(lambda text: text + b" " * (7 << 20)))
        assert xml_rig.ids() == ["id-1"]


class TestConnections:
    def test_they_are_kept(self, open_rig: Opener):
        rig = open_rig(scan=replace(SCAN, page_size=1))
        rig.fill([UPLOAD, *some_uploads(9)])
        rig.ids()
        rig.size(UPLOAD)
        assert len(rig.standin.requests) == 11
        assert rig.standin.connections == 1

    def test_refusals_keep_them(self, open_rig: Opener):
        rig = open_rig()
        rig.answer(UPLOADS, rig.refusal(403, "AccessDenied"))
        for _ in range(3):
            refused(rig)
        assert rig.standin.connections == 1

    @pytest.mark.parametrize("how", ["close", "close_silently"])
    def test_one_the_server_closed_is_no_failure(self, open_rig: Opener, how: str):
        rig = open_rig(scan=replace(SCAN, page_size=1, retries=0))
        rig.fill(some_uploads(4))
        rig.fault(UPLOADS, reply=lambda reply: replace(reply, **{how: True}))
        assert sorted(rig.ids()) == ids_of(some_uploads(4))
        assert rig.traffic.failures == {}

    def test_threads_share_a_few(self, open_rig: Opener):
        rig = open_rig()
        uploads = [Upload(f"k{number}", f"id-{number}", parts=[Part(1, number + 1)]) for number in range(80)]
        rig.fill(uploads)
        with ThreadPoolExecutor(8) as threads:
            sizes = list(threads.map(lambda upload: rig.size(upload).bytes, uploads))
        assert sizes == list(range(1, 81))
        assert rig.standin.connections <= 8
        assert rig.traffic.requests == {PARTS: 80}

    def test_closing_gives_them_back(self, open_rig: Opener):
        rig = open_rig()
        rig.ids()
        rig.close()
        rig.close()

    def test_one_thread_s_trouble_is_not_another_s(self, open_rig: Opener):
        rig = open_rig(scan=IMPATIENT)
        rig.fill([UPLOAD])
        rig.ids(request_timeout=30)
        rig.answer(PARTS, Reply(hang=True))
        hung = Thread(target=lambda: refused(rig, UPLOAD))
        hung.start()
        assert rig.ids() == ["id-1"]
        hung.join()

    def test_a_host_in_capitals_is_the_same_host(self, open_rig: Opener):
        rig = open_rig(name="LocalHost")
        rig.fill([UPLOAD])
        assert rig.ids() == ["id-1"]
        assert rig.size(UPLOAD).bytes == 7

    def test_ipv6(self, open_rig: Opener):
        if not socket.has_ipv6 or not _binds("::1"):
            pytest.skip("this machine has no IPv6 loopback")
        rig = open_rig(host="::1", name="[::1]")
        rig.fill([UPLOAD])
        assert rig.ids() == ["id-1"]
        assert rig.size(UPLOAD).bytes == 7


def _binds(host: str) -> bool:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
