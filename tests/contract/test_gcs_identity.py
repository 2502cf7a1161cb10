"""Tokens for Google Cloud: whose identity is used, who is asked, when they are renewed, and failures."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from contract.rigs import failure
from fakes import Recorder
from sequential_client import SequentialClient
from servers.gcs import Gcs
from servers.google import (
    ACCOUNT,
    CLIENT_SECRET,
    HOSTS,
    PRIVATE_KEY,
    REFRESH_TOKEN,
    SUBJECT_TOKEN,
    TOKEN_SECONDS,
    Identities,
)
from servers.s3 import Upload
from servers.standin import Reply, Request, StandIn

from exporter.config.credentials import Credentials
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.stores.gcs.credentials import GcsCredentials
from exporter.stores.gcs.store import GcsStore
from exporter.stores.temporary_keys import RENEW_BEFORE_SECONDS, RETRY_SECONDS
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract.authority import Authority

LEFT = TOKEN_SECONDS - RENEW_BEFORE_SECONDS
"""So long is a token used before it is renewed."""
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
IAM_SCOPE = "https://www.googleapis.com/auth/iam"
TARGET = TargetSettings("t", StoreKind.GCS, (BucketSettings("media"),))
USER = {
    "type": "authorized_user",
    "client_id": "764086051850.apps.googleusercontent.com",
    "client_secret": CLIENT_SECRET,
    "refresh_token": REFRESH_TOKEN,
    "quota_project_id": "media-123456",
}
SERVICE_ACCOUNT = {
    "type": "service_account",
    "project_id": "media-123456",
    "private_key_id": "1",
    "private_key": PRIVATE_KEY,
    "client_email": ACCOUNT,
    "token_uri": "https://oauth2.googleapis.com/token",
}
IMPERSONATION = (
    f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
)
EXTERNAL = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
}


class Cloud:
    """Credentials, and who gives them tokens: the metadata server as it is, the others through a proxy."""

    def __init__(
        self, server: Identities, metadata: StandIn, proxy: StandIn, authority: Authority, folder: Path
    ):
        self.server, self.metadata, self.proxy, self.folder = server, metadata, proxy, folder
        self.ahead = 0.0
        """By how many seconds the exporter's clock is ahead of the system's."""
        self.environ = {
            "GCE_METADATA_HOST": f"127.0.0.1:{metadata.port}",
            "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        }
        self.traffic = Recorder()
        self.stop = threading.Event()
        self.target = replace(TARGET, tls=authority.tls, proxy_url=proxy.url)
        self.transport = Transport(self.traffic, self.stop, tls=authority.tls, proxy_url=proxy.url)
        self.credentials = self.of()

    def of(self, **settings: object) -> GcsCredentials:
        target = replace(self.target, **settings)
        return GcsCredentials(target, self.transport, lambda: time.time() + self.ahead, self.environ)

    def file(self, content: object, name: str = "who.json") -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def use(self, content: object) -> Path:
        """Have the environment name a file with this content."""
        path = self.file(content)
        self.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)
        return path

    def token(self, seconds: float = 20.0) -> str:
        return self.credentials.token(time.monotonic() + seconds).text

    def number(self) -> int:
        """Return which of the issued tokens is in use."""
        return int(self.token().removeprefix("ya29.issued-"))

    def asked(self) -> list[str]:
        return [operation for kind, operation, *_ in self.traffic.seen if kind == "sent"]


@pytest.fixture
def cloud(authority: Authority, tmp_path: Path) -> Iterator[Cloud]:
    server = Identities()
    with (
        StandIn(server, tls=authority.context(*HOSTS)) as services,
        StandIn(lambda _: Reply(tunnel=("127.0.0.1", services.port))) as proxy,
        StandIn(server) as metadata,
    ):
        cloud = Cloud(server, metadata, proxy, authority, tmp_path)
        yield cloud
        cloud.transport.close()


class TestOfAMachineOrPod:
    def test_its_token_comes_from_the_metadata_server_past_any_proxy(self, cloud: Cloud):
        assert (cloud.number(), cloud.asked()) == (1, ["GetAccessToken"])
        assert cloud.proxy.requests == []

    def test_it_is_asked_for_again_before_its_end_and_not_sooner(self, cloud: Cloud):
        numbers = []
        for cloud.ahead in (0, LEFT - 5, LEFT + 5, LEFT + 5):
            numbers.append(cloud.number())
        assert numbers == [1, 1, 2, 2]

    def test_many_calls_at_once_renew_it_once(self, cloud: Cloud):
        cloud.server.spoil = lambda _, reply: replace(reply, delay_before_body=0.1)
        with ThreadPoolExecutor(8) as pool:
            numbers = [each.result() for each in [pool.submit(cloud.number) for _ in range(8)]]
        assert numbers == [1] * 8
        assert len(cloud.server.issued) == 1

    def test_one_that_still_holds_is_used_where_a_renewal_fails(self, cloud: Cloud):
        assert cloud.number() == 1
        cloud.server.spoil = lambda *_: Reply(503)
        cloud.ahead = TOKEN_SECONDS - 10
        assert cloud.number() == 1
        cloud.ahead = TOKEN_SECONDS + 10
        error = failure(cloud.token)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, True)

    def test_no_call_waits_long_for_a_renewal_while_the_old_one_holds(self, cloud: Cloud):
        assert cloud.number() == 1
        release = threading.Event()
        cloud.server.spoil = lambda _, reply: reply if release.wait(20) else Reply(500)
        cloud.ahead = LEFT + 5
        assert cloud.number() == 1
        release.set()
        cloud.ahead += RETRY_SECONDS + 1
        assert (cloud.number(), len(cloud.server.issued)) == (2, 2)

    def test_one_that_the_store_refuses_is_asked_for_anew_now_and_then(self, cloud: Cloud):
        numbers = []
        for cloud.ahead in (0, 1, RETRY_SECONDS, RETRY_SECONDS + 2):
            numbers.append(cloud.number())
            cloud.credentials.doubt(cloud.credentials.token(time.monotonic() + 20))
        assert numbers == [1, 2, 2, 3]

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            (Reply(404, {"Metadata-Flavor": "Google"}), "answered HTTP 404: has the machine or the pod"),
            (Reply(200, {}, b'{"access_token": "a", "expires_in": 9}'), "answered HTTP 200"),
            (Reply(200, {"Metadata-Flavor": "Google"}, b"<html>"), "answered with what is no token"),
            (Reply(200, {"Metadata-Flavor": "Google"}, b"[1]"), "answered with what is no token"),
            (
                Reply(200, {"Metadata-Flavor": "Google"}, b'{"access_token": "a\\nb", "expires_in": 9}'),
                "holds a line break",
            ),
            (
                Reply(200, {"Metadata-Flavor": "Google"}, b'{"access_token": "", "expires_in": 9}'),
                "answered without a token",
            ),
            (Reply(reset=True), "does not answer"),
        ],
    )
    def test_what_is_no_token_fails_as_credentials(self, cloud: Cloud, reply: Reply, text: str):
        cloud.server.spoil = lambda *_: reply
        error = failure(cloud.token)
        assert (error.reason, text in str(error)) == (Reason.CREDENTIALS, True), error
        assert sum(cloud.traffic.failures.values()) == 1

    @pytest.mark.parametrize("status", [408, 429, 503])
    def test_a_metadata_server_that_is_busy_is_asked_again(self, cloud: Cloud, status: int):
        cloud.server.spoil = lambda *_: Reply(status, {"Metadata-Flavor": "Google"})
        error = failure(cloud.token)
        assert (error.retryable, "it is busy" in str(error)) == (True, True)

    def test_elsewhere_the_error_says_where_an_identity_may_come_from(self, cloud: Cloud):
        cloud.environ["NO_GCE_CHECK"] = "true"
        error = failure(cloud.token)
        assert error.reason is Reason.CREDENTIALS
        assert "credentials.credentials_file or GOOGLE_APPLICATION_CREDENTIALS, put HMAC keys" in str(error)
        assert cloud.asked() == []

    def test_no_token_takes_longer_than_half_of_a_call(self, cloud: Cloud):
        cloud.server.spoil = lambda *_: Reply(hang=True)
        deadline = time.monotonic() + 1.6
        error = failure(cloud.credentials.token, deadline)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, True)
        assert time.monotonic() < deadline


def of_a_file(cloud: Cloud) -> dict[str, Any]:
    cloud.file(SUBJECT_TOKEN, "subject")
    return EXTERNAL | {"credential_source": {"file": str(cloud.folder / "subject")}}


def of_a_url(cloud: Cloud) -> dict[str, Any]:
    url = f"http://127.0.0.1:{cloud.metadata.port}/subject"
    form = {"type": "json", "subject_token_field_name": "id"}
    source = {"url": url, "headers": {"x-audience": "google"}, "format": form}
    return EXTERNAL | {"credential_source": source, "service_account_impersonation_url": IMPERSONATION}


def of_a_command(cloud: Cloud) -> dict[str, Any]:
    said = {
        "version": 1,
        "success": True,
        "token_type": EXTERNAL["subject_token_type"],
        "id_token": SUBJECT_TOKEN,
        "expiration_time": int(time.time()) + 600,
    }
    command = f"/bin/cat {cloud.file(said, 'said.json')}"
    return EXTERNAL | {"credential_source": {"executable": {"command": command, "timeout_millis": 5000}}}


def of_aws(_: Cloud) -> dict[str, Any]:
    verification = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    source = {"environment_id": "aws1", "regional_cred_verification_url": verification}
    kind = "urn:ietf:params:aws:token-type:aws4_request"
    return EXTERNAL | {"credential_source": source, "subject_token_type": kind}


def of_a_workforce(_: Cloud) -> dict[str, Any]:
    return {
        "type": "external_account_authorized_user",
        "audience": "//iam.googleapis.com/locations/global/workforcePools/pool/providers/p",
        "client_id": "client",
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "token_url": "https://sts.googleapis.com/v1/oauthtoken",
    }


def impersonated(source: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": IMPERSONATION,
        "source_credentials": source,
    }


GET, EXCHANGE, IMPERSONATE, SUBJECT = (
    "GetAccessToken",
    "ExchangeToken",
    "GenerateAccessToken",
    "GetSubjectToken",
)
TYPES: dict[str, tuple[Any, list[str], list[str]]] = {
    "a service account": (lambda _: SERVICE_ACCOUNT, [GET], [SCOPE]),
    "a user": (lambda _: USER, [GET], []),
    "a file of another cloud": (of_a_file, [EXCHANGE], [SCOPE]),
    "a URL of another cloud": (of_a_url, [SUBJECT, EXCHANGE, IMPERSONATE], [IAM_SCOPE, SCOPE]),
    "a command": (of_a_command, [EXCHANGE], [SCOPE]),
    "AWS": (of_aws, [EXCHANGE], [SCOPE]),
    "a workforce": (of_a_workforce, [EXCHANGE], []),
    "impersonation by a user": (lambda _: impersonated(USER), [GET, IMPERSONATE], [SCOPE]),
    "impersonation by an account": (
        lambda _: impersonated(SERVICE_ACCOUNT),
        [GET, IMPERSONATE],
        [IAM_SCOPE, SCOPE],
    ),
}
"""What each file holds, the requests that it costs, and the scopes that these name."""


class TestOfAFile:
    @pytest.mark.parametrize("kind", TYPES)
    def test_each_type_gives_a_token(self, cloud: Cloud, kind: str, monkeypatch: pytest.MonkeyPatch):
        content, asked, scopes = TYPES[kind]
        monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        cloud.use(content(cloud))
        assert cloud.token() == cloud.server.issued[-1]
        assert (cloud.asked(), cloud.server.scopes) == (asked, scopes)

    def test_the_config_s_comes_before_the_environment_s_gclouds_and_the_machine_s(self, cloud: Cloud):
        projects = []
        own = cloud.file(USER | {"quota_project_id": "of-the-config"}, "own.json")
        cloud.use(USER | {"quota_project_id": "of-the-environment"})
        cloud.file(USER | {"quota_project_id": "of-gcloud"}, "gcloud/application_default_credentials.json")
        for credentials in (cloud.of(credentials=Credentials(credentials_file=own)), cloud.of()):
            credentials.token(time.monotonic() + 20)
            projects.append(credentials.project)
        del cloud.environ["GOOGLE_APPLICATION_CREDENTIALS"]
        credentials = cloud.of()
        credentials.token(time.monotonic() + 20)
        projects.append(credentials.project)
        assert projects == ["of-the-config", "of-the-environment", "of-gcloud"]
        assert cloud.metadata.requests == []

    @pytest.mark.parametrize("named", ["media-1\r\nx-goog-user-project: other-1", "Media 1", ""])
    def test_what_is_no_project_is_named_in_no_header(self, cloud: Cloud, named: str):
        cloud.environ["GOOGLE_CLOUD_PROJECT"] = named
        assert cloud.credentials.project == ""

    def test_a_file_that_has_changed_is_used_at_the_next_renewal(self, cloud: Cloud):
        cloud.use(USER | {"refresh_token": "revoked"})
        failure(cloud.token)
        cloud.use(USER)
        cloud.ahead = RETRY_SECONDS + 1
        assert cloud.number() == 1

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            ("", "is empty"),
            ("no JSON", "is no JSON object"),
            ("[]", "is no JSON object"),
            ("[" * 100_000, "is no JSON object"),
            ({"type": "gdch_service_account"}, "has none of the types service_account, authorized_user"),
            ({"type": ["x"]}, "has none of the types"),
            ({"type": "service_account"}, "it lacks client_email and private_key and token_uri"),
            (SERVICE_ACCOUNT | {"private_key": "none"}, "its private_key cannot be read"),
            (USER | {"client_secret": None}, "cannot be used: it lacks client_secret"),
            ({"type": "impersonated_service_account"}, "cannot be used: AttributeError"),
            (USER | {"refresh_token": "revoked"}, "invalid_grant: Bad"),
            (EXTERNAL | {"credential_source": {"file": "/nowhere"}}, "File '/nowhere' was not found"),
            (
                EXTERNAL | {"credential_source": {"executable": {"command": "x"}}},
                "need to be explicitly allowed",
            ),
        ],
    )
    def test_one_that_gives_none_is_named_with_the_cause(self, cloud: Cloud, content: object, text: str):
        path = cloud.use(content)
        error = failure(cloud.token)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, False)
        assert (str(path) in str(error), text in str(error)) == (True, True), error
        assert cloud.metadata.requests == []

    def test_one_that_is_refused_is_counted(self, cloud: Cloud):
        cloud.use(USER | {"refresh_token": "revoked"})
        failure(cloud.token)
        assert dict(cloud.traffic.failures) == {("GetAccessToken", Reason.CREDENTIALS): 1}

    def test_one_that_is_not_there_is_named_and_nothing_else_is_tried(self, cloud: Cloud):
        cloud.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(cloud.folder / "none.json")
        assert "none.json is not there" in str(failure(cloud.token))
        os.mkfifo(cloud.folder / "none.json")
        assert "none.json is not a regular file" in str(failure(cloud.of().token, time.monotonic() + 20))
        assert cloud.asked() == []

    def test_an_impersonation_that_is_refused_says_which_role_to_grant(self, cloud: Cloud):
        cloud.server.may_impersonate = False
        cloud.use(impersonated(USER))
        error = failure(cloud.token)
        assert "Permission 'iam.serviceAccounts.getAccessToken' denied" in str(error)
        assert "grant roles/iam.serviceAccountTokenCreator" in str(error)

    def test_a_service_that_cannot_be_reached_may_answer_later(self, cloud: Cloud):
        cloud.use(USER)
        cloud.server.spoil = lambda *_: Reply(reset=True)
        error = failure(cloud.token)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, True)


def test_a_workload_is_known_by_its_certificate(authority: Authority, tmp_path: Path):
    leaf, server = authority.ca.issue_cert("workload.example.com"), Identities()
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    server.subject_tokens = {
        json.dumps(["".join(leaf.cert_chain_pems[0].bytes().decode().split("\n")[1:-2])])
    }
    context = authority.context("sts.mtls.googleapis.com")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    paths = {"cert_path": str(tmp_path / "cert.pem"), "key_path": str(tmp_path / "key.pem")}
    (tmp_path / "certificates.json").write_text(json.dumps({"cert_configs": {"workload": paths}}))
    source = {"certificate": {"certificate_config_location": str(tmp_path / "certificates.json")}}
    kind, url = "urn:ietf:params:oauth:token-type:mtls", "https://sts.mtls.googleapis.com/v1/token"
    info = EXTERNAL | {"credential_source": source, "subject_token_type": kind, "token_url": url}
    (tmp_path / "who.json").write_text(json.dumps(info))
    with (
        StandIn(server, tls=context) as sts,
        StandIn(lambda _: Reply(tunnel=("127.0.0.1", sts.port))) as proxy,
    ):
        keys = Credentials(credentials_file=tmp_path / "who.json")
        target = replace(TARGET, tls=authority.tls, proxy_url=proxy.url, credentials=keys)
        transport = Transport(Recorder(), threading.Event(), tls=authority.tls, proxy_url=proxy.url)
        assert GcsCredentials(target, transport).token(time.monotonic() + 20).text == "ya29.issued-1"


def saying_back(request: Request, _: Reply) -> Reply:
    """Answer with an error that says all that the request said."""
    text = f"{request.headers} {request.body.decode()}"
    said = {"error": text, "error_description": text}
    return Reply(400, {"Content-Type": "application/json"}, json.dumps(said).encode())


@pytest.mark.parametrize("kind", TYPES)
def test_no_error_shows_a_secret_that_a_service_says_back(
    cloud: Cloud, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    cloud.use(TYPES[kind][0](cloud))
    cloud.server.spoil = saying_back
    text = str(failure(cloud.token))
    for secret in (REFRESH_TOKEN, CLIENT_SECRET, SUBJECT_TOKEN, "AKIA", "eyJ", "assertion=eyJ"):
        assert secret not in text


def test_a_token_shows_in_no_repr(cloud: Cloud):
    assert "ya29" not in repr(cloud.credentials.token(time.monotonic() + 20))


def test_a_scan_goes_on_where_its_token_was_revoked(cloud: Cloud):
    gcs = Gcs()
    gcs.buckets["media"] = [Upload("key", "u1")]
    gcs.tokens = {"ya29.issued-2"}
    with StandIn(gcs) as standin:
        target = replace(TARGET, endpoint_url=standin.url)
        transport = Transport(cloud.traffic, cloud.stop)
        store = GcsStore(target, transport, credentials=cloud.credentials)
        pages = list(SequentialClient(stop=cloud.stop).pages(store, target.buckets[0]))
        assert [upload.upload_id for page in pages for upload in page] == ["u1"]
        assert cloud.server.issued == ["ya29.issued-1", "ya29.issued-2"]
        assert (standin.requests[0].raw_path, len(standin.requests)) == ("/media", 2)
        transport.close()
