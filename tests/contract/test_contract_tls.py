"""Whom a store trusts on the way: certificates, their names and dates, CAs, proxies."""

import base64
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from contract.authority import NAMES, Authority
from contract.rigs import SCAN, UPLOADS, Opener, Part, Rig, Upload, refused
from servers import free_port
from servers.standin import Reply, Request, StandIn, forward_proxy

from exporter.config.settings import BucketSettings
from exporter.config.target_sections import TlsSettings
from exporter.model.errors import Reason

BUCKET = BucketSettings("media")
ONCE = replace(SCAN, retries=0)


def serving(open_rig: Opener, context: ssl.SSLContext, tls: TlsSettings, **settings: object) -> Rig:
    rig = open_rig(tls=context, bucket=BUCKET, **settings)
    rig.retarget(tls=tls)
    rig.fill([Upload("k", "id-1")])
    return rig


class TestCertificates:
    def test_one_the_ca_signed_is_trusted(self, open_rig: Opener, authority: Authority):
        rig = serving(open_rig, authority.context(), authority.tls)
        assert rig.ids() + rig.ids() == ["id-1", "id-1"]
        assert rig.standin.connections == 1

    @pytest.mark.parametrize("fault", ["unknown CA", "another host", "expired", "not yet valid"])
    def test_any_other_is_refused_at_once(self, open_rig: Opener, authority: Authority, fault: str):
        now, day = datetime.now(UTC), timedelta(days=1)
        context = {
            "unknown CA": lambda: Authority(trustme.CA(), Path()).context(),
            "another host": lambda: authority.context("other.example"),
            "expired": lambda: authority.context(*NAMES, not_before=now - 2 * day, not_after=now - day),
            "not yet valid": lambda: authority.context(*NAMES, not_before=now + day, not_after=now + 2 * day),
        }[fault]()
        rig = serving(open_rig, context, authority.tls)
        error = refused(rig)
        assert (error.reason, error.retryable) == (Reason.TLS, False)
        assert rig.standin.requests == []
        insecure = serving(open_rig, context, TlsSettings(insecure_skip_verify=True))
        assert insecure.ids() == ["id-1"]

    def test_the_system_s_trust_is_the_default(self, open_rig: Opener, authority: Authority):
        assert refused(serving(open_rig, authority.context(), TlsSettings())).reason == Reason.TLS

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    def test_the_environment_s_trust_is_the_same_for_every_store(
        self, open_rig: Opener, authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
    ):
        monkeypatch.setenv(name, str(authority.ca_file))
        assert serving(open_rig, authority.context(), TlsSettings()).ids() == ["id-1"]

    def test_an_empty_variable_is_an_unset_one_for_every_store(
        self, open_rig: Opener, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ):
        for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, "")
        assert serving(open_rig, authority.context(), authority.tls).ids() == ["id-1"]
        assert refused(serving(open_rig, authority.context(), TlsSettings())).reason == Reason.TLS

    def test_a_ca_file_that_changes_counts_for_the_next_connection(
        self, open_rig: Opener, authority: Authority, tmp_path: Path
    ):
        file = tmp_path / "ca.pem"
        trustme.CA().cert_pem.write_to_path(file)
        rig = serving(open_rig, authority.context(), TlsSettings(ca_file=file), scan=ONCE)
        assert refused(rig).reason == Reason.TLS
        authority.ca.cert_pem.write_to_path(file)
        assert rig.ids() == ["id-1"]

    def test_a_ca_file_that_is_not_there(self, open_rig: Opener, authority: Authority, tmp_path: Path):
        rig = serving(open_rig, authority.context(), TlsSettings(ca_file=tmp_path / "none.pem"))
        assert refused(rig).reason == Reason.TLS

    def test_a_server_without_tls(self, open_rig: Opener):
        with StandIn(lambda _: Reply()) as plain:
            rig = open_rig(endpoint_url=f"https://localhost:{plain.port}", scan=ONCE)
            assert refused(rig).reason == Reason.TLS

    def test_a_server_with_tls_where_none_was_expected(self, open_rig: Opener, authority: Authority):
        rig = serving(open_rig, authority.context(), TlsSettings(), scan=ONCE)
        mistaken = open_rig(endpoint_url=rig.standin.url.replace("https:", "http:"), scan=ONCE)
        assert refused(mistaken).reason in {Reason.BAD_RESPONSE, Reason.CONNECTION}

    def test_tls_1_0_is_refused(self, open_rig: Opener, authority: Authority):
        context = authority.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        assert refused(serving(open_rig, context, authority.tls)).reason == Reason.TLS


class TestClientCertificates:
    @pytest.fixture
    def demanding(self, authority: Authority) -> ssl.SSLContext:
        context = authority.context()
        context.verify_mode = ssl.CERT_REQUIRED
        authority.ca.configure_trust(context)
        return context

    @pytest.mark.parametrize("files", [1, 2])
    def test_one_is_shown(
        self, open_rig: Opener, authority: Authority, demanding: ssl.SSLContext, tmp_path: Path, files: int
    ):
        shown = authority.ca.issue_cert("exporter@example.org")
        cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
        shown.private_key_and_cert_chain_pem.write_to_path(cert_file)
        shown.private_key_pem.write_to_path(key_file)
        tls = replace(authority.tls, cert_file=cert_file, key_file=key_file if files == 2 else None)
        assert serving(open_rig, demanding, tls).ids() == ["id-1"]

    def test_one_that_changes_counts_for_the_next_connection(
        self, open_rig: Opener, authority: Authority, demanding: ssl.SSLContext, tmp_path: Path
    ):
        file = tmp_path / "cert.pem"
        trustme.CA().issue_cert("exporter@example.org").private_key_and_cert_chain_pem.write_to_path(file)
        rig = serving(open_rig, demanding, replace(authority.tls, cert_file=file), scan=ONCE)
        assert refused(rig).reason == Reason.TLS
        shown = authority.ca.issue_cert("exporter@example.org")
        shown.private_key_and_cert_chain_pem.write_to_path(file)
        assert rig.ids() == ["id-1"]

    def test_without_one_the_reason_is_tls(
        self, open_rig: Opener, authority: Authority, demanding: ssl.SSLContext
    ):
        assert refused(serving(open_rig, demanding, authority.tls, scan=ONCE)).reason == Reason.TLS

    def test_a_file_that_is_not_there(self, open_rig: Opener, authority: Authority, tmp_path: Path):
        tls = replace(authority.tls, cert_file=tmp_path / "none.pem")
        assert refused(serving(open_rig, authority.context(), tls)).reason == Reason.TLS


class TestProxies:
    @pytest.fixture
    def proxy(self) -> Iterator[StandIn]:
        with StandIn(forward_proxy) as proxy:
            yield proxy

    def test_the_configured_one_sees_every_request(self, open_rig: Opener, proxy: StandIn):
        rig = open_rig(proxy_url=proxy.url)
        upload = Upload("a//../b %41", "id-1", parts=[Part(1, 7)])
        rig.fill([upload])
        assert rig.ids() == ["id-1"]
        assert rig.size(upload).parts == 1
        assert len(proxy.requests) == 2
        assert all(request.target.startswith("http://") for request in proxy.requests)

    def test_tls_goes_through_it_untouched(self, open_rig: Opener, authority: Authority, proxy: StandIn):
        rig = serving(open_rig, authority.context(), authority.tls, proxy_url=proxy.url)
        assert rig.ids() == ["id-1"]
        assert [request.method for request in proxy.requests] == ["CONNECT"]

    @pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
    def test_the_environment_s_is_used(
        self, open_rig: Opener, proxy: StandIn, monkeypatch: pytest.MonkeyPatch, name: str
    ):
        monkeypatch.setenv(name, proxy.url)
        open_rig().ids()
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
    def test_the_environment_s_for_tls_is_used(
        self,
        open_rig: Opener,
        authority: Authority,
        proxy: StandIn,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ):
        monkeypatch.setenv(name, proxy.url)
        serving(open_rig, authority.context(), authority.tls).ids()
        assert len(proxy.requests) == 1

    @pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
    def test_no_proxy_spares_what_it_names(
        self, open_rig: Opener, proxy: StandIn, monkeypatch: pytest.MonkeyPatch, name: str
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv(name, "example.org,localhost")
        open_rig().ids()
        assert proxy.requests == []

    @pytest.mark.parametrize(
        ("exceptions", "spared"),
        [
            ("{host}:{port}", True),
            ("{host}:1", False),
            (" 10.0.0.1 ,.{host}", True),
            ("{upper}", True),
            ("x{host}", False),
            ("*", True),
            ("", False),
        ],
    )
    def test_no_proxy_is_read_as_the_sdks_do(
        self,
        kind_rig: Rig,
        proxy: StandIn,
        monkeypatch: pytest.MonkeyPatch,
        exceptions: str,
        *,
        spared: bool,
    ):
        url = urlsplit(kind_rig.standin.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        text = exceptions.format(host=url.hostname, port=url.port, upper=str(url.hostname).upper())
        monkeypatch.setenv("NO_PROXY", text)
        kind_rig.retarget()
        kind_rig.ids()
        monkeypatch.delenv("HTTP_PROXY")
        kind_rig.retarget()
        assert (proxy.requests == []) == spared

    @pytest.mark.parametrize("exceptions", ["[::1]", "[::1]:{port}", "::1", "::/64"])
    def test_no_proxy_names_addresses_of_version_6(
        self, open_page_rig: Opener, proxy: StandIn, monkeypatch: pytest.MonkeyPatch, exceptions: str
    ):
        rig = open_page_rig(host="::1", name="[::1]")
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exceptions.format(port=urlsplit(rig.standin.url).port))
        rig.retarget()
        assert (rig.ids(), proxy.requests) == ([], [])

    def test_a_configured_one_stands_above_no_proxy(
        self, open_rig: Opener, proxy: StandIn, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("NO_PROXY", "*")
        open_rig(proxy_url=proxy.url).ids()
        assert len(proxy.requests) == 1

    def test_its_password_is_sent_to_it_alone_and_never_told(self, open_rig: Opener, proxy: StandIn):
        rig = open_rig(proxy_url=proxy.url.replace("://", "://user:hunter2@"), scan=ONCE)
        rig.ids()
        basic = base64.b64encode(b"user:hunter2").decode()
        assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {basic}"
        assert "proxy-authorization" not in rig.standin.requests[0].headers
        gone = open_rig(proxy_url=f"http://user:hunter2@127.0.0.1:{free_port()}", scan=ONCE)
        error = refused(gone)
        assert error.reason == Reason.CONNECTION
        assert "hunter2" not in str(error) + repr(gone.target)

    @pytest.mark.parametrize(
        ("status", "reason"),
        [(407, Reason.CONNECTION), (502, Reason.SERVER_ERROR), (403, Reason.BAD_RESPONSE)],
    )
    def test_its_own_refusals(self, open_rig: Opener, status: int, reason: Reason):
        with refusing(status) as proxy:
            assert refused(open_rig(proxy_url=proxy.url, scan=ONCE)).reason == reason

    @pytest.mark.parametrize("status", [407, 403, 502])
    def test_its_refusal_of_a_tunnel(self, open_rig: Opener, authority: Authority, status: int):
        with refusing(status) as proxy:
            rig = serving(open_rig, authority.context(), authority.tls, proxy_url=proxy.url, scan=ONCE)
            assert refused(rig).reason == Reason.CONNECTION

    def test_its_login_page_is_no_empty_bucket(self, open_rig: Opener):
        with StandIn(lambda _: Reply(200, {"Content-Type": "text/html"}, b"<html>log in</html>")) as proxy:
            rig = open_rig(proxy_url=proxy.url, scan=ONCE)
            assert refused(rig).reason == Reason.BAD_RESPONSE
            assert rig.traffic.failures == {(UPLOADS, Reason.BAD_RESPONSE): 1}


def refusing(status: int) -> StandIn:
    handler: Callable[[Request], Reply] = lambda _: Reply(status, body=b"<html>no</html>")  # noqa: E731
    return StandIn(handler)


def test_the_environment_is_bare():
    assert not [name for name in os.environ if name.lower().endswith("_proxy")]
