"""The HTTP server on real sockets, against clients that are slow, hostile or many."""

import socket
import threading
import time
import urllib.request
from contextlib import ExitStack

import pytest
from unit.example_board import ExampleBoard
from unit.web_clients import (
    BIG,
    GET,
    big,
    connect,
    drip,
    get,
    read_answer,
    read_to_end,
    seconds_to_close,
    serving,
)

from exporter.web.server.server import ConnectionLimits, ListenError, WebServer, bind


class TestSlowClients:
    @pytest.mark.parametrize(
        "before",
        [b"", GET, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"],
        ids=["a first head", "a further head", "a body"],
    )
    def test_who_drips_a_request_is_cut_off_while_others_are_served_at_once(self, before: bytes):
        with serving(limits=ConnectionLimits(request_timeout=0.5)) as web, connect(web) as client:
            if before:
                client.sendall(before)
                read_answer(client)
            started = time.monotonic()
            dripping = threading.Thread(target=drip, args=(client, b"GET /" + b"x" * 200))
            dripping.start()
            while dripping.is_alive():
                asked = time.monotonic()
                assert get(web) == 200
                assert time.monotonic() - asked < 5
                dripping.join(0.1)
            assert 0.4 < time.monotonic() - started < 15

    def test_who_sends_nothing_is_cut_off(self):
        with serving(limits=ConnectionLimits(request_timeout=0.3)) as web, connect(web) as client:
            assert seconds_to_close(client) < 3

    def test_who_never_reads_a_large_answer_is_cut_off(self):
        with (
            serving(big, ConnectionLimits(response_timeout=0.5)) as web,
            connect(web, receive_buffer=4096) as client,
        ):
            client.sendall(GET)
            assert 0.4 < seconds_to_close(client) < 3

    def test_pipelining_more_requests_buys_no_time(self):
        with (
            serving(big, ConnectionLimits(response_timeout=0.5)) as web,
            connect(web, receive_buffer=4096) as client,
        ):
            client.sendall(GET * 20)
            assert seconds_to_close(client) < 3

    @pytest.mark.slow
    def test_who_reads_a_large_answer_gets_all_of_it(self):
        with serving(big) as web, connect(web) as client:
            client.sendall(GET)
            head, _, body = read_answer(client).partition(b"\r\n\r\n")
            assert (head.split(b"\r\n")[0], len(body)) == (b"HTTP/1.1 200 OK", BIG)

    def test_200_idle_connections_do_not_stop_a_scrape(self):
        with serving() as web, ExitStack() as idle:
            for _ in range(200):
                idle.enter_context(connect(web))
            started = time.monotonic()
            assert get(web, "/metrics") == 200
            assert time.monotonic() - started < 5


class TestTooMany:
    def test_over_the_limit_clients_are_told_so(self):
        with serving(limits=ConnectionLimits(connections=5)) as web, ExitStack() as idle:
            for _ in range(4):
                idle.enter_context(connect(web))
            with connect(web) as fifth:
                fifth.sendall(GET)
                assert read_answer(fifth).startswith(b"HTTP/1.1 200 ")
                with connect(web) as sixth:
                    sixth.sendall(GET)
                    assert read_answer(sixth).startswith(b"HTTP/1.1 503 ")

    def test_far_over_it_they_are_closed_unheard(self):
        with serving(limits=ConnectionLimits(connections=5)) as web, ExitStack() as idle:
            for _ in range(5 + 64):
                idle.enter_context(connect(web))
            with connect(web) as one_too_many:
                assert seconds_to_close(one_too_many) < 5

    def test_once_they_are_gone_others_are_served(self):
        with serving(limits=ConnectionLimits(request_timeout=0.3, connections=5)) as web:
            with ExitStack() as idle:
                for client in [idle.enter_context(connect(web)) for _ in range(20)]:
                    seconds_to_close(client)
            assert get(web) == 200


class TestHttp:
    def test_requests_may_share_a_connection(self):
        with serving() as web, connect(web) as client:
            for _ in range(3):
                client.sendall(GET)
                assert read_answer(client).endswith(b"mpu-exporter is healthy.\n")

    def test_and_come_all_at_once(self):
        with serving() as web, connect(web) as client:
            client.sendall(GET * 3 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert read_to_end(client).count(b"mpu-exporter is healthy.\n") == 4

    def test_head_has_no_body(self):
        with serving() as web, connect(web) as client:
            client.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            head, _, body = read_to_end(client).partition(b"\r\n\r\n")
            assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"")

    def test_it_does_not_say_what_software_it_is(self):
        with serving() as web, connect(web) as client:
            client.sendall(GET)
            assert b"server:" not in read_answer(client).lower()

    @pytest.mark.parametrize(
        "sent",
        [
            bytes(range(256)),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
            b"\r\n\r\nGET\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: sideways\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
            b"GET /" + b"x" * 20_000,
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000,
        ],
        ids=lambda sent: repr(sent[:30]),
    )
    def test_what_is_no_request_gets_a_4xx_or_nothing_and_others_are_served(
        self, sent: bytes, caplog: pytest.LogCaptureFixture
    ):
        with serving() as web, connect(web) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = read_to_end(client)
            assert answer[:10] in {b"", b"HTTP/1.1 4"}
            assert get(web) == 200
        assert [record for record in caplog.records if record.exc_info] == []

    def test_huge_heads_are_refused(self):
        with serving() as web, connect(web) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000)
            assert read_to_end(client).startswith(b"HTTP/1.1 4")

    def test_an_upgrade_is_ignored(self):
        with serving() as web, connect(web) as client:
            client.sendall(GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert read_answer(client).startswith(b"HTTP/1.1 200 ")


class TestServingAndScanning:
    @pytest.mark.slow
    def test_metrics_are_answered_soon_while_scans_burn_cpu(self):
        stop = threading.Event()

        def burn() -> None:
            while not stop.is_set():
                sum(range(10_000))

        drawn = ExampleBoard(*map(str, range(500)))
        for number in range(500):
            drawn.publish(str(number))
        burning = [threading.Thread(target=burn) for _ in range(3)]
        with serving(drawn.app) as web:
            for thread in burning:
                thread.start()
            try:
                for _ in range(3):
                    started = time.monotonic()
                    assert get(web, "/metrics") == 200
                    assert time.monotonic() - started < 5
            finally:
                stop.set()
                for thread in burning:
                    thread.join()

    def test_health_is_answered_while_every_thread_renders(self):
        rendering, go_on = threading.Semaphore(0), threading.Event()

        class Stuck:
            content_type = "text/plain"

            def render(self) -> bytes:
                rendering.release()
                go_on.wait(10)
                return b""

        drawn = ExampleBoard("a")
        drawn.app.text = Stuck()
        with serving(drawn.app) as web, ExitStack() as clients:
            try:
                for _ in range(50):
                    client = clients.enter_context(connect(web))
                    client.sendall(GET.replace(b"/-/healthy", b"/metrics"))
                rendering.acquire()
                assert get(web) == 200
            finally:
                go_on.set()


class TestStop:
    @pytest.mark.slow
    def test_it_ends_quickly_whatever_is_connected(self):
        web = WebServer(big, ["127.0.0.1:0"])  # type: ignore[arg-type]
        web.start()
        with ExitStack() as clients:
            for sent in (b"", b"GET /", GET, GET * 5, b"\xff\xff\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n"):
                client = clients.enter_context(connect(web, receive_buffer=4096))
                client.sendall(sent)
            started = time.monotonic()
            web.stop(timeout=3)
            assert time.monotonic() - started < 2.5
        with pytest.raises(ConnectionRefusedError):
            connect(web)


class TestListen:
    def test_every_address_is_served(self):
        web = WebServer(ExampleBoard("a").app, ["127.0.0.1:0", "127.0.0.2:0"])
        web.start()
        assert [host for host, _ in web.addresses] == ["127.0.0.1", "127.0.0.2"]
        for host, port in web.addresses:
            with urllib.request.urlopen(f"http://{host}:{port}/-/healthy", timeout=5) as answer:
                assert answer.status == 200
        web.stop()

    def test_ipv4_and_ipv6_loopback(self):
        for listen, family in (("127.0.0.1:0", socket.AF_INET), ("[::1]:0", socket.AF_INET6)):
            try:
                web = WebServer(ExampleBoard("a").app, [listen])
            except ListenError:
                assert family == socket.AF_INET6  # a machine without IPv6
                continue
            web.start()
            address = f"{listen.removesuffix(':0')}:{web.port}"
            with urllib.request.urlopen(f"http://{address}/-/healthy", timeout=5) as answer:
                assert answer.status == 200
            web.stop()

    def test_an_empty_host_is_every_address(self):
        with bind(":0") as listener:
            assert listener.getsockname()[0] in {"::", "0.0.0.0"}
            if listener.family == socket.AF_INET6:
                assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0

    @pytest.mark.parametrize(
        "listen",
        ["", "19340", "localhost", "host:", ":http", ":-1", ":65536", ":" + "9" * 5000, ":٣", "[::1]"],
    )
    def test_what_is_no_address_is_named(self, listen: str):
        with pytest.raises(ListenError, match="is no listen address; write host:port or :port") as caught:
            bind(listen)
        assert str(caught.value).startswith(repr(listen))

    @pytest.mark.parametrize(
        "listen", ["no-such-host.invalid:0", "a b:0", "x" * 300 + ":0", "192.0.2.1:0", "\0:0"]
    )
    def test_what_cannot_be_listened_on_is_named_with_the_cause(self, listen: str):
        with pytest.raises(ListenError, match="cannot listen on "):
            bind(listen)

    def test_a_port_in_use_is_named(self):
        with bind("127.0.0.1:0") as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ListenError, match=rf"127.0.0.1:{port}.*Address already in use"):
                bind(f"127.0.0.1:{port}")


def test_the_end_of_serving_is_told():
    told = threading.Event()
    web = WebServer(ExampleBoard("media").app, ["127.0.0.1:0"], on_end=told.set)
    web.start()
    assert not told.is_set()
    web.stop()
    assert told.is_set()
