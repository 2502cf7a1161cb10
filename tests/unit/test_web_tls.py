"""TLS on real sockets: who gets in, and clients that are slow, hostile or many."""

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from unit.authority import Authority
from unit.example_app import ExampleApp
from unit.example_board import ExampleBoard
from unit.web_clients import BIG, GET, big, connect, drip, read_answer, read_to_end, seconds_to_close, serving

from exporter.web.auth.config import WebConfig
from exporter.web.server.connections import ConnectionLimits
from exporter.web.server.server import WebServer

pytestmark = pytest.mark.slow

VERIFIED = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("client", "prometheus.example.com", "10.0.0.7", "::1")
    return authority


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    stranger.issue("client", "prometheus.example.com")
    return stranger


@contextmanager
def encrypted(
    web: WebServer, context: ssl.SSLContext, session: ssl.SSLSession | None = None, **options: int
) -> Iterator[ssl.SSLSocket]:
    with (
        connect(web, **options) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as client,
    ):
        yield client


def ask(web: WebServer, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> str:
    """Return the status line of an answer, or what stands in its way."""
    try:
        with encrypted(web, context, session) as client:
            client.sendall(GET)
            return read_answer(client).split(b"\r\n")[0].decode() or "closed"
    except ssl.SSLError as error:
        return error.reason
    except ConnectionError:
        return "closed"


OK = "HTTP/1.1 200 OK"


class TestWhoGetsIn:
    def test_without_client_checks_everyone(self, authority: Authority):
        web_config = authority.web_config()
        with serving(web_config=lambda: web_config) as web:
            assert ask(web, authority.client()) == OK
            assert ask(web, authority.client("client")) == OK

    def test_with_certificates_required_only_those_of_the_ca(self, authority: Authority, stranger: Authority):
        web_config = authority.web_config(*VERIFIED)
        with serving(web_config=lambda: web_config) as web:
            assert ask(web, authority.client("client")) == OK
            assert ask(web, authority.client()) in {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "closed"}
            assert ask(web, authority.client("client", issuer=stranger)) in {
                "TLSV1_ALERT_UNKNOWN_CA",
                "closed",
            }

    def test_with_certificates_verified_if_given_also_those_without(
        self, authority: Authority, stranger: Authority
    ):
        web_config = authority.web_config(
            "client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ca.pem"
        )
        with serving(web_config=lambda: web_config) as web:
            assert ask(web, authority.client()) == OK
            assert ask(web, authority.client("client")) == OK
            assert ask(web, authority.client("client", issuer=stranger)) != OK

    @pytest.mark.parametrize(
        ("names", "answer"),
        [
            ("[prometheus.example.com]", OK),
            ("[other, 10.0.0.7]", OK),
            ("['::1']", OK),
            ("[example.com, '*.example.com', 10.0.0.8]", "closed"),
        ],
    )
    def test_with_names_allowed_only_certificates_that_have_one(
        self, authority: Authority, names: str, answer: str
    ):
        web_config = authority.web_config(*VERIFIED, f"client_allowed_sans: {names}")
        with serving(web_config=lambda: web_config) as web:
            assert ask(web, authority.client("client")) == answer

    @pytest.mark.parametrize(
        ("oldest", "asked", "answered"),
        [
            ("TLS12", ssl.TLSVersion.TLSv1_2, True),
            ("TLS13", ssl.TLSVersion.TLSv1_2, False),
            ("TLS13", ssl.TLSVersion.TLSv1_3, True),
            ("TLS12", ssl.TLSVersion.TLSv1_1, False),
            ("TLS11", ssl.TLSVersion.TLSv1_1, True),
            ("TLS10", ssl.TLSVersion.TLSv1, True),
        ],
    )
    def test_versions_older_than_the_oldest_are_refused(
        self,
        authority: Authority,
        oldest: str,
        asked: ssl.TLSVersion,
        answered: bool,  # noqa: FBT001
    ):
        web_config, context = authority.web_config(f"min_version: {oldest}"), authority.client()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = asked
        with serving(web_config=lambda: web_config) as web:
            assert (ask(web, context) == OK) == answered

    def test_suites_that_are_not_named_are_refused(self, authority: Authority):
        web_config = authority.web_config("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]")
        context = authority.client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with serving(web_config=lambda: web_config) as web:
            context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
            assert ask(web, context) != OK
            context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
            assert ask(web, context) == OK

    def test_the_one_curve_is_used(self, authority: Authority):
        web_config, context = authority.web_config("curve_preferences: [CurveP384]"), authority.client()
        with serving(web_config=lambda: web_config) as web:
            assert ask(web, context) == OK
            context.set_ecdh_curve("X25519")
            assert ask(web, context) != OK

    def test_plain_http_is_told_so_and_closed(self, authority: Authority):
        web_config = authority.web_config()
        with serving(web_config=lambda: web_config) as web, connect(web) as client:
            client.sendall(GET)
            head, _, body = read_to_end(client).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert body == b"400 this is HTTPS: ask with https://\n"


class TestChange:
    def test_new_connections_get_the_new_certificate_and_old_ones_go_on(
        self, authority: Authority, tmp_path: Path
    ):
        renewed = Authority(tmp_path / "renewed")
        versions = [authority.web_config()]
        with serving(web_config=lambda: versions[-1]) as web, encrypted(web, authority.client()) as kept:
            kept.sendall(GET)
            read_answer(kept)
            versions.append(renewed.web_config())
            assert ask(web, authority.client()) == "CERTIFICATE_VERIFY_FAILED"
            assert ask(web, renewed.client()) == OK
            kept.sendall(GET)
            assert read_answer(kept).startswith(OK.encode())

    def test_a_session_of_before_does_not_get_around_a_new_client_ca(
        self, authority: Authority, stranger: Authority
    ):
        context = authority.client("client")
        versions = [authority.web_config(*VERIFIED)]
        with serving(web_config=lambda: versions[-1]) as web:
            with encrypted(web, context) as client:
                client.sendall(GET)
                read_answer(client)
                session = client.session
            assert session is not None
            assert ask(web, context, session) == OK
            versions.append(authority.web_config(VERIFIED[0], f"client_ca_file: {stranger.folder}/ca.pem"))
            assert ask(web, context, session) != OK


class TestSlowClients:
    @pytest.fixture
    def web(self, authority: Authority) -> Iterator[WebServer]:
        web_config = authority.web_config()
        with serving(
            big, ConnectionLimits(request_timeout=0.5, response_timeout=0.5), lambda: web_config
        ) as web:
            yield web

    @pytest.mark.parametrize(
        "sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=repr
    )
    def test_who_does_not_finish_the_handshake_is_cut_off(self, web: WebServer, sent: bytes):
        with connect(web) as client:
            client.sendall(sent)
            assert seconds_to_close(client) < 5

    def test_who_drips_the_handshake_is_cut_off(self, web: WebServer):
        with connect(web) as client:
            drip(client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))

    def test_who_drips_a_request_after_it_is_cut_off(self, web: WebServer, authority: Authority):
        with encrypted(web, authority.client()) as client:
            client.sendall(b"GET / HT")
            assert seconds_to_close(client) < 5

    def test_who_never_reads_a_large_answer_is_cut_off(self, web: WebServer, authority: Authority):
        with encrypted(web, authority.client(), receive_buffer=4096) as client:
            client.sendall(GET)
            assert seconds_to_close(client) < 5

    @pytest.mark.slow
    def test_who_reads_a_large_answer_gets_all_of_it(self, authority: Authority):
        web_config = authority.web_config()
        with serving(big, web_config=lambda: web_config) as web, encrypted(web, authority.client()) as client:
            client.sendall(GET)
            head, _, body = read_answer(client).partition(b"\r\n\r\n")
            assert (head.split(b"\r\n")[0], len(body)) == (b"HTTP/1.1 200 OK", BIG)

    def test_200_handshakes_that_never_end_do_not_stop_a_scrape(self, authority: Authority):
        web_config = authority.web_config()
        with serving(web_config=lambda: web_config) as web, ExitStack() as idle:
            for _ in range(200):
                idle.enter_context(connect(web)).sendall(b"\x16\x03\x01")
            assert ask(web, authority.client()) == OK

    def test_unfinished_handshakes_are_closed_where_others_need_their_places(self, authority: Authority):
        web_config = authority.web_config()
        with (
            serving(limits=ConnectionLimits(connections=5), web_config=lambda: web_config) as web,
            ExitStack() as idle,
        ):
            first, *_ = [
                idle.enter_context(connect(web, source=f"127.0.0.{2 + number // 2}")) for number in range(5)
            ]
            first.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert ask(web, authority.client()) == "HTTP/1.1 200 OK"
            assert seconds_to_close(first) < 5

    def test_tls_state_is_made_for_the_first_bytes_of_a_client_that_has_a_place(self, authority: Authority):
        given = authority.web_config()
        context = Mock(wraps=given.tls_context)
        counted = replace(given, tls_context=context)
        limits = ConnectionLimits(connections=4)
        with serving(limits=limits, web_config=lambda: counted) as web, ExitStack() as idle:
            for _ in range(limits.share):
                idle.enter_context(connect(web, source="127.0.0.2"))
            with suppress(ConnectionError), connect(web, source="127.0.0.2") as without_place:
                without_place.sendall(b"\x16\x03\x01")
                seconds_to_close(without_place)
            assert context.wrap_bio.call_count == 0
            assert ask(web, authority.client()) == OK
            assert context.wrap_bio.call_count == 1


class TestConversation:
    @pytest.fixture
    def web(self, authority: Authority) -> Iterator[WebServer]:
        web_config = authority.web_config()
        with serving(web_config=lambda: web_config) as web:
            yield web

    def test_requests_may_share_a_connection_and_come_all_at_once(self, web: WebServer, authority: Authority):
        with encrypted(web, authority.client()) as client:
            for _ in range(3):
                client.sendall(GET)
                assert read_answer(client).endswith(b"mpu-exporter is healthy.\n")
            client.sendall(GET * 3 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert read_to_end(client).count(b"mpu-exporter is healthy.\n") == 4

    def test_a_body_that_is_cut_off_is_400(self, authority: Authority):
        web_config, example = authority.web_config(), ExampleApp()
        with (
            serving(example.app, web_config=lambda: web_config) as web,
            encrypted(web, authority.client()) as client,
        ):
            client.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabc")
            socket.socket.shutdown(client, socket.SHUT_WR)  # its own method would end TLS
            assert read_to_end(client).startswith(b"HTTP/1.1 400 ")
        assert example.reloads == []

    def test_a_client_that_takes_its_leave_is_let_go(self, web: WebServer, authority: Authority):
        with connect(web) as plain:
            client = authority.client().wrap_socket(plain, server_hostname="localhost")
            client.sendall(GET)
            read_answer(client)
            with client.unwrap() as bare:  # both sides say goodbye
                assert bare.recv(1) == b""

    @pytest.mark.parametrize(
        "sent",
        [
            bytes(range(256)),
            b"\x16\x03\x01\xff\xff" + bytes(70_000),
            b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff",
            b"\x15\x03\x03\x00\x02\x02\x28",
            b"\x80\x2e\x01\x00\x02" + bytes(50),
            b"\0",
        ],
        ids=lambda sent: repr(sent[:12]),
    )
    def test_what_is_no_handshake_is_closed_and_others_are_served(
        self, web: WebServer, authority: Authority, sent: bytes, caplog: pytest.LogCaptureFixture
    ):
        with connect(web) as client:
            with contextlib.suppress(OSError):
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
            assert not read_to_end(client).startswith(b"HTTP")
            assert ask(web, authority.client()) == OK
        assert [record for record in caplog.records if record.exc_info] == []

    def test_garbage_after_the_handshake_is_closed(self, web: WebServer, authority: Authority):
        with connect(web) as plain:
            bare = plain.dup()
            with bare, authority.client().wrap_socket(plain, server_hostname="localhost"):
                bare.settimeout(10)
                bare.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
                read_to_end(bare)
        assert ask(web, authority.client()) == OK

    @pytest.mark.slow
    def test_it_ends_quickly_whatever_is_connected(self, authority: Authority):
        web_config = authority.web_config()
        web = WebServer(big, ["127.0.0.1:0"], web_config=lambda: web_config)
        web.start()
        with ExitStack() as clients:
            for sent in (b"", b"\x16\x03", b"GET / HTTP/1.1\r\n"):
                clients.enter_context(connect(web)).sendall(sent)
            for sent in (b"", GET):
                client = clients.enter_context(encrypted(web, authority.client(), receive_buffer=4096))
                client.sendall(sent)
            ending = threading.Thread(target=web.stop)
            ending.start()
            ending.join(10)
            assert not ending.is_alive()
        with pytest.raises(ConnectionRefusedError):
            connect(web)


def test_every_address_is_encrypted(authority: Authority):
    web_config = authority.web_config()
    web = WebServer(ExampleBoard("media").app, ["127.0.0.1:0", "127.0.0.2:0"], web_config=lambda: web_config)
    web.start()
    for host, port in web.addresses:
        with (
            socket.create_connection((host, port), timeout=10) as plain,
            authority.client().wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(GET)
            assert read_answer(client).startswith(OK.encode())
    web.stop()


def test_a_config_without_tls_is_served_plainly():
    with serving(web_config=WebConfig) as web, connect(web) as client:
        client.sendall(GET)
        assert read_answer(client).startswith(OK.encode())
