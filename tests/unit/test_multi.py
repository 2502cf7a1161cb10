"""Many requests in flight on one thread, against a server on loopback that answers as told."""

from __future__ import annotations

import itertools
import threading
import time

import pycurl
import pytest
from servers import free_port
from servers.standin import Reply
from unit.multi_requests import SOON, fine, outcomes, paths, start

from exporter.model.errors import Reason
from exporter.stores.transport import response_buffer
from exporter.stores.transport.errors import from_curl
from exporter.stores.transport.handles import HandleOptions
from exporter.stores.transport.multi import MultiTransport

HANG = Reply(hang=True)


class TestRequests:
    def test_many_are_in_flight_at_once_and_each_has_its_answer(self, multi, server, answering):
        together = threading.Barrier(100)
        server.handler = lambda request: (together.wait(SOON), answering(request))[1]
        start(multi, server, *paths(100))
        assert outcomes(multi, 100) == fine(paths(100))

    def test_they_come_out_as_they_end(self, multi, server, answering):
        answering.replies["/slow"] = Reply(delay_before_headers=0.3)
        start(multi, server, "/slow", "/quick")
        assert [label for label, *_ in multi.completed(SOON)] == ["/quick"]
        assert [label for label, *_ in multi.completed(SOON)] == ["/slow"]

    def test_what_was_asked_is_what_was_given(self, multi, server):
        url = f"{server.url}/a/../b%2F?uploads&x=%20"
        multi.start(url, ["X-One: 1", "Host: elsewhere", "X-Empty;"], SOON, "label")
        assert [sendings for *_, sendings in multi.completed(SOON)] == [1]
        (request,) = server.requests
        assert (request.method, request.target) == ("GET", "/a/../b%2F?uploads&x=%20")
        sent = [request.headers.get(name) for name in ("x-one", "x-empty", "host")]
        assert sent == ["1", "", "elsewhere"]

    def test_none_has_headers_of_the_one_before(self, multi, server):
        for header in ("X-One: 1", "X-Two: 2"):
            multi.start(server.url, [header], SOON, "label")
            outcomes(multi, 1)
        names = [{"x-one", "x-two"} & request.headers.keys() for request in server.requests]
        assert names == [{"x-one"}, {"x-two"}]

    @pytest.mark.parametrize("line", ["X-Key: \xe9", "X-Key: a\0b"])
    def test_a_line_that_cannot_be_sent_is_refused_and_leaves_nothing_behind(self, multi, server, line):
        start(multi, server, "/one")
        for _ in range(3):
            with pytest.raises(ValueError):  # noqa: PT011 - pycurl's own, of two kinds
                multi.start(server.url, ["X-One: 1", line], SOON, "label")
        start(multi, server, "/two")
        assert outcomes(multi, 2) == fine(["/one", "/two"])
        assert (multi.idle, multi.in_flight) == (2, 0)
        assert [request.headers.get("x-one") for request in server.requests] == [None, None]

    def test_labels_need_be_neither_hashable_nor_different(self, multi, server):
        label = ["the same"]
        for _ in range(2):
            multi.start(server.url, [], SOON, label)
        labels = []
        while len(labels) < 2:
            labels += [given for given, *_ in multi.completed(SOON)]
        assert [given is label for given in labels] == [True, True]

    def test_answers_have_status_headers_and_body(self, multi, server, answering):
        answering.replies["/"] = Reply(503, {"Retry-After": "7"}, b"busy", chunked=True)
        multi.start(f"{server.url}/", [], SOON, "label")
        ((_, answer, _),) = multi.completed(SOON)
        assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"busy")

    def test_another_thread_may_go_on_with_it(self, multi, server):
        start(multi, server, "/one")
        found = {}
        thread = threading.Thread(target=lambda: found.update(outcomes(multi, 1)))
        thread.start()
        thread.join(SOON)
        start(multi, server, "/two")
        assert found | outcomes(multi, 1) == fine(["/one", "/two"])


class TestWaiting:
    @pytest.mark.parametrize("timeout", [0.0, 0.05])
    def test_none_ends_in_time(self, multi, server, answering, timeout):
        answering.default = HANG
        start(multi, server, "/hangs")
        started = time.monotonic()
        assert multi.completed(timeout) == []
        assert timeout <= time.monotonic() - started < timeout + 3

    def test_without_requests_it_ends_too(self, multi):
        assert multi.completed(0.01) == []

    def test_looking_without_waiting_is_enough(self, multi, server):
        start(multi, server, "/one")
        end, done = time.monotonic() + SOON, []
        while not done and time.monotonic() < end:
            done = multi.completed(0.0)
        assert [(label, answer.body) for label, answer, _ in done] == [("/one", b"/one")]

    def test_it_takes_no_processor_time(self, multi, server, answering):
        answering.default = HANG
        start(multi, server, *paths(20))
        multi.completed(0.1)  # until all are connected
        used = time.thread_time()
        assert multi.completed(0.5) == []
        assert time.thread_time() - used < 0.1

    def test_a_wait_goes_by_the_clock_it_was_given(self):
        looks = itertools.count()
        multi = MultiTransport(HandleOptions(), lambda: next(looks) / 100)
        assert multi.completed(0.05) == []
        assert 5 <= next(looks) <= 10
        multi.close()


class TestTimeouts:
    @pytest.mark.parametrize(
        "slow",
        [
            HANG,
            Reply(drip_headers=0.1),
            Reply(delay_before_body=SOON, body=b"x"),
            Reply(drip_body=0.01, body=b"x" * 10000),
        ],
    )
    def test_are_to_the_last_byte_and_others_end_meanwhile(self, multi, server, answering, slow):
        answering.replies["/slow"] = slow
        started = time.monotonic()
        start(multi, server, "/slow", seconds=1.0)
        start(multi, server, *paths(20))
        found = outcomes(multi, 21)
        assert found == fine(paths(20)) | {"/slow": pycurl.E_OPERATION_TIMEDOUT}
        assert list(found)[-1] == "/slow"
        assert 0.9 < time.monotonic() - started < 5

    def test_are_each_request_s_own(self, multi, server, answering):
        answering.default = HANG
        started = time.monotonic()
        for seconds in (1.2, 0.4, 0.8):
            start(multi, server, f"/{seconds}", seconds=seconds)
        assert list(outcomes(multi, 3)) == ["/0.4", "/0.8", "/1.2"]
        assert time.monotonic() - started < 5

    def test_no_time_at_all_is_some(self, multi, server, answering):
        """What libcurl takes 0 for is no limit."""
        answering.default = HANG
        start(multi, server, "/hangs", seconds=0.0001)
        assert outcomes(multi, 1) == {"/hangs": pycurl.E_OPERATION_TIMEDOUT}

    def test_a_handle_gets_its_next_request_s_time(self, multi, server, answering):
        answering.replies["/hangs"] = HANG
        start(multi, server, "/hangs", seconds=0.1)
        outcomes(multi, 1)
        answering.replies["/slow"] = Reply(delay_before_headers=0.3)
        start(multi, server, "/slow")
        assert outcomes(multi, 1) == fine(["/slow"])


class TestFailures:
    def test_a_refused_connection_was_no_sending(self, multi):
        multi.start(f"http://127.0.0.1:{free_port()}/", [], SOON, "label")
        ((label, error, sendings),) = multi.completed(SOON)
        assert (label, error.args[0], sendings) == ("label", pycurl.E_COULDNT_CONNECT, 0)

    def test_one_s_is_not_another_s(self, multi, server, answering):
        answering.replies["/broken"] = Reply(raw=b"SSH-2.0\r\n")
        answering.replies["/cut"] = Reply(body=b"all of it", cut_after=3)
        start(multi, server, "/broken", "/one", "/cut", "/two")
        found = outcomes(multi, 4)
        failed = {"/broken": pycurl.E_UNSUPPORTED_PROTOCOL, "/cut": pycurl.E_PARTIAL_FILE}
        assert found == fine(["/one", "/two"]) | failed

    def test_bodies_have_a_cap(self, multi, server, answering, monkeypatch):
        monkeypatch.setattr(response_buffer, "LARGE_BYTES", 50_000)
        monkeypatch.setattr(response_buffer, "MAX_BODY_BYTES", 100_000)
        answering.replies["/large"] = Reply(body=b"x" * 100_001)
        answering.replies["/fits"] = Reply(body=b"x" * 100_000)
        start(multi, server, "/large", "/fits")
        expected = {"/large": pycurl.E_FILESIZE_EXCEEDED, "/fits": (200, b"x" * 100_000)}
        assert outcomes(multi, 2) == expected

    @pytest.mark.parametrize("interim", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: it\r\n\r\n" * 10_000])
    def test_heads_have_a_cap(self, multi, server, answering, interim):
        """It is libcurl's own: 300 KiB, interim answers counted in."""
        fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8000) for number in range(40))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
        answering.replies["/large"] = Reply(raw=interim or head + fields + b"\r\n")
        answering.replies["/fits"] = Reply(raw=head + fields[: 10 * 8000] + b"\r\n\r\n")
        start(multi, server, "/large", "/fits")
        found = {}
        while len(found) < 2:
            found |= {label: outcome for label, outcome, _ in multi.completed(SOON)}
        assert found["/fits"].status == 200
        assert from_curl("ListParts", found["/large"]).reason is Reason.BAD_RESPONSE

    def test_nothing_of_a_refused_answer_is_in_the_next(self, multi, server, answering, monkeypatch):
        monkeypatch.setattr(response_buffer, "LARGE_BYTES", 50_000)
        monkeypatch.setattr(response_buffer, "MAX_BODY_BYTES", 100_000)
        answering.replies["/large"] = Reply(headers={"X-Large": "yes"}, body=b"x" * 200_000)
        start(multi, server, "/large")
        outcomes(multi, 1)
        start(multi, server, "/next")
        ((_, answer, sendings),) = multi.completed(SOON)
        assert (answer.body, answer.headers.get("x-large"), sendings) == (b"/next", None, 1)
