"""The HTTP server on real sockets, against clients that are slow, hostile or many."""

import asyncio
import errno
import gc
import select
import socket
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from servers import wait_until
from unit.example_board import ExampleBoard
from unit.web_clients import (
    BIG,
    GET,
    answer_200,
    big,
    connect,
    drip,
    few_files,
    get,
    large,
    read_answer,
    read_to_end,
    seconds_to_close,
    serving,
    stuck_clients,
)

from exporter.model.scarcity import is_scarcity
from exporter.web.server.connections import (
    REFUSED_POLITELY,
    RESPONSES_AT_ONCE,
    ConnectionLimits,
    Connections,
    client_of,
)
from exporter.web.server.server import ListenError, WebServer, bind

pytestmark = pytest.mark.slow


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

    def test_the_time_to_take_an_answer_begins_with_the_answer(self):
        async def late(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
            await asyncio.sleep(0.3)
            await answer_200(send)

        with serving(late, ConnectionLimits(response_timeout=0.1)) as web, connect(web) as client:
            client.sendall(GET)
            assert read_answer(client).startswith(b"HTTP/1.1 200 ")

    @pytest.mark.slow
    def test_who_reads_a_large_answer_gets_all_of_it(self):
        with serving(big) as web, connect(web) as client:
            client.sendall(GET)
            head, _, body = read_answer(client).partition(b"\r\n\r\n")
            assert (head.split(b"\r\n")[0], len(body)) == (b"HTTP/1.1 200 OK", BIG)


class TestTooMany:
    """A connection whose request is under way is never closed for others."""

    BUSY = MappingProxyType({"127.0.0.2": 2, "127.0.0.3": 2})

    def test_while_as_many_are_served_as_may_be_further_clients_are_told_so(self):
        with stuck_clients(ConnectionLimits(connections=4), self.BUSY) as web, connect(web) as fifth:
            fifth.sendall(GET)
            assert read_answer(fifth).startswith(b"HTTP/1.1 503 ")

    def test_of_many_more_those_that_say_nothing_are_closed(self):
        with stuck_clients(ConnectionLimits(connections=4), self.BUSY) as web, ExitStack() as idle:
            first, *_ = [
                idle.enter_context(connect(web, source=f"127.0.0.{10 + number}"))
                for number in range(REFUSED_POLITELY)
            ]
            with connect(web) as one_too_many:
                assert seconds_to_close(first) < 5
                one_too_many.sendall(GET)
                assert read_answer(one_too_many).startswith(b"HTTP/1.1 503 ")

    def test_a_client_has_half_of_all_places(self):
        with stuck_clients(ConnectionLimits(connections=20), {"127.0.0.2": 10}) as web:
            with suppress(ConnectionResetError), connect(web, source="127.0.0.2") as eleventh:
                assert seconds_to_close(eleventh) < 5
            assert get(web) == 200

    def test_a_client_s_further_connection_closes_its_own_that_waited_long(self):
        limits = ConnectionLimits(connections=8, request_timeout=1)
        with serving(limits=limits) as web, ExitStack() as idle:
            for _ in range(4):
                idle.enter_context(connect(web))
            wait_until("a place", lambda: is_served(web, "127.0.0.1"), seconds=5)
            assert is_served(web, "127.0.0.9")

    def test_where_all_places_are_taken_the_client_with_the_most_gives_one_up(self):
        taken = {"127.0.0.2": 3, "127.0.0.3": 4, "127.0.0.4": 1}
        with serving(limits=ConnectionLimits(connections=8)) as web, ExitStack() as idle:
            first_of = {}
            for source, number in taken.items():
                clients = [idle.enter_context(connect(web, source=source)) for _ in range(number)]
                first_of[source] = clients[0]
            assert get(web, "/metrics") == 200
            assert seconds_to_close(first_of.pop("127.0.0.3")) < 5
            for client in first_of.values():
                client.sendall(GET)
                assert read_answer(client).startswith(b"HTTP/1.1 200 ")

    def test_who_asks_for_much_and_takes_nothing_does_not_fill_the_memory(self):
        with serving(big) as web, ExitStack() as clients:
            taking_nothing = select.poll()
            for _ in range(2 * RESPONSES_AT_ONCE):
                client = clients.enter_context(connect(web, receive_buffer=4096, source="127.0.0.2"))
                client.sendall(GET)
                taking_nothing.register(client, 0)
                client.recv(1)
            closed = taking_nothing.poll(0)
            assert RESPONSES_AT_ONCE / 2 < len(closed) <= RESPONSES_AT_ONCE

    def test_a_further_request_is_not_begun_before_the_response_is_taken(self):
        begun = []

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/other":
                await answer_200(send)
                return
            begun.append(scope["path"])
            await big(scope, receive, send)

        with serving(app) as web, connect(web) as client:
            client.sendall(GET)
            client.recv(1)
            client.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert get(web, "/other") == 200
            assert len(begun) == 1
            assert len(read_to_end(client)) > 2 * BIG
            assert len(begun) == 2

    def test_requests_that_came_along_with_one_for_much_are_for_another_connection(self):
        with serving(big) as web, connect(web, receive_buffer=4096) as client:
            client.sendall(GET * 2)
            head, _, body = read_to_end(client).partition(b"\r\n\r\n")
            assert (head[:13], len(body)) == (b"HTTP/1.1 200 ", BIG)

    @pytest.mark.parametrize(("size", "buffer"), [(200_000, 4096), (BIG, 0)], ids=["in the kernel", "larger"])
    def test_an_answer_that_is_still_being_taken_is_not_cut_off(self, size: int, buffer: int):
        with serving(large(size), ConnectionLimits(connections=4)) as web, ExitStack() as clients:
            taking = clients.enter_context(connect(web, receive_buffer=buffer))
            taking.sendall(GET)
            taking.recv(1)
            for number in range(5):
                with suppress(ConnectionResetError):
                    clients.enter_context(connect(web, source=f"127.0.0.{2 + number}"))
            assert is_served(web, "127.0.0.9")
            body = read_answer(taking).partition(b"\r\n\r\n")[2]
            assert len(body) == size

    def test_a_connection_that_cannot_be_opened_is_told_to_nobody(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        async def fail(*_: object) -> None:
            raise OSError(errno.EINVAL, "the client has gone")

        with serving() as web:
            with monkeypatch.context() as patch, suppress(ConnectionResetError):
                patch.setattr(asyncio.BaseEventLoop, "connect_accepted_socket", fail)
                with connect(web) as client:
                    assert read_to_end(client) == b""
            assert get(web) == 200
            gc.collect()
        assert caplog.records == []

    def test_1000_idle_connections_do_not_stop_a_scrape(self, caplog: pytest.LogCaptureFixture):
        with serving() as web, ExitStack() as idle:
            for number in range(1000):
                with suppress(ConnectionResetError):  # closed for another before it was known to be open
                    idle.enter_context(connect(web, source=f"127.0.0.{2 + number % 50}"))
            assert get(web, "/metrics") == 200
        assert caplog.records == []

    def test_without_files_to_open_clients_wait_and_it_is_told(self, caplog: pytest.LogCaptureFixture):
        with serving() as web, ExitStack() as files, connect(web) as waiting:
            waiting.sendall(GET)
            read_answer(waiting)
            client = socket.socket()
            with few_files(files):
                client.connect(("127.0.0.1", web.port))
                assert seconds_to_close(waiting) < 5  # its file is the next one's
                files.close()
                with client:
                    client.settimeout(10)
                    client.sendall(GET)
                    assert read_answer(client).startswith(b"HTTP/1.1 200 ")
        assert "too many files are open: a client's connection has to wait" in caplog.text

    def test_where_no_further_thread_can_be_made_scrapes_are_answered(self, monkeypatch: pytest.MonkeyPatch):
        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with serving() as web:
            assert get(web) == 200
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", refuse)
                assert get(web, "/metrics") == 200

    def test_what_ends_serving_is_kept_for_whoever_began_it(self, monkeypatch: pytest.MonkeyPatch):
        def refuse(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        ended = threading.Event()
        monkeypatch.setattr(asyncio, "to_thread", refuse)
        web = WebServer(ExampleBoard("media").app, ["127.0.0.1:0"], on_end=ended.set)
        web.start()
        assert ended.wait(10)
        web.stop()
        assert is_scarcity(web.failure)

    def test_once_they_are_gone_others_are_served(self):
        with serving(limits=ConnectionLimits(request_timeout=0.3, connections=5)) as web:
            with ExitStack() as idle:
                sources = [f"127.0.0.{2 + number}" for number in range(5)]
                for client in [idle.enter_context(connect(web, source=source)) for source in sources]:
                    seconds_to_close(client)
            assert get(web) == 200


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Opened:
    """An open connection; `unsent`: its client has still to take a response."""

    client_key: object
    unsent: int = 0
    dropped: bool = False

    def drop(self, *, unsent: bool = False) -> bool:
        self.dropped = unsent or not self.unsent
        return self.dropped

    def abort(self) -> None:
        pass


class TestRoom:
    """Which connection goes for another one; the limit is 4, of one client 2, a long wait 5 s."""

    LIMITS = ConnectionLimits(connections=4, request_timeout=10)

    def opened(
        self, *clients: str, limits: ConnectionLimits = LIMITS
    ) -> tuple[Connections, Clock, list[Opened]]:
        clock = Clock()
        connections = Connections(limits, clock)
        opened = [Opened(client) for client in clients]
        for each in opened:
            connections.add(each)
            clock.now += 0.1
        return connections, clock, opened

    @pytest.mark.parametrize(
        ("clients", "seconds", "further", "dropped"),
        [
            ("aab", 0, "c", ""),
            ("aa", 0, "a", None),
            ("aa", 5, "a", "a"),
            ("aabb", 0, "c", "a"),
            ("abcc", 0, "d", "c"),
            ("abcd", 0, "e", "a"),
            ("abcd", 0, "a", None),
            ("abcd", 5, "a", "a"),
            ("abbc", 0, "a", None),
            ("abbc", 5, "a", "a"),
        ],
    )
    def test_the_longest_waiting_of_whoever_has_most_goes(
        self, clients: str, seconds: float, further: str, dropped: str | None
    ):
        connections, clock, opened = self.opened(*clients)
        clock.now += seconds
        assert connections.make_room(further) == (dropped is not None)
        assert "".join(str(each.client_key) for each in opened if each.dropped) == (dropped or "")
        assert all(each.dropped == (each is opened[clients.find(dropped)]) for each in opened if dropped)

    def test_one_with_a_request_under_way_or_a_response_to_take_stays(self):
        connections, clock, (busy, taking, other, _) = self.opened("a", "a", "b", "c")
        connections.is_busy(busy)
        taking.unsent = 1
        clock.now += 100
        assert connections.make_room("d")
        assert [each.dropped for each in (busy, taking, other)] == [False, False, True]

    def test_a_kept_connection_waits_from_its_last_response_on(self):
        connections, clock, (used, silent) = self.opened("a", "a")
        connections.is_busy(used)
        connections.waits(used)
        clock.now += 5
        assert connections.make_room("a")
        assert [each.dropped for each in (used, silent)] == [False, True]

    def test_where_no_other_is_left_one_goes_whose_client_takes_no_response(self):
        connections, clock, opened = self.opened("a", "a", "b", "c")
        for each in opened:
            each.unsent = 1
        assert not connections.make_room("d")
        clock.now += 5
        assert [connections.make_room(client) for client in "ad"] == [False, True]
        assert [each.dropped for each in opened] == [True, False, False, False]

    @pytest.mark.parametrize(
        ("clients", "unsent", "dropped"),
        [
            ("aaabbbccdd", [20] * 10, ""),
            ("bbbbaaaaaac", [20] * 11, "a"),
            ("aaaaaaabbbbbbb", [20] * 14, "aabb"),
            ("aaaaaaabbbbbbb", [0, 20, *[20] * 12], "abb"),
            ("aaabc", [100] * 5, ""),
        ],
    )
    def test_of_whoever_leaves_most_untaken_the_oldest_goes_until_that_is_enough(
        self, clients: str, unsent: list[int], dropped: str
    ):
        connections, _, opened = self.opened(*clients, limits=ConnectionLimits(unsent_bytes=200))
        for each, size in zip(opened, unsent, strict=True):
            each.unsent = size
        connections.bound_unsent()
        assert "".join(str(each.client_key) for each in opened if each.dropped) == dropped

    def test_those_that_are_gone_take_no_place(self):
        connections, _, opened = self.opened("a", "a", "b", "b")
        for each in (*opened, *opened):
            connections.remove(each)
        assert [connections.make_room(client) for client in "ab"] == [True] * 2
        assert len(connections) == 0


def is_served(web: WebServer, source: str) -> bool:
    try:
        with connect(web, source=source) as client:
            client.sendall(GET)
            return read_answer(client).startswith(b"HTTP/1.1 200 ")
    except ConnectionResetError:
        return False


class TestClients:
    @pytest.mark.parametrize(
        ("host", "other", "same"),
        [
            ("192.0.2.1", "192.0.2.2", False),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ("fe80::1%eth0", "fe80::2%eth0", True),
            ("", "x", False),
        ],
    )
    def test_an_ipv4_address_or_an_ipv6_network_is_one_client(self, host: str, other: str, same: bool):  # noqa: FBT001
        assert same == (client_of(host) == client_of(other))


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
