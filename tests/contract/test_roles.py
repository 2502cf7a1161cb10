"""Roles that a target takes: asked of STS by our transport, renewed in time, and never another target's."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contract.rig_glacier import vault
from contract.rig_s3 import by_boto3, path_style
from contract.rigs import Rig, failure
from servers import wait_until
from servers.s3 import Key, Upload
from servers.standin import Fault, Reply, StandIn
from servers.sts import ASSUME, WEB, Role, RolesS3, Sts, denied

from exporter.config.credentials import AssumeRole, Credentials, Secret
from exporter.config.settings import BucketSettings, ScanSettings, StoreKind, TargetSettings
from exporter.model.errors import Reason
from exporter.stores.aws import client as aws
from exporter.stores.s3.store import S3Store
from exporter.stores.transport.client import Transport

BASE = Key("AKIABASE7EXAMPLE", "base-secret")
ARN = "arn:aws:iam::123456789012:role/reader"
KEYS = Credentials(None, Secret(BASE.access_key_id), Secret(BASE.secret))
BUCKETS = ("media", "backups")


@dataclass
class Site:
    """An STS, and an S3 of its sessions."""

    sts: Sts
    s3: RolesS3
    sts_server: StandIn
    s3_server: StandIn
    ahead: float = 0.0
    """Seconds by which the exporter's clock is ahead: its SDK signs by the real one."""

    def turn(self, seconds: float) -> None:
        """Turn the exporter's clock to so many seconds from now."""
        self.ahead = seconds

    def store(self, target: TargetSettings, transport: Transport) -> S3Store:
        return S3Store(target, transport, lambda: time.time() + self.ahead)

    def target(self, role: AssumeRole | None = None, **changes: object) -> TargetSettings:
        credentials = replace(changes.pop("credentials", KEYS), assume_role=role or AssumeRole(ARN))  # type: ignore[type-var]
        buckets = tuple(map(BucketSettings, BUCKETS))
        scan = ScanSettings(request_timeout=10.0, timeout=30.0, retries=2)
        target = TargetSettings("test", StoreKind.S3, buckets, scan=scan, region="eu-west-1")
        changes = {"endpoint_url": self.s3_server.url, "addressing_style": "path"} | changes
        return replace(target, credentials=credentials, **changes)

    def plain(self, engine: str) -> AbstractContextManager[Rig]:
        """Open a rig without a role of its own."""
        return opened(self, replace(self.target(engine=engine), credentials=Credentials()))

    @contextmanager
    def rig(self, role: AssumeRole | None = None, **changes: object) -> Iterator[Rig]:
        with opened(self, self.target(role, **changes)) as rig:
            yield rig


@contextmanager
def opened(site: Site, target: TargetSettings) -> Iterator[Rig]:
    def nothing(*_: object) -> None:
        """Be filled by the site."""

    server, bucket = site.s3_server, target.buckets[0]
    rig = Rig(server, site.s3.faults, target, bucket, site.store, nothing, denied, jitter=lambda *_: 0.0)
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    sts = Sts()
    sts.keys[BASE.access_key_id] = BASE
    sts.roles[ARN] = Role({BASE.access_key_id})
    s3 = RolesS3(sts)
    s3.buckets = {name: [Upload("key", f"id-{name}")] for name in BUCKETS}
    with StandIn(sts) as sts_server, StandIn(s3) as s3_server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts_server.url)
        yield Site(sts, s3, sts_server, s3_server)


@pytest.fixture(params=["wire", "boto3"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestAssuming:
    def test_one_session_serves_every_call(self, site: Site, engine: str):
        with site.rig(engine=engine) as rig:
            assert [rig.ids(), rig.ids()] == [["id-media"]] * 2
            assert rig.traffic.requests[ASSUME] == 1

    def test_sts_is_told_name_duration_and_external_id(self, site: Site, engine: str):
        site.sts.roles[ARN].external_id = "ex-7"
        role = AssumeRole(ARN, "ex-7", "prometheus", 1800.0)
        with site.rig(role, engine=engine) as rig:
            assert rig.ids() == ["id-media"]
        (session,) = site.sts.sessions.values()
        assert (session.role, session.name, session.seconds) == (ARN, "prometheus", 1800)

    def test_glacier_takes_roles_too(self, site: Site):
        with vault(credentials=replace(KEYS, assume_role=AssumeRole(ARN))) as rig:
            rig.server.key = Key("ASIA000000EXAMPLE", "session-secret-0", "session-token-0")
            assert rig.ids() == []

    def test_the_region_s_own_sts_signs_for_the_target_s_region(self, site: Site):
        with site.rig() as rig:
            rig.ids()
        assert "/eu-west-1/sts/" in site.sts_server.requests[0].headers["authorization"]

    def test_the_chain_s_keys_take_it_where_none_are_configured(
        self, site: Site, engine: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", BASE.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", BASE.secret)
        with site.rig(engine=engine, credentials=Credentials()) as rig:
            assert rig.ids() == ["id-media"]

    def test_a_profile_s_keys_take_it(self, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        path = tmp_path / "credentials"
        path.write_text(
            f"[ops]\naws_access_key_id = {BASE.access_key_id}\naws_secret_access_key = {BASE.secret}\n"
        )
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        with site.rig(credentials=Credentials(profile="ops")) as rig:
            assert rig.ids() == ["id-media"]

    def test_a_server_of_one_s_own_has_sts_beside_s3(self, monkeypatch: pytest.MonkeyPatch):
        sts = Sts()
        sts.keys[BASE.access_key_id] = BASE
        sts.roles[ARN] = Role({BASE.access_key_id})
        s3 = RolesS3(sts)
        s3.buckets["media"] = [Upload("key", "id-media")]
        monkeypatch.delenv("AWS_ENDPOINT_URL_STS", raising=False)
        both = StandIn(lambda request: (sts if request.method == "POST" else s3)(request))
        with both as server, Site(sts, s3, server, server).rig() as rig:
            assert rig.ids() == ["id-media"]

    def test_the_sdk_s_config_file_may_say_where_sts_is(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
        path = tmp_path / "config"
        path.write_text(
            f"[default]\nservices = ours\n[services ours]\nsts =\n  endpoint_url = {site.sts_server.url}\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
        with site.rig(credentials=Credentials()) as rig:
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", BASE.access_key_id)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", BASE.secret)
            assert rig.ids() == ["id-media"]


class TestRenewal:
    def test_it_is_renewed_before_its_end_with_the_keys_of_that_time(self, site: Site, tmp_path: Path):
        secret = tmp_path / "secret"
        secret.write_text(BASE.secret)
        credentials = Credentials(None, Secret(BASE.access_key_id), Secret(file=secret))
        with site.rig(engine="boto3", credentials=credentials) as rig:
            rig.ids()
            site.sts.keys[BASE.access_key_id] = Key(BASE.access_key_id, "rotated")
            secret.write_text("rotated\n")
            site.turn(3600 - 500)
            assert rig.ids() == ["id-media"]
        assert len(site.sts.sessions) == 2
        assert site.s3_server.requests[-1].headers["x-amz-security-token"] == "session-token-1"

    def test_the_shortest_session_is_not_renewed_without_end(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ):
        with site.rig(AssumeRole(ARN, duration=900.0), engine="boto3") as rig:
            for seconds in (0, 300, 600):
                site.turn(seconds)
                rig.ids()
            assert rig.traffic.requests[ASSUME] == 1
            site.turn(700)
            rig.ids()
            assert rig.traffic.requests[ASSUME] == 2

    @pytest.mark.parametrize(
        "trouble", [denied("AccessDenied", "No."), Reply(500), Reply(reset=True), Reply(200, {}, b"<html>")]
    )
    def test_while_the_old_one_holds_a_failed_renewal_does_no_harm(
        self, site: Site, trouble: Reply, caplog: pytest.LogCaptureFixture
    ):
        with site.rig(engine="boto3") as rig:
            rig.ids()
            site.sts.faults.add(Fault(ASSUME, reply=lambda _: trouble))
            with caplog.at_level("WARNING", "exporter"):
                for left in (700, 300, 90):
                    site.turn(3600 - left)
                    assert [rig.ids(), rig.ids()] == [["id-media"]] * 2
            assert [record.message for record in caplog.records if record.name.startswith("exporter")] == [
                "the role's session cannot be renewed yet"
            ]
            site.turn(3600 - 60)
            assert failure(rig.ids).reason in {Reason.CREDENTIALS, Reason.CONNECTION}

    def test_while_the_old_one_holds_an_sts_that_hangs_is_asked_once_a_minute(self, site: Site, engine: str):
        with site.rig(engine=engine) as rig:

            def asked() -> int:
                assert rig.ids(request_timeout=1.0, retries=3) == ["id-media"]
                return rig.traffic.requests[ASSUME]

            rig.ids()
            site.sts.faults.add(Fault(ASSUME, reply=lambda _: Reply(hang=True)))
            for tries, left in ((2, 700), (3, 630)):
                site.turn(3600 - left)
                wait_until("the keys to be asked for", lambda tries=tries: asked() == tries)
                assert asked() == tries

    def test_an_sts_that_hangs_leaves_time_to_the_call(self, site: Site, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(aws, "ROLE_TIMEOUT_SECONDS", 0.3)
        with site.rig(engine="boto3") as rig:
            rig.ids()
            site.sts.faults.add(Fault(ASSUME, reply=lambda _: Reply(hang=True)))
            site.turn(3600 - 700)
            assert rig.ids(retries=0) == ["id-media"]


class TestTrouble:
    def test_a_role_that_does_not_trust_us_says_what_to_do(self, site: Site, engine: str):
        site.sts.roles[ARN].external_id = "ex-7"
        with site.rig(AssumeRole(ARN, "wrong-one"), engine=engine) as rig:
            error = failure(rig.ids)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, False)
        assert "trust policy" in str(error)
        assert "external id" in str(error)
        assert site.s3_server.requests == []

    def test_it_is_not_asked_again_for_every_bucket(self, site: Site, engine: str):
        site.sts.roles.clear()
        with site.rig(engine=engine) as rig:
            for _ in range(5):
                failure(rig.ids)
            assert rig.traffic.requests[ASSUME] == 1

    def test_keys_that_sts_does_not_know(self, site: Site, engine: str):
        credentials = Credentials(None, Secret("AKIANOBODY7EXAMPLE"), Secret("nothing-secret"))
        with site.rig(engine=engine, credentials=credentials) as rig:
            error = failure(rig.ids)
        assert error.reason == Reason.CREDENTIALS
        assert not {word for word in ("nothing-secret", "AKIANOBODY7EXAMPLE") if word in str(error)}

    def test_a_duration_that_the_role_does_not_allow_is_named(self, site: Site):
        site.sts.roles[ARN].longest = 3600
        with site.rig(AssumeRole(ARN, duration=7200.0)) as rig:
            assert "DurationSeconds exceeds the MaxSessionDuration" in str(failure(rig.ids))

    @pytest.mark.parametrize(
        "answer",
        [
            Reply(200, {}, b""),
            Reply(200, {}, b"<html>no</html>"),
            Reply(200, {}, b"<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"),
            Reply(403, {}, b"<html>no</html>"),
            Reply(301, {"Location": "http://127.0.0.1:1/"}),
        ],
    )
    def test_garbage_signs_nothing(self, site: Site, engine: str, answer: Reply):
        site.sts.faults.add(Fault(ASSUME, reply=lambda _: answer))
        with site.rig(engine=engine) as rig:
            assert failure(rig.ids).reason == Reason.CREDENTIALS
        assert site.s3_server.requests == []

    def test_a_session_that_has_ended_already_signs_nothing(self, site: Site, engine: str):
        site.sts.lifetime = -60.0
        with site.rig(engine=engine) as rig:
            assert failure(rig.ids).reason == Reason.CREDENTIALS
        assert site.s3_server.requests == []

    def test_a_hiccup_is_survived(self, site: Site, engine: str):
        site.sts.faults.add(Fault(ASSUME, {1}, reply=lambda _: Reply(503)))
        with site.rig(engine=engine) as rig:
            assert rig.ids() == ["id-media"]

    def test_a_slow_one_has_the_deadline_of_the_call(self, site: Site, engine: str):
        site.sts.faults.add(Fault(ASSUME, reply=lambda _: Reply(hang=True)))
        with site.rig(engine=engine) as rig:
            error = failure(rig.ids, request_timeout=0.3, retries=0)
        assert error.reason == Reason.TIMEOUT


class TestManyTargets:
    @pytest.mark.no_cover
    def test_many_roles_at_once_are_never_mixed_up(self, site: Site, engine: str):
        names = [f"bucket-{number:03}" for number in range(100 if engine == "wire" else 20)]
        for name in names:
            arn = f"{ARN}-{name}"
            site.sts.keys[f"AKIA{name}"] = Key(f"AKIA{name}", f"secret-{name}")
            site.sts.roles[arn] = Role({f"AKIA{name}"}, external_id=name)
            site.s3.buckets[name] = [Upload("key", f"id-{name}")]
            site.s3.readers[name] = arn

        def ids(name: str) -> list[str]:
            keys = Credentials(None, Secret(f"AKIA{name}"), Secret(f"secret-{name}"))
            role = AssumeRole(f"{ARN}-{name}", name)
            with site.rig(role, engine=engine, credentials=keys, buckets=(BucketSettings(name),)) as rig:
                return [*rig.ids(), *rig.ids()]

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ids, names)) == [[f"id-{name}"] * 2 for name in names]
        assert (site.s3.wrong, len(site.sts.sessions)) == ([], len(names))


class TestOtherIdentities:
    def test_a_pod_s_web_identity_is_taken_through_our_transport(
        self, site: Site, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        token = tmp_path / "token"
        token.write_text("pod-token")
        site.sts.roles[ARN].web_tokens.add("pod-token")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        monkeypatch.setenv("AWS_ROLE_ARN", ARN)
        with site.plain(engine) as rig:
            assert rig.ids() == ["id-media"]
            assert rig.traffic.requests[WEB] == 1

    def test_it_may_take_another_role(
        self, site: Site, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        self.test_a_pod_s_web_identity_is_taken_through_our_transport(site, engine, monkeypatch, tmp_path)
        (first,) = site.sts.sessions.values()
        site.sts.keys[first.key.access_key_id] = first.key
        other = f"{ARN}-other"
        # the next web session is number 1, which the other role trusts
        site.sts.keys["ASIA000001EXAMPLE"] = Key("ASIA000001EXAMPLE", "session-secret-1", "session-token-1")
        site.sts.roles[other] = Role({"ASIA000001EXAMPLE"})
        with site.rig(AssumeRole(other), engine=engine, credentials=Credentials()) as rig:
            assert rig.ids() == ["id-media"]
            assert rig.traffic.requests == {WEB: 1, ASSUME: 1, "ListMultipartUploads": 1}

    def test_a_refused_web_identity_says_so(
        self, site: Site, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        token = tmp_path / "token"
        token.write_text("strange-token")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        monkeypatch.setenv("AWS_ROLE_ARN", ARN)
        with site.plain(engine) as rig:
            error = failure(rig.ids)
        assert error.reason == Reason.CREDENTIALS
        assert "strange-token" not in str(error)

    def test_a_container_s_credentials(
        self, site: Site, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        token = tmp_path / "token"
        token.write_text("agent-token")
        key = Key("ASIACONTAINER7EX", "container-secret", "container-token")
        site.s3.key = key
        seen: list[str] = []

        def answer(request: object) -> Reply:
            seen.append(request.headers.get("authorization", ""))  # type: ignore[attr-defined]
            until = datetime.now(UTC) + timedelta(hours=1)
            body = (
                f'{{"AccessKeyId": "{key.access_key_id}", "SecretAccessKey": "{key.secret}", '
                f'"Token": "{key.token}", "Expiration": "{until.strftime("%Y-%m-%dT%H:%M:%SZ")}"}}'
            )
            return Reply(200, {"Content-Type": "application/json"}, body.encode())

        with StandIn(answer) as agent:
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent.url}/v1/credentials")
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
            open_rig = by_boto3 if engine == "boto3" else path_style
            with open_rig(credentials=Credentials()) as rig:
                rig.server.key = key
                assert rig.ids() == []
        assert seen == ["agent-token"]
