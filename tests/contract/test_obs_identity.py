"""Whom OBS's requests are signed as where no keys are given: a workload's identity, a server's agency."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from contract.rig_obs import list_page, virtual_host
from contract.rigs import Rig, failure
from servers.huawei import ID_TOKEN, METADATA_TOKEN, SECURITY_KEY, TEMPORARY_KEY, Huawei, key_of
from servers.s3 import Key
from servers.standin import Fault, Reply, StandIn

from exporter.config.settings import Credentials, Secret, StoreKind, TargetSettings
from exporter.model import Reason
from exporter.stores.obs import ObsStore
from exporter.stores.obs_settings import iam_url

NONE = Credentials()
GIVEN = Credentials(None, Secret(Key().access_key_id), Secret(Key().secret))
NUMBERS = b'{"credential": {"access": 1, "secret": 2, "securitytoken": 3, "expires_at": 4}}'


@dataclass
class Site:
    """Huawei's servers, a rig that asks them, and how far ahead the exporter's clock is."""

    huawei: Huawei
    server: StandIn
    rig: Rig
    ahead: float = 0.0

    def accept(self, number: int) -> None:
        """Have OBS know this key only."""
        self.rig.server.key = key_of(number)

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.server.requests]


@pytest.fixture
def site() -> Iterator[Site]:
    huawei = Huawei()
    with StandIn(huawei) as server, virtual_host(credentials=NONE) as rig:
        site = Site(huawei, server, rig)
        rig.make_store = partial(ObsStore, clock=lambda: time.time() + site.ahead, metadata_url=server.url)
        rig.retarget()
        site.accept(1)
        yield site


@pytest.fixture
def workload(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the process a workload's identity; return the file of its token."""
    token = tmp_path / "token"
    token.write_text("pod-token\n")
    site.huawei.providers["cluster"] = "pod-token"
    monkeypatch.setenv("HUAWEICLOUD_SDK_IDP_ID", "cluster")
    monkeypatch.setenv("HUAWEICLOUD_SDK_ID_TOKEN_FILE", str(token))
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", site.server.url)
    return token


class TestAgency:
    @pytest.mark.parametrize("needs_token", [False, True])
    def test_its_keys_sign_and_are_kept(self, site: Site, *, needs_token: bool):
        site.huawei.needs_token = needs_token
        assert [list_page(site.rig), list_page(site.rig)] == [[], []]
        assert site.asked() == [METADATA_TOKEN, SECURITY_KEY]
        assert site.rig.traffic.requests["GetSecurityKey"] == 1

    def test_they_are_replaced_before_their_end(self, site: Site):
        list_page(site.rig)
        site.ahead = site.huawei.seconds - 500
        site.accept(2)
        assert list_page(site.rig) == []

    @pytest.mark.parametrize("trouble", [Reply(500), Reply(reset=True), Reply(200, {}, b"<html>")])
    def test_the_old_ones_serve_until_their_end_where_no_others_can_be_had(self, site: Site, trouble: Reply):
        list_page(site.rig)
        site.huawei.faults.add(Fault(SECURITY_KEY, reply=lambda _: trouble))
        site.ahead = site.huawei.seconds - 500
        assert list_page(site.rig) == []
        site.ahead = site.huawei.seconds + 1
        assert failure(list_page, site.rig).reason == Reason.CREDENTIALS

    @pytest.mark.parametrize(
        "keys", [Credentials(None, Secret(Key().access_key_id), Secret(Key().secret)), NONE]
    )
    def test_it_is_not_asked_where_keys_are_given(
        self, site: Site, keys: Credentials, monkeypatch: pytest.MonkeyPatch
    ):
        if keys == NONE:
            monkeypatch.setenv("OBS_ACCESS_KEY_ID", Key().access_key_id)
            monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", Key().secret)
        site.rig.retarget(credentials=keys)
        site.rig.server.key = Key()
        assert list_page(site.rig) == []
        assert site.asked() == []

    @pytest.mark.parametrize(
        "answer",
        [
            Reply(404),
            Reply(200, {}, b""),
            Reply(200, {}, b"<html>a router</html>"),
            Reply(200, {}, b'{"credential": {"access": "A", "secret": "S"}}'),
            Reply(
                200,
                {},
                b'{"credential": {"access": "A\\n", "secret": "S", "securitytoken": "T",'
                b' "expires_at": "2099-01-01T00:00:00.000000Z"}}',
            ),
            Reply(
                200, {}, b'{"credential": {"access": 1, "secret": 2, "securitytoken": 3, "expires_at": 4}}'
            ),
            Reply(200, {}, b"[" * 100_000),
            Reply(302, {"Location": "http://127.0.0.1:1/"}),
            Reply(reset=True),
        ],
    )
    def test_what_is_no_keys_signs_nothing_and_is_not_asked_for_again_at_once(
        self, site: Site, answer: Reply
    ):
        site.huawei.faults.add(Fault(SECURITY_KEY, reply=lambda _: answer))
        errors = [failure(list_page, site.rig)]
        site.server.forget()
        errors += [failure(list_page, site.rig) for _ in range(2)]
        assert {(error.reason, error.retryable) for error in errors} == {(Reason.CREDENTIALS, False)}
        assert site.rig.standin.requests == []
        assert site.asked() == []

    def test_an_agency_that_is_given_heals(self, site: Site):
        site.huawei.agency = False
        failure(list_page, site.rig)
        site.huawei.agency = True
        site.ahead = 31.0
        assert list_page(site.rig) == []

    def test_keys_that_have_ended_sign_nothing(self, site: Site):
        site.huawei.seconds = -1.0
        assert failure(list_page, site.rig).reason == Reason.CREDENTIALS
        assert site.rig.standin.requests == []

    def test_it_is_never_asked_through_a_proxy(self, site: Site):
        def refuse(_: object) -> Reply:
            return Reply(502)

        with StandIn(refuse) as proxy:
            site.rig.retarget(proxy_url=proxy.url)
            failure(list_page, site.rig)
            assert site.asked() == [METADATA_TOKEN, SECURITY_KEY]
            assert [request.path for request in proxy.requests if "securitykey" in request.path] == []


class TestWorkload:
    def test_its_token_is_exchanged_once(self, site: Site, workload: Path):
        assert [list_page(site.rig), list_page(site.rig)] == [[], []]
        assert site.asked() == [ID_TOKEN, TEMPORARY_KEY]

    def test_its_token_is_read_again_for_each_exchange(self, site: Site, workload: Path):
        list_page(site.rig)
        workload.write_text("rotated")
        site.huawei.providers["cluster"] = "rotated"
        site.ahead = site.huawei.seconds - 60
        site.accept(2)
        assert list_page(site.rig) == []

    def test_the_obs_sdk_s_own_variables_do_too(
        self, site: Site, workload: Path, monkeypatch: pytest.MonkeyPatch
    ):
        for name in ("HUAWEICLOUD_SDK_IDP_ID", "HUAWEICLOUD_SDK_ID_TOKEN_FILE"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("HUAWEI_CLOUD_IDP_ID", "cluster")
        monkeypatch.setenv("OIDC_TOKEN_FILE", str(workload))
        assert list_page(site.rig) == []

    def test_an_unknown_token_is_named_but_not_shown(self, site: Site, workload: Path):
        workload.write_text("strange-token")
        error = failure(list_page, site.rig)
        assert (error.reason, error.retryable, site.rig.standin.requests) == (Reason.CREDENTIALS, False, [])
        assert "CreateUnscopedTokenByIdToken: HTTP 401" in str(error)
        assert "strange-token" not in str(error)

    def test_a_token_that_is_not_there(self, site: Site, workload: Path):
        workload.unlink()
        assert failure(list_page, site.rig).reason == Reason.CREDENTIALS
        assert site.asked() == []

    @pytest.mark.parametrize("operation", [ID_TOKEN, TEMPORARY_KEY])
    def test_a_failing_iam_is_tried_again(self, site: Site, workload: Path, operation: str):
        site.huawei.faults.add(Fault(operation, {1}, reply=lambda _: Reply(503)))
        site.accept(1 if operation == ID_TOKEN else 2)
        assert site.rig.ids() == []

    @pytest.mark.parametrize("operation", [ID_TOKEN, TEMPORARY_KEY])
    @pytest.mark.parametrize("answer", [Reply(200), Reply(201, {}, b"<html>"), Reply(403)])
    def test_garbage_signs_nothing(self, site: Site, workload: Path, operation: str, answer: Reply):
        site.huawei.faults.add(Fault(operation, reply=lambda _: answer))
        assert failure(site.rig.ids).reason == Reason.CREDENTIALS
        assert site.rig.standin.requests == []

    @pytest.mark.parametrize(
        ("endpoint", "iam"),
        [
            ("https://obs.cn-north-4.myhuaweicloud.com", "https://iam.cn-north-4.myhuaweicloud.com"),
            ("https://obs.eu-west-101.myhuaweicloud.eu", "https://iam.eu-west-101.myhuaweicloud.eu"),
            ("https://obs.example.com", "https://iam.myhuaweicloud.com"),
        ],
    )
    def test_iam_is_beside_obs(self, endpoint: str, iam: str):
        assert iam == iam_url(TargetSettings("t", StoreKind.OBS, (), endpoint_url=endpoint))
