"""What browsers are made to send by other sites' pages, on real sockets: requests to act, and other names."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack

import bcrypt
import pytest
from unit.authority import Authority
from unit.example_app import ExampleApp
from unit.web_clients import connect, read_answer, serving

from exporter.web.auth.config import WebConfig
from exporter.web.auth.middleware import AuthMiddleware
from exporter.web.hosts import HostGuard, parse_allowed_host
from exporter.web.server.server import WebServer

ALLOWED = "mpu.example, *.lan.example, Port.Example:19340, web.example:80, tls.example:443, dot.example."
PASSWORDS = WebConfig(users={"ann": bcrypt.hashpw(b"secret", bcrypt.gensalt(4))})


def send(web: WebServer, *lines: str, tls: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Return status and body of the answer to a request of these lines; 0: there was none."""
    with ExitStack() as stack:
        client = stack.enter_context(connect(web))
        if tls:
            client = stack.enter_context(tls.wrap_socket(client, server_hostname="localhost"))
        client.sendall("\r\n".join((*lines, "", "")).encode("latin-1"))
        head, _, body = read_answer(client).decode().partition("\r\n\r\n")
    return int(head.split(" ")[1]) if head else 0, body


@pytest.fixture(scope="module")
def shown() -> ExampleApp:
    return ExampleApp()


@pytest.fixture(scope="module")
def web(shown: ExampleApp) -> Iterator[WebServer]:
    with serving(shown.app) as web:
        yield web


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def encrypting(shown: ExampleApp, authority: Authority) -> Iterator[WebServer]:
    web_config = authority.web_config()
    with serving(
        HostGuard(shown.app, hosts("tls.example:443, web.example:80")), web_config=lambda: web_config
    ) as web:
        yield web


@pytest.fixture(scope="module")
def guarded(shown: ExampleApp) -> Iterator[WebServer]:
    with serving(HostGuard(AuthMiddleware(shown.app, lambda: PASSWORDS), hosts(ALLOWED))) as web:
        yield web


def hosts(text: str) -> list:
    return [parse_allowed_host(each.strip()) for each in text.split(",")]


class TestRequestsToAct:
    @pytest.mark.parametrize(
        ("host", "headers", "fine"),
        [
            ("mpu.example:19340", [], True),
            ("mpu.example:19340", ["Origin: http://mpu.example:19340"], True),
            ("MPU.example:19340", ["Origin: HTTP://mpu.EXAMPLE:19340"], True),
            ("mpu.example:443", ["Origin: https://mpu.example"], True),
            ("mpu.example", ["Origin: https://mpu.example"], True),
            ("mpu.example", ["Origin: http://mpu.example:80"], True),
            ("mpu.example.:19340", ["Origin: http://mpu.example.:19340"], True),
            ("[::1]:19340", ["Origin: http://[0:0:0:0:0:0:0:1]:19340"], True),
            ("mpu.example:19340", ["Origin: http://evil.example:19340"], False),
            ("mpu.example:19340", ["Origin: http://mpu.example.evil.example:19340"], False),
            ("mpu.example:19340", ["Origin: http://mpu.example:28790"], False),
            ("mpu.example:19340", ["Origin: http://mpu.example"], False),
            ("mpu.example:19340", ["Origin: ftp://mpu.example:19340"], False),
            ("mpu.example:19340", ["Origin: app://mpu.example:19340"], False),
            ("mpu.example:19340", ["Origin: mpu.example:19340"], False),
            ("mpu.example:19340", ["Origin: http://evil.example@mpu.example:19340"], False),
            ("mpu.example:19340", ["Origin: http://mpu.example:19340@evil.example"], False),
            ("mpu.example:19340", ["Origin: http://mpu.example:19340/"], False),
            ("mpu.example:19340", ["Origin: http://evil.example\\@mpu.example:19340"], False),
            ("mpu.example:19340", ["Origin: http://mpu.exam\tple:19340"], False),
            ("mpu.example:x", ["Origin: http://mpu.example:x"], False),
            ("[::1]:19340", ["Origin: http://[::2]:19340"], False),
            ("[::1", ["Origin: http://[::1"], False),
            ("null", ["Origin: null"], False),
            ("mpu.example:19340", ["Origin:"], False),
            ("mpu.example:19340", ["Origin: http://mpu.example:19340", "Origin: http://evil.example"], False),
            ("mpu.example:19340", ["Origin: http://evil.example", "Origin: http://mpu.example:19340"], False),
            ("10.0.0.7", ["Origin: http://evil.example", "X-Forwarded-Host: evil.example"], False),
            ("10.0.0.7", ["Origin: https://mpu.example", "Sec-Fetch-Site: same-origin"], True),
            ("mpu.example", ["Origin: http://mpu.example", "Sec-Fetch-Site: same-site"], False),
            ("mpu.example", ["Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"], False),
            ("mpu.example", ["Referer: http://mpu.example/uploads?sort=age"], True),
            ("mpu.example", ["Referer: http://evil.example/http://mpu.example/"], False),
            ("mpu.example", ["Referer: http://mpu.example@evil.example/"], False),
            ("mpu.example", ["Referer: about:client"], False),
            ("mpu.example", ["Referer: http://mpu.example/", "Origin: http://evil.example"], False),
        ],
    )
    def test_only_our_own_pages_may_and_what_is_no_browser(
        self, web: WebServer, shown: ExampleApp, host: str, headers: list[str], *, fine: bool
    ):
        before = len(shown.scans), len(shown.reloads)
        for path, done in (("/-/scan", 202), ("/-/reload", 200)):
            status, _ = send(web, f"POST {path} HTTP/1.1", f"Host: {host}", *headers)
            assert status == (done if fine else 403)
        assert (len(shown.scans), len(shown.reloads)) == (before[0] + fine, before[1] + fine)

    @pytest.mark.parametrize(
        ("origin", "status"), [("https://tls.example", 202), ("http://tls.example", 403)]
    )
    def test_over_tls_pages_that_came_without_it_are_other_sites(
        self, encrypting: WebServer, authority: Authority, origin: str, status: int
    ):
        lines = "POST /-/scan HTTP/1.1", "Host: tls.example", f"Origin: {origin}"
        assert send(encrypting, *lines, tls=authority.client())[0] == status


class TestAllowedHosts:
    @pytest.mark.parametrize(
        "host",
        [
            *("mpu.example", "mpu.example:19340", "MPU.Example:1", "mpu.example.:19340"),
            *("a.lan.example", "b.a.lan.example:80", "A.LAN.EXAMPLE."),
            *("port.example:19340", "web.example", "web.example:80", "dot.example", "tls.example:443"),
            *("10.0.0.7", "10.0.0.7:19340", "[::1]:19340", "[fd00::7]", "[::ffff:10.0.0.7]:80"),
        ],
    )
    def test_a_name_that_is_listed_and_any_ip_address_go_on_to_the_password(
        self, guarded: WebServer, host: str
    ):
        assert send(guarded, "GET /metrics HTTP/1.1", f"Host: {host}")[0] == 401

    @pytest.mark.parametrize(
        "host",
        [
            *("evil.example", "evil.example:19340", "mpu.example.evil.example", "evil-mpu.example"),
            *("lan.example", "evillan.example", ".lan.example", "*.lan.example.evil.example"),
            *("port.example", "port.example:19341", "web.example:443", "tls.example", "localhost"),
            *("10.0.0.7.evil.example", "127.1", "0x7f.0.0.1", "2130706433", "[::1", "::1", "[fe80::1%eth0]"),
            *(
                "mpu.example@evil.example",
                "evil.example/mpu.example",
                "mpu.example:999999",
                "mpu.example:x",
                "",
            ),
            *("mpu.example, evil.example", "mpu.example..", "10.0.0.7."),
        ],
    )
    def test_any_other_is_told_nothing_but_what_to_do(self, guarded: WebServer, host: str):
        for line in ("GET /metrics HTTP/1.1", "POST /-/scan HTTP/1.1", "GET /-/healthy HTTP/1.1"):
            status, body = send(guarded, line, f"Host: {host}")
            assert (status, "start with --web.allowed-hosts" in body) == (421, True)

    @pytest.mark.parametrize(
        ("lines", "status"),
        [
            (["GET /metrics HTTP/1.0"], 421),
            (["GET /metrics HTTP/1.0", "Host: evil.example"], 421),
            (["GET /metrics HTTP/1.0", "Host: mpu.example"], 401),
            (["GET /metrics HTTP/1.1"], 400),
            (["GET /metrics HTTP/1.1", "Host: mpu.example", "Host: evil.example"], 400),
            (["GET /metrics HTTP/1.1", "Host: evil.example", "X-Forwarded-Host: mpu.example"], 421),
        ],
    )
    def test_there_has_to_be_one(self, guarded: WebServer, lines: list[str], status: int):
        assert send(guarded, *lines)[0] == status

    @pytest.mark.parametrize(("host", "status"), [("tls.example", 200), ("web.example", 421)])
    def test_over_tls_the_port_that_is_left_out_is_443(
        self, encrypting: WebServer, authority: Authority, host: str, status: int
    ):
        lines = "GET /-/healthy HTTP/1.1", f"Host: {host}"
        assert send(encrypting, *lines, tls=authority.client())[0] == status

    def test_without_a_list_any_name_goes(self, shown: ExampleApp):
        with serving(HostGuard(shown.app, ())) as web:
            assert send(web, "GET /-/healthy HTTP/1.0") == (200, "mpu-exporter is healthy.\n")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "*",
            "*.",
            "http://a",
            "a/b",
            "a:b",
            "a:70000",
            "::1",
            "[::1",
            "[x]",
            "a b",
            "ü.example",
            "a..b",
            "a.*",
        ],
    )
    def test_what_is_no_host_is_refused_where_it_is_given(self, text: str):
        with pytest.raises(ValueError, match="must"):
            parse_allowed_host(text)
