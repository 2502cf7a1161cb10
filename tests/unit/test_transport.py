"""The transport's edges that need no server."""

import threading
import time
from pathlib import Path

import pycurl
import pytest
from fakes import Recorder

from exporter.model.errors import GoneError, NotAnUploadError, Reason, StoppingError, StoreError
from exporter.stores.transport.client import MAX_REQUESTS_PER_CALL, Request, Transport
from exporter.stores.transport.errors import from_curl
from exporter.stores.transport.handles import default_ca_file

REQUEST = Request("ListParts", "GET", "http://127.0.0.1:1/", [])


@pytest.fixture
def traffic() -> Recorder:
    return Recorder()


@pytest.fixture
def transport(traffic: Recorder) -> Transport:
    return Transport(traffic, threading.Event())


def soon() -> float:
    return time.monotonic() + 5


def fail_after_an_answer(transport: Transport, error: StoreError) -> None:
    with transport.call("ListParts", soon()) as call:
        call.sent = 1
        raise error


class TestCalls:
    def test_nothing_is_sent_outside_of_one(self, transport: Transport, traffic: Recorder):
        with pytest.raises(StoreError) as caught:
            transport.send(REQUEST)
        assert (caught.value.reason, traffic.seen) == (Reason.INTERNAL, [])

    def test_nothing_is_sent_after_its_deadline(self, transport: Transport, traffic: Recorder):
        with pytest.raises(StoreError) as caught, transport.call("ListParts", time.monotonic() - 1):
            transport.send(REQUEST)
        assert (caught.value.reason, caught.value.retryable, traffic.seen) == (Reason.TIMEOUT, True, [])

    def test_what_fails_after_the_answer_is_counted(self, transport: Transport, traffic: Recorder):
        with pytest.raises(StoreError):
            fail_after_an_answer(transport, StoreError(Reason.BAD_RESPONSE, "no page"))
        assert traffic.seen == [("failed", "ListParts", Reason.BAD_RESPONSE)]

    def test_an_upload_that_is_gone_is_no_failure(self, transport: Transport, traffic: Recorder):
        with pytest.raises(GoneError):
            fail_after_an_answer(transport, GoneError(Reason.NOT_FOUND, "gone"))
        assert traffic.seen == []

    def test_what_turns_out_to_be_no_upload_is_no_failure(self, transport: Transport, traffic: Recorder):
        with pytest.raises(NotAnUploadError):
            fail_after_an_answer(transport, NotAnUploadError("GetBlockList"))
        assert traffic.seen == []

    def test_circles_are_bounded(self, transport: Transport, traffic: Recorder):
        with transport.call("ListParts", soon()) as call:
            call.sent = MAX_REQUESTS_PER_CALL
            with pytest.raises(StoreError) as caught:
                transport.send(REQUEST)
        assert caught.value.reason == Reason.BAD_RESPONSE
        assert ("sent", "ListParts") not in traffic.seen

    def test_stopping_is_no_failure(self, traffic: Recorder):
        stop = threading.Event()
        stop.set()
        transport = Transport(traffic, stop)
        with pytest.raises(StoppingError), transport.call("ListParts", soon()):
            transport.send(REQUEST)
        assert traffic.seen == []


class TestCurlErrors:
    @pytest.mark.parametrize(
        ("code", "text", "reason", "retryable"),
        [
            (pycurl.E_OPERATION_TIMEDOUT, "slow", Reason.TIMEOUT, True),
            (pycurl.E_COULDNT_RESOLVE_HOST, "who", Reason.CONNECTION, True),
            (pycurl.E_PEER_FAILED_VERIFICATION, "who", Reason.TLS, False),
            (
                pycurl.E_RECV_ERROR,
                "OpenSSL SSL_read: SSL routines::tlsv13 alert certificate required",
                Reason.TLS,
                False,
            ),
            (pycurl.E_RECV_ERROR, "OpenSSL SSL_read: SSL routines::unexpected eof", Reason.CONNECTION, True),
            (pycurl.E_PARTIAL_FILE, "cut", Reason.BAD_RESPONSE, True),
            (pycurl.E_WRITE_ERROR, "passed 5 returned 0", Reason.INTERNAL, True),
            (pycurl.E_OUT_OF_MEMORY, "what", Reason.CONNECTION, True),
        ],
    )
    def test_what_they_mean(self, code: int, text: str, reason: Reason, *, retryable: bool):
        error = from_curl("ListParts", pycurl.error(code, text))
        assert (error.reason, error.retryable) == (reason, retryable)

    @pytest.mark.parametrize("code", [pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_OPERATION_TIMEDOUT, 35])
    @pytest.mark.parametrize(
        ("operation", "is_asked"),
        [("ListParts", True), ("AssumeRole", True), ("GetToken", False), ("GetSecurityKey", False)],
    )
    def test_the_endpoint_is_named_where_it_is_asked(self, code: int, operation: str, *, is_asked: bool):
        assert ("endpoint_url" in str(from_curl(operation, pycurl.error(code, "")))) == is_asked


class TestTrust:
    @pytest.fixture(autouse=True)
    def _bare(self, monkeypatch: pytest.MonkeyPatch):
        for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)

    def test_the_environment_stands_above_the_system(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_CA_BUNDLE", "/elsewhere.pem")
        assert default_ca_file() == Path("/elsewhere.pem")

    def test_there_is_always_one(self):
        assert default_ca_file().is_file()

    @pytest.mark.parametrize(
        "name", ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
    )
    def test_an_empty_variable_is_an_unset_one(self, monkeypatch: pytest.MonkeyPatch, name: str):
        usual = default_ca_file()
        monkeypatch.setenv(name, "")
        assert default_ca_file() == usual
