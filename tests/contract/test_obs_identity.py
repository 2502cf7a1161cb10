"""Temporary keys on Huawei Cloud: who is asked, when they are renewed, and what failures mean."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from contract.rigs import failure
from fakes import NOW, Clock, Recorder
from sequential_client import SequentialClient
from servers.huawei import SESSION_SECONDS, Identities
from servers.obs import Obs
from servers.s3 import Key
from servers.standin import Reply, StandIn

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import BucketSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.stores.obs.credentials import Keys, ObsCredentials
from exporter.stores.obs.store import ObsStore
from exporter.stores.temporary_keys import RENEW_BEFORE_SECONDS, RETRY_SECONDS
from exporter.stores.transport.client import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEFT = SESSION_SECONDS - RENEW_BEFORE_SECONDS
"""So long are keys used before they are renewed."""


class CloudSetup:
    """An identity, and who gives it keys."""

    def __init__(self, server: Identities, url: str, clock: Clock, proxy_url: str | None = None):
        self.server, self.url, self.clock = server, url, clock
        self.environ: dict[str, str] = {}
        self.traffic = Recorder()
        self.transport = Transport(self.traffic, threading.Event(), proxy_url=proxy_url)
        self.identity = self.of(Credentials())

    def of(self, credentials: Credentials) -> ObsCredentials:
        return ObsCredentials(
            credentials, self.transport, metadata_url=self.url, environ=self.environ, clock=self.clock.wall
        )

    def keys(self) -> Keys:
        with self.transport.call("ListParts", 1e12) as _:
            return self.identity.keys()

    def number(self) -> int:
        """Return which of the issued keys are in use."""
        return int(self.keys().access_key.removeprefix("TEMPORARY"))

    def asked(self) -> list[str]:
        return [operation for kind, operation, *_ in self.traffic.seen if kind == "sent"]


@pytest.fixture
def server() -> Identities:
    return Identities(lambda: NOW)


@pytest.fixture
def cloud(server: Identities) -> Iterator[CloudSetup]:
    clock = Clock()
    server.clock = clock.wall
    with StandIn(server) as standin:
        cloud = CloudSetup(server, standin.url, clock)
        yield cloud
        cloud.transport.close()


class TestOfAServer:
    def test_keys_come_from_its_agency(self, cloud: CloudSetup):
        assert cloud.keys() == ("TEMPORARY1", "secret-1", "token-1")
        assert set(cloud.asked()) == {"GetSecurityKey"}

    def test_a_metadata_service_that_wants_a_token_gets_it(self, cloud: CloudSetup):
        cloud.server.needs_token = True
        assert cloud.number() == 1

    def test_keys_are_asked_for_again_before_their_end_and_not_sooner(self, cloud: CloudSetup):
        assert cloud.number() == 1
        cloud.clock.now = LEFT - 1
        assert cloud.number() == 1
        cloud.clock.now = LEFT + 1
        assert cloud.number() == 2

    def test_keys_that_the_store_refuses_are_asked_for_anew_now_and_then(self, cloud: CloudSetup):
        numbers = []
        for now in (0, 1, 2, RETRY_SECONDS, RETRY_SECONDS + 1):
            cloud.clock.now = now
            keys = cloud.keys()
            cloud.identity.doubt(keys)
            numbers.append(int(keys.access_key.removeprefix("TEMPORARY")))
        assert numbers == [1, 2, 2, 2, 3]

    def test_keys_that_still_hold_are_used_where_a_renewal_fails(self, cloud: CloudSetup):
        assert cloud.number() == 1
        cloud.server.agency = False
        cloud.clock.now = SESSION_SECONDS - 1
        assert cloud.number() == 1
        cloud.clock.now = SESSION_SECONDS + 1
        assert failure(cloud.keys).reason is Reason.CREDENTIALS

    def test_keys_that_the_service_gives_shortly_before_their_end_are_not_asked_for_each_time(
        self, cloud: CloudSetup
    ):
        cloud.server.lasts = int(RENEW_BEFORE_SECONDS) - 60
        assert [cloud.number() for _ in range(5)] == [1] * 5
        cloud.clock.now = RETRY_SECONDS
        assert cloud.number() == 2

    def test_keys_that_have_ended_are_none(self, cloud: CloudSetup):
        cloud.server.lasts = 0
        error = failure(cloud.keys)
        assert error.reason is Reason.CREDENTIALS
        assert str(error) == "GetSecurityKey: the keys have ended already: check the clocks"

    def test_after_a_failure_nobody_is_asked_for_a_while(self, cloud: CloudSetup):
        cloud.server.agency = False
        assert "agency" in str(failure(cloud.keys))
        asked = len(cloud.asked())
        assert "agency" in str(failure(cloud.keys))
        assert len(cloud.asked()) == asked
        cloud.server.agency = True
        cloud.clock.now = RETRY_SECONDS
        assert cloud.number() == 1

    def test_many_threads_ask_once(self, cloud: CloudSetup):
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: cloud.number(), range(64))) == {1}
        assert len(cloud.server.issued) == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html></html>",
            b"[]",
            b"[" * 100_000,
            b'{"credential": null}',
            b'{"credential": {"access": "a", "secret": "b", "securitytoken": "c"}}',
            b'{"credential": {"access":"","secret":"b","securitytoken":"c","expires_at":"2099-01-01"}}',
            b'{"credential": {"access": "a", "secret": 7, "securitytoken": "c", "expires_at": "2099-01-01"}}',
            b'{"credential": {"access": "a", "secret": "b", "securitytoken": "c", "expires_at": "soon"}}',
        ],
    )
    def test_what_is_no_key_is_none(self, cloud: CloudSetup, body: bytes):
        cloud.server.spoil = lambda reply: replace(reply, body=body)
        error = failure(cloud.keys)
        assert error.reason is Reason.CREDENTIALS
        assert str(error) == "GetSecurityKey: the answer holds no keys"

    def test_a_metadata_service_that_is_not_there_is_said(self, cloud: CloudSetup):
        cloud.server.spoil = lambda reply: replace(reply, reset=True)
        error = failure(cloud.keys)
        assert error.reason is Reason.CREDENTIALS
        assert "OBS_ACCESS_KEY_ID" in str(error)

    def test_no_proxy_stands_between(self, server: Identities):
        with StandIn(server) as standin, StandIn(lambda _: Reply(502)) as proxy:
            cloud = CloudSetup(server, standin.url, Clock(), proxy_url=proxy.url)
            assert cloud.number() == 1
            assert proxy.requests == []


class TestOfAWorkload:
    @pytest.fixture
    def file(self, cloud: CloudSetup, tmp_path: Path) -> Path:
        file = tmp_path / "token"
        file.write_text("id-token\n")
        cloud.environ |= {
            "HUAWEICLOUD_SDK_IDP_ID": "cluster",
            "HUAWEICLOUD_SDK_ID_TOKEN_FILE": str(file),
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": cloud.url,
        }
        cloud.server.workloads["cluster", "id-token"] = None
        return file

    @pytest.mark.usefixtures("file")
    def test_its_token_is_exchanged_for_keys(self, cloud: CloudSetup):
        assert cloud.keys() == ("TEMPORARY1", "secret-1", "token-1")
        assert cloud.asked() == ["CreateTokenWithIdToken", "CreateTemporaryAccessKeyByToken"]

    @pytest.mark.usefixtures("file")
    @pytest.mark.parametrize(("name", "scope"), [("DOMAIN", "domain"), ("PROJECT", "project")])
    def test_a_scope_is_asked_for_where_one_is_set(self, cloud: CloudSetup, name: str, scope: str):
        cloud.environ[f"HUAWEICLOUD_SDK_{name}_ID"] = "0123"
        cloud.server.workloads["cluster", "id-token"] = {scope: {"id": "0123"}}
        assert cloud.number() == 1

    def test_its_token_is_read_again_for_each_exchange(self, cloud: CloudSetup, file: Path):
        assert cloud.number() == 1
        file.write_text("new-token")
        cloud.server.workloads = {("cluster", "new-token"): None}
        cloud.clock.now = LEFT + 1
        assert cloud.number() == 2

    def test_a_refusal_says_what_to_check_and_no_token(self, cloud: CloudSetup, file: Path):
        file.write_text("a-token-nobody-knows")
        error = failure(cloud.keys)
        assert error.reason is Reason.CREDENTIALS
        assert "CreateTokenWithIdToken: HTTP 401: check identity provider" in str(error)
        assert "a-token-nobody-knows" not in str(error)

    def test_a_file_that_is_not_there_is_named_by_its_variable(self, cloud: CloudSetup, file: Path):
        file.unlink()
        named = f"HUAWEICLOUD_SDK_ID_TOKEN_FILE or OIDC_TOKEN_FILE: the token file {file} is not"
        assert str(failure(cloud.keys)).startswith(f"{named} there; ")
        os.mkfifo(file)
        cloud.identity = cloud.of(Credentials())
        assert str(failure(cloud.keys)).startswith(f"{named} a regular file; ")

    def test_the_obs_sdk_s_names_of_the_variables_are_known(self, cloud: CloudSetup, file: Path):
        cloud.environ = {
            "HUAWEI_CLOUD_IDP_ID": "cluster",
            "OIDC_TOKEN_FILE": str(file),
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": cloud.url,
        }
        cloud.identity = cloud.of(Credentials())
        assert cloud.number() == 1

    @pytest.mark.usefixtures("file")
    @pytest.mark.parametrize("hiccup", [Reply(503), Reply(reset=True)])
    def test_what_may_pass_is_asked_again_at_once(self, cloud: CloudSetup, hiccup: Reply):
        cloud.server.spoil = lambda _: hiccup
        assert failure(cloud.keys).retryable
        cloud.server.spoil = lambda reply: reply
        assert cloud.number() == 1

    @pytest.mark.usefixtures("file")
    @pytest.mark.parametrize("hiccup", [Reply(503), Reply(reset=True)])
    def test_while_its_keys_hold_a_failing_iam_is_asked_now_and_then(self, cloud: CloudSetup, hiccup: Reply):
        assert cloud.number() == 1
        cloud.server.spoil = lambda _: hiccup
        cloud.clock.now = LEFT + 1
        assert cloud.number() == 1
        asked = cloud.asked()
        assert [cloud.number() for _ in range(5)] == [1] * 5
        assert cloud.asked() == asked
        cloud.server.spoil = lambda reply: reply
        cloud.clock.now += RETRY_SECONDS
        assert cloud.number() == 2

    @pytest.mark.usefixtures("file")
    def test_while_its_keys_hold_one_thread_renews_them_and_no_other_waits(self, cloud: CloudSetup):
        assert cloud.number() == 1
        cloud.clock.now = LEFT + 1
        asked, let_go = threading.Event(), threading.Event()

        def held_up(reply: Reply) -> Reply:
            asked.set()
            let_go.wait(60)
            return reply

        cloud.server.spoil = held_up
        with ThreadPoolExecutor(1) as pool:
            renewing = pool.submit(cloud.number)
            assert asked.wait(60)
            assert cloud.number() == 1
            let_go.set()
            assert renewing.result() == 2

    @pytest.mark.usefixtures("file")
    def test_an_answer_without_a_token_is_none(self, cloud: CloudSetup):
        cloud.server.spoil = lambda reply: Reply(201, {}, reply.body)
        assert "X-Subject-Token" in str(failure(cloud.keys))


class TestOrder:
    def test_keys_of_the_config_come_first(self, cloud: CloudSetup):
        cloud.environ |= {"OBS_ACCESS_KEY_ID": "env", "OBS_SECRET_ACCESS_KEY": "env"}
        cloud.identity = cloud.of(Credentials(None, Secret("own"), Secret("secret")))
        assert cloud.keys() == ("own", "secret", None)

    def test_then_those_of_the_environment(self, cloud: CloudSetup):
        cloud.environ |= {"OBS_ACCESS_KEY_ID": "env", "OBS_SECRET_ACCESS_KEY": "x", "OBS_SECURITY_TOKEN": "t"}
        cloud.environ |= {"HUAWEICLOUD_SDK_IDP_ID": "a", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "/nowhere"}
        assert cloud.keys() == ("env", "x", "t")
        assert cloud.asked() == []

    def test_half_a_key_is_a_mistake_and_not_looked_for_elsewhere(self, cloud: CloudSetup):
        cloud.environ |= {"OBS_ACCESS_KEY_ID": "env"}
        assert "no access key or no secret" in str(failure(cloud.keys))
        assert cloud.asked() == []


def test_requests_are_signed_with_temporary_keys_and_carry_their_token():
    identities, obs = Identities(lambda: NOW), Obs()
    with StandIn(identities) as giver, StandIn(obs) as standin:
        bucket = BucketSettings("media")
        obs.buckets["media"] = []
        target = TargetSettings("t", StoreKind.OBS, (bucket,), endpoint_url=standin.url)
        identities.clock = lambda: 4e9
        store = ObsStore(target, Transport(Recorder(), threading.Event()), metadata_url=giver.url)
        obs.key = Key("TEMPORARY1", "secret-1", "token-1")
        assert [list(page) for page in SequentialClient().pages(store, bucket)] == [[]]
        [request] = standin.requests
        token = {request.headers.get(f"{prefix}security-token") for prefix in ("x-obs-", "x-amz-")}
        assert "token-1" in token
        obs.key = Key("TEMPORARY2", "secret-2", "token-2")  # the store refuses the ones that are held
        assert [list(page) for page in SequentialClient().pages(store, bucket)] == [[]]
