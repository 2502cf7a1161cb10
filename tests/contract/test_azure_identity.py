"""Tokens for Azure: whose identity is used, who is asked, when they are renewed, and what failures mean."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from contract.rigs import failure
from fakes import NOW, Clock, Recorder
from servers.entra import CLIENT, TENANT, TOKEN_SECONDS, Tokens
from servers.standin import Reply, StandIn

from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.stores.azure.credentials import AzureCredentials
from exporter.stores.azure.entra import Entra, read_application
from exporter.stores.azure.signing import BearerToken
from exporter.stores.temporary_keys import RENEW_BEFORE_SECONDS, RETRY_SECONDS
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.authority import Authority

LEFT = TOKEN_SECONDS - RENEW_BEFORE_SECONDS
"""So long is a token used before it is renewed."""
TARGET = TargetSettings("t", StoreKind.AZURE, (BucketSettings("photos"),), account="media1")
APPLICATION = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}


class CloudSetup:
    """Credentials without any in the config, and who gives them tokens."""

    def __init__(self, server: Tokens, entra: StandIn, services: StandIn, authority: Authority, folder: Path):
        self.server, self.entra, self.services, self.folder = server, entra, services, folder
        self.clock = Clock()
        server.clock = self.clock.wall
        self.environ = {"AZURE_AUTHORITY_HOST": f"localhost:{entra.port}/"}
        self.traffic = Recorder()
        self.transport = Transport(self.traffic, threading.Event(), tls=authority.tls)
        self.credentials = self.of(TARGET)

    def of(self, target: TargetSettings) -> AzureCredentials:
        return AzureCredentials(
            target,
            self.transport,
            self.clock.wall,
            environ=self.environ,
            metadata_url=self.services.url,
            arc_folder=str(self.folder),
        )

    def number(self) -> int:
        """Return which of the issued tokens is in use."""
        keys = self.credentials.keys(1e12)
        assert isinstance(keys, BearerToken)
        return int(keys.token.removeprefix("token-"))

    def use(self, source: str) -> None:
        """Make this the identity that the environment has."""
        self.environ |= {
            "secret": {**APPLICATION, "AZURE_CLIENT_SECRET": self.server.secret},
            "workload": {**APPLICATION, "AZURE_FEDERATED_TOKEN_FILE": str(self.workload_file())},
            "machine": {},
            "sandbox": {
                "IDENTITY_ENDPOINT": f"{self.services.url}/msi/token",
                "IDENTITY_HEADER": self.server.header,
            },
            "arc": {
                "IDENTITY_ENDPOINT": f"{self.services.url}/arc",
                "IMDS_ENDPOINT": "http://localhost:40342",
            },
        }[source]

    def workload_file(self) -> Path:
        file = self.folder / "workload"
        file.write_text(f"{self.server.assertion}\n")
        return file


@pytest.fixture(scope="module")
def _standins(authority: Authority) -> Iterator[tuple[StandIn, StandIn]]:
    with StandIn(_none, tls=authority.context(), name="localhost") as entra, StandIn(_none) as services:
        yield entra, services


def _none(_: object) -> Reply:
    raise AssertionError


@pytest.fixture
def cloud(_standins: tuple[StandIn, StandIn], authority: Authority, tmp_path: Path) -> Iterator[CloudSetup]:
    server = Tokens(lambda: NOW)
    server.arc_file = tmp_path / "challenge.key"
    server.arc_file.write_text("arc-secret")
    entra, services = _standins
    entra.handler = services.handler = server
    cloud = CloudSetup(server, entra, services, authority, tmp_path)
    yield cloud
    cloud.transport.close()


SOURCES = ("secret", "workload", "machine", "sandbox", "arc")


@pytest.mark.parametrize("source", SOURCES)
class TestEachSource:
    def test_its_token_is_used_and_renewed_before_its_end(self, cloud: CloudSetup, source: str):
        cloud.use(source)
        numbers = []
        for now in (0, LEFT - 1, LEFT + 1):
            cloud.clock.now = now
            numbers.append(cloud.number())
        assert numbers == [1, 1, 2]
        assert {("sent", "GetToken")} == set(cloud.traffic.seen)

    def test_what_is_no_token_is_none(self, cloud: CloudSetup, source: str):
        cloud.use(source)
        for body in (
            b"",
            b"<html></html>",
            b"[" * 100_000,
            b'{"access_token": "", "expires_in": 3599}',
            b'{"access_token": 7, "expires_in": 3599}',
            b'{"access_token": "to\\nken", "expires_in": 3599}',
        ):
            cloud.credentials = cloud.of(TARGET)
            cloud.server.spoil = lambda _, body=body: Reply(200, {}, body)
            error = failure(cloud.number)
            expected = "GetToken: the answer holds no token; check who answers there"
            assert (Reason.CREDENTIALS, expected) == (error.reason, str(error))

    def test_a_token_that_has_ended_is_none(self, cloud: CloudSetup, source: str):
        cloud.use(source)
        for body in (
            b'{"access_token": "a", "expires_on": "1"}',
            b'{"access_token": "a", "expires_in": "soon"}',
            b'{"access_token": "a", "expires_in": 1e400, "expires_on": NaN}',
        ):
            cloud.credentials = cloud.of(TARGET)
            cloud.server.spoil = lambda _, body=body: Reply(200, {}, body)
            assert str(failure(cloud.number)) == "GetToken: the token has ended already: check the clocks"

    def test_a_wrong_clock_does_not_end_one(self, cloud: CloudSetup, source: str):
        cloud.use(source)
        cloud.server.clock = lambda: NOW - 86400.0
        assert [cloud.number(), cloud.number()] == [1, 1]

    def test_many_threads_ask_once(self, cloud: CloudSetup, source: str):
        cloud.use(source)
        with ThreadPoolExecutor(8) as pool:
            assert {1} == set(pool.map(lambda _: cloud.number(), range(32)))
        assert cloud.server.issued == 1


class TestOrder:
    def test_a_secret_comes_before_a_workload_s_token_and_that_before_a_managed_identity(
        self, cloud: CloudSetup
    ):
        asked = []
        cloud.server.spoil = lambda reply: replace(reply, status=500)
        for sources in (SOURCES, SOURCES[1:], SOURCES[2:]):
            cloud.environ = {"AZURE_AUTHORITY_HOST": f"localhost:{cloud.entra.port}"}
            for source in sources:
                cloud.use(source)
            cloud.credentials = cloud.of(TARGET)
            before = len(cloud.entra.requests)
            failure(cloud.number)
            asked.append([request.body for request in cloud.entra.requests[before:]])
        assert [len(bodies) for bodies in asked] == [1, 1, 0]
        assert b"client_secret=" in asked[0][0]
        assert b"client_assertion=" in asked[1][0]

    @pytest.mark.parametrize(
        ("name", "number_of_requests"),
        [("ManagedIdentityCredential", 0), ("WorkloadIdentityCredential", 1), ("prod", 1)],
    )
    def test_the_environment_may_name_one(self, cloud: CloudSetup, name: str, number_of_requests: int):
        for source in ("workload", "sandbox"):
            cloud.use(source)
        cloud.server.identities = {CLIENT}
        cloud.environ["AZURE_TOKEN_CREDENTIALS"] = name
        before = len(cloud.entra.requests)
        assert cloud.number() == 1
        assert number_of_requests == len(cloud.entra.requests) - before

    @pytest.mark.parametrize(
        ("name", "what"),
        [
            ("dev", "AZURE_TOKEN_CREDENTIALS: of its values only these are supported: prod, Env"),
            (
                "EnvironmentCredential",
                "not all are set of AZURE_CLIENT_SECRET, AZURE_TENANT_ID, AZURE_CLIENT_ID",
            ),
        ],
    )
    def test_one_that_cannot_be_used_is_said(self, cloud: CloudSetup, name: str, what: str):
        cloud.environ["AZURE_TOKEN_CREDENTIALS"] = name
        error = failure(cloud.number)
        assert error.reason is Reason.CREDENTIALS
        assert what in str(error)

    @pytest.mark.parametrize(
        ("source", "lacking", "said"),
        [
            (
                "workload",
                ("AZURE_CLIENT_ID",),
                "GetToken: AZURE_FEDERATED_TOKEN_FILE is set without AZURE_CLIENT_ID; annotate",
            ),
            (
                "secret",
                ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"),
                "GetToken: AZURE_CLIENT_SECRET is set without AZURE_TENANT_ID and AZURE_CLIENT_ID; set both",
            ),
        ],
    )
    def test_half_an_identity_is_a_mistake_and_no_other_is_looked_for(
        self, cloud: CloudSetup, source: str, lacking: tuple[str, ...], said: str
    ):
        cloud.use(source)
        for name in lacking:
            del cloud.environ[name]
        error = failure(cloud.number)
        assert error.reason is Reason.CREDENTIALS
        assert str(error).startswith(said)
        assert cloud.traffic.seen == []

    def test_a_certificate_is_not_passed_over(self, cloud: CloudSetup):
        cloud.environ |= {**APPLICATION, "AZURE_CLIENT_CERTIFICATE_PATH": "/run/cert.pem"}
        assert "certificates of applications are not supported; use AZURE_CLIENT_SECRET" in str(
            failure(cloud.number)
        )

    def test_no_token_is_asked_for_that_would_go_unencrypted(self, cloud: CloudSetup):
        cloud.credentials = cloud.of(replace(TARGET, endpoint_url="http://127.0.0.1:10000"))
        error = failure(cloud.number)
        assert error.reason is Reason.CREDENTIALS
        assert "tokens are sent over TLS only: give account_key" in str(error)
        assert cloud.traffic.seen == []


class TestEntra:
    @pytest.mark.parametrize(
        ("environ", "what", "advice"),
        [
            (
                {"AZURE_CLIENT_SECRET": "another-secret"},
                "HTTP 401 (AADSTS7000215: Invalid client secret provided.)",
                "AZURE_CLIENT_SECRET is wrong: it is the secret's value, not its id",
            ),
            (
                {"AZURE_TENANT_ID": "contoso.com"},
                "HTTP 400 (AADSTS90002: Tenant 'contoso.com' not found.)",
                "check AZURE_TENANT_ID: the tenant of the identity, by id or domain",
            ),
            (
                {"AZURE_TENANT_ID": "a/../b"},
                "no tenant is called like that",
                "check AZURE_TENANT_ID: the tenant of the identity, by id or domain",
            ),
            (
                {"AZURE_CLIENT_ID": "nobody"},
                "HTTP 400 (AADSTS700016: Application with identifier 'nobody' was not found)",
                "check AZURE_CLIENT_ID and AZURE_TENANT_ID: this tenant has no such application",
            ),
            (
                {"AZURE_AUTHORITY_HOST": "http://localhost"},
                "AZURE_AUTHORITY_HOST is not encrypted",
                "it must be a host, or its URL with https",
            ),
        ],
        ids=["secret", "tenant", "no tenant", "client", "authority"],
    )
    def test_what_is_wrong_is_named(self, cloud: CloudSetup, environ: dict[str, str], what: str, advice: str):
        cloud.use("secret")
        cloud.environ |= environ
        error = failure(cloud.number)
        assert (Reason.CREDENTIALS, f"GetToken: {what}; {advice}") == (error.reason, str(error))

    def test_a_workload_that_the_identity_does_not_trust_is_named(self, cloud: CloudSetup):
        cloud.use("workload")
        cloud.server.assertion = "another"
        said = str(failure(cloud.number))
        assert "AADSTS700213" in said
        assert "system:serviceaccount:NAMESPACE:NAME" in said
        assert "the.workloads.token" not in said

    def test_a_workload_s_token_is_read_again_for_each_exchange(self, cloud: CloudSetup):
        cloud.use("workload")
        assert cloud.number() == 1
        cloud.server.assertion = "a.new.token"
        cloud.workload_file()
        cloud.clock.now = LEFT + 1
        assert cloud.number() == 2

    def test_a_file_that_is_not_there_is_named_by_its_variable(self, cloud: CloudSetup):
        cloud.use("workload")
        file = cloud.workload_file()
        file.unlink()
        error = failure(cloud.number)
        assert error.reason is Reason.CREDENTIALS
        assert str(error).startswith(
            f"GetToken: AZURE_FEDERATED_TOKEN_FILE: the token file {file} is not there"
        )

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (Reply(503, {}, b""), "GetToken: HTTP 503 (it is empty); the service that gives tokens fails"),
            (Reply(502, {}, b"<html>"), "GetToken: HTTP 502 (it is HTML); the service"),
        ],
    )
    def test_what_may_pass_is_asked_again_at_once(self, cloud: CloudSetup, reply: Reply, said: str):
        cloud.use("secret")
        cloud.server.spoil = lambda _: reply
        error = failure(cloud.number)
        assert error.retryable
        assert str(error).startswith(said)
        cloud.server.spoil = lambda reply: reply
        assert cloud.number() == 2

    def test_one_that_cannot_be_reached_is_no_fault_of_the_credentials(self, cloud: CloudSetup):
        cloud.use("secret")
        cloud.server.spoil = lambda reply: replace(reply, reset=True)
        error = failure(cloud.number)
        assert (error.reason, error.retryable) == (Reason.CONNECTION, True)

    @pytest.mark.parametrize(
        ("host", "written", "expected"),
        [
            ("media1.blob.core.windows.net", "", "login.microsoftonline.com"),
            ("media1.blob.core.chinacloudapi.cn", "", "login.chinacloudapi.cn"),
            ("media1.blob.core.usgovcloudapi.net", "", "login.microsoftonline.us"),
            ("media1.blob.core.usgovcloudapi.net", "login.example.com", "login.example.com"),
        ],
    )
    def test_it_is_the_one_of_the_cloud(self, cloud: CloudSetup, host: str, written: str, expected: str):
        cloud.use("secret")
        application = read_application(cloud.environ, by_secret=True)
        assert application
        with StandIn(lambda _: Reply(407)) as proxy:
            transport = Transport(Recorder(), threading.Event(), proxy_url=proxy.url)
            with transport.call("GetToken", 1e12):
                failure(Entra(transport, cloud.clock.wall, host, written).fetch, application)
            transport.close()
            assert [("CONNECT", f"{expected}:443")] == [(each.method, each.target) for each in proxy.requests]


class TestManagedIdentity:
    @pytest.mark.parametrize("source", ["machine", "sandbox", "arc"])
    def test_the_client_id_chooses_one_of_several(self, cloud: CloudSetup, source: str):
        cloud.use(source)
        cloud.server.identities = {CLIENT}
        error = failure(cloud.number)
        assert "HTTP 400 (Identity not found); assign a managed identity to where this runs" in str(error)
        cloud.environ["AZURE_CLIENT_ID"] = "another"
        cloud.credentials = cloud.of(TARGET)
        assert str(failure(cloud.number)).endswith(", the one of AZURE_CLIENT_ID, or correct that")
        cloud.environ["AZURE_CLIENT_ID"] = CLIENT
        cloud.credentials = cloud.of(TARGET)
        assert cloud.number() == 1

    def test_its_service_is_not_asked_through_a_proxy(self, cloud: CloudSetup):
        with StandIn(lambda _: Reply(502)) as proxy:
            cloud.transport = Transport(cloud.traffic, threading.Event(), proxy_url=proxy.url)
            cloud.credentials = cloud.of(TARGET)
            assert cloud.number() == 1
            assert proxy.requests == []

    def test_a_service_that_is_not_there_is_said_and_not_asked_for_a_while(self, cloud: CloudSetup):
        cloud.server.spoil = lambda reply: replace(reply, reset=True)
        for _ in range(2):
            error = failure(cloud.number)
            assert error.reason is Reason.CREDENTIALS
            assert "put account_key, sas_token or connection_string under credentials" in str(error)
        assert cloud.traffic.seen.count(("sent", "GetToken")) == 1
        cloud.server.spoil = lambda reply: reply
        cloud.clock.now = RETRY_SECONDS
        assert cloud.number() == 2

    @pytest.mark.parametrize("status", [404, 410, 429, 500])
    def test_a_service_that_is_about_to_start_is_asked_again(self, cloud: CloudSetup, status: int):
        cloud.server.spoil = lambda _: Reply(status)
        assert failure(cloud.number).retryable
        cloud.server.spoil = lambda reply: reply
        assert cloud.number() == 2

    def test_that_of_a_pod_s_own_may_stand_in_its_place(self, cloud: CloudSetup):
        cloud.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"{cloud.services.url}/"
        cloud.credentials = AzureCredentials(
            TARGET,
            cloud.transport,
            cloud.clock.wall,
            environ=cloud.environ,
            metadata_url="http://127.0.0.1:1",
        )
        assert cloud.number() == 1

    @pytest.mark.parametrize(
        "realm", ["/etc/shadow", "/etc/shadow.key", "{folder}/../x.key", "{folder}/a.txt", ""]
    )
    def test_a_challenge_of_arc_reads_no_other_file(self, cloud: CloudSetup, realm: str):
        cloud.use("arc")
        cloud.server.arc_realm = realm.format(folder=cloud.folder) or " "
        error = failure(cloud.number)
        assert error.reason is Reason.CREDENTIALS
        assert f"Azure Arc's agent names no .key file in {cloud.folder}" in str(error)

    def test_a_challenge_of_arc_that_cannot_be_read_says_what_to_do(self, cloud: CloudSetup):
        cloud.use("arc")
        assert cloud.server.arc_file
        cloud.server.arc_file.unlink()
        os.mkfifo(cloud.server.arc_file)
        error = failure(cloud.number)
        assert "is not a regular file" in str(error)
        assert "run as a member of the group himds" in str(error)

    def test_a_header_that_cannot_be_sent_is_named_and_not_shown(self, cloud: CloudSetup):
        cloud.use("sandbox")
        cloud.environ["IDENTITY_HEADER"] = "the\nsecret"
        said = str(failure(cloud.number))
        assert "what goes into the header X-IDENTITY-HEADER holds a line break; check the environment" in said

    def test_service_fabric_is_not_mistaken_for_app_service(self, cloud: CloudSetup):
        cloud.use("sandbox")
        cloud.environ["IDENTITY_SERVER_THUMBPRINT"] = "00"
        assert "identities of Service Fabric are not supported" in str(failure(cloud.number))


def test_a_token_that_the_store_refuses_is_asked_for_anew_now_and_then(cloud: CloudSetup):
    numbers = []
    for now in (0, 1, 2, RETRY_SECONDS, RETRY_SECONDS + 1):
        cloud.clock.now = now
        numbers.append(cloud.number())
        cloud.credentials.doubt(cloud.credentials.keys(1e12))
    assert numbers == [1, 2, 2, 2, 3]
