"""Whom S3's requests are signed as, and what happens where they cannot be."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from contract.rig_s3 import by_boto3, path_style
from contract.rigs import UPLOADS, Opener, Rig, Upload, refused
from servers import wait_until
from servers.s3 import Key

from exporter.config.credentials import Credentials, Secret
from exporter.model.errors import Reason

GOOD = Key()
CHAIN = Credentials()


@pytest.fixture(params=[path_style, by_boto3])
def open_s3(request: pytest.FixtureRequest) -> Iterator[Opener]:
    with ExitStack() as stack:

        def open_one(**settings: object) -> Rig:
            rig = stack.enter_context(request.param(**settings))
            rig.fill([Upload("k", "id-1")])
            return rig

        yield open_one


def static(
    secret: str = GOOD.secret, token: str | None = None, key_id: str = GOOD.access_key_id
) -> Credentials:
    return Credentials(None, Secret(key_id), Secret(secret), Secret(token) if token else None)


class TestStaticKeys:
    def test_right_ones_are_taken(self, open_s3: Opener):
        assert open_s3().ids() == ["id-1"]

    def test_a_wrong_secret(self, open_s3: Opener):
        error = refused(open_s3(credentials=static("wrong-secret")))
        assert (error.reason, error.code, error.status) == (Reason.CREDENTIALS, "SignatureDoesNotMatch", 403)
        assert "wrong-secret" not in str(error)

    def test_an_unknown_key(self, open_s3: Opener):
        error = refused(open_s3(credentials=static(key_id="AKIANOBODY7EXAMPLE")))
        assert (error.reason, error.code) == (Reason.CREDENTIALS, "InvalidAccessKeyId")
        assert "AKIANOBODY" not in str(error)

    def test_a_clock_that_is_wrong(self, open_s3: Opener):
        rig = open_s3()
        rig.server.skew = 3600.0
        error = refused(rig)
        assert (error.reason, error.code) == (Reason.CREDENTIALS, "RequestTimeTooSkewed")

    @pytest.mark.parametrize("token", ["tok/en+=", "right"])
    def test_a_session_token_is_sent_and_signed(self, open_s3: Opener, token: str):
        rig = open_s3(credentials=static(token=token))
        rig.server.key.token = token
        assert rig.ids() == ["id-1"]

    @pytest.mark.parametrize(("token", "code"), [("wrong", "InvalidToken"), (None, "InvalidToken")])
    def test_a_wrong_or_missing_token(self, open_s3: Opener, token: str | None, code: str):
        rig = open_s3(credentials=static(token=token))
        rig.server.key.token = "right"
        error = refused(rig)
        assert (error.reason, error.code) == (Reason.CREDENTIALS, code)

    def test_an_expired_token(self, open_s3: Opener):
        rig = open_s3(credentials=static(token="late"))
        rig.server.key = replace(GOOD, token="late", expired=True)
        error = refused(rig)
        assert (error.reason, error.code) == (Reason.CREDENTIALS, "ExpiredToken")

    @pytest.mark.parametrize("odd", ["\ufeffbyte order mark", "tök", "a\x00b"])
    @pytest.mark.parametrize("what", ["key_id", "token"])
    def test_keys_that_fit_no_header_are_a_failure_of_the_scan(self, open_s3: Opener, what: str, odd: str):
        rig = open_s3(credentials=static(**{what: odd}))
        error = refused(rig)
        assert error.reason == Reason.CREDENTIALS
        assert odd not in str(error)
        assert rig.standin.requests == []


class TestFiles:
    def test_a_rotated_secret_is_read_again(self, open_s3: Opener, tmp_path: Path):
        secret, token = tmp_path / "secret", tmp_path / "token"
        secret.write_text(f"{GOOD.secret}\n")
        token.write_text("first\n")
        credentials = Credentials(None, Secret(GOOD.access_key_id), Secret(file=secret), Secret(file=token))
        rig = open_s3(credentials=credentials)
        rig.server.key = replace(GOOD, token="first")
        assert rig.ids() == ["id-1"]
        rig.server.key = replace(GOOD, secret="rotated", token="second")
        assert refused(rig).reason == Reason.CREDENTIALS
        secret.write_text("rotated")
        token.write_text("second")
        assert rig.ids() == ["id-1"]

    @pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
    def test_an_unreadable_or_empty_one_sends_nothing_unsigned(
        self, open_s3: Opener, tmp_path: Path, content: bytes | None
    ):
        path = tmp_path / "secret"
        if content is not None:
            path.write_bytes(content)
        rig = open_s3(credentials=Credentials(None, Secret(GOOD.access_key_id), Secret(file=path)))
        assert refused(rig).reason == Reason.CREDENTIALS
        assert rig.standin.requests == []

    def test_a_file_that_comes_back_heals(self, open_s3: Opener, tmp_path: Path):
        path = tmp_path / "secret"
        rig = open_s3(credentials=Credentials(None, Secret(GOOD.access_key_id), Secret(file=path)))
        refused(rig)
        path.write_text(GOOD.secret)
        assert rig.ids() == ["id-1"]


class TestChain:
    def test_the_environment(self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", GOOD.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", GOOD.secret)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "tok")
        rig = open_s3(credentials=CHAIN)
        rig.server.key.token = "tok"
        assert rig.ids() == ["id-1"]

    def test_configured_keys_stand_above_the_environment(
        self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "x")
        monkeypatch.setenv("AWS_PROFILE", "nowhere")
        assert open_s3(credentials=static()).ids() == ["id-1"]

    def test_a_profile(self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        path = tmp_path / "credentials"
        path.write_text(
            f"[ops]\naws_access_key_id = {GOOD.access_key_id}\naws_secret_access_key = {GOOD.secret}\n"
        )
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        assert open_s3(credentials=Credentials(profile="ops")).ids() == ["id-1"]

    def test_a_profile_stands_above_the_environment(
        self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        self.test_a_profile(open_s3, monkeypatch, tmp_path)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        assert open_s3(credentials=Credentials(profile="ops")).ids() == ["id-1"]

    @pytest.mark.parametrize("credentials", [CHAIN, Credentials(profile="nowhere")])
    def test_without_any_nothing_is_sent(self, open_s3: Opener, credentials: Credentials):
        rig = open_s3(credentials=credentials)
        error = refused(rig)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, False)
        assert (rig.standin.requests, rig.traffic.requests) == ([], {})

    def test_a_profile_that_appears_heals(self, open_s3: Opener, tmp_path: Path):
        rig = open_s3(credentials=Credentials(profile="ops"))
        refused(rig)
        path = tmp_path / "no-credentials"
        path.write_text(
            f"[ops]\naws_access_key_id = {GOOD.access_key_id}\naws_secret_access_key = {GOOD.secret}\n"
        )
        assert rig.ids() == ["id-1"]

    def test_keys_that_appear_heal(self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch):
        rig = open_s3(credentials=CHAIN)
        refused(rig)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", GOOD.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", GOOD.secret)
        assert rig.ids() == ["id-1"]

    def test_one_target_s_slow_chain_holds_up_no_other(
        self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        asked, answer = tmp_path / "asked", tmp_path / "answer"
        config = tmp_path / "config"
        script = (
            f"sh -c 'touch {asked}; for i in $(seq 100); do test -e {answer} && exit 1; sleep 0.05; done'"
        )
        config.write_text(f"[profile slow]\ncredential_process = {script}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        slow, other = open_s3(credentials=Credentials(profile="slow")), open_s3()
        waiting = Thread(target=lambda: refused(slow))
        waiting.start()
        wait_until("the chain to be asked", asked.exists, seconds=10)
        assert other.ids() == ["id-1"]
        assert waiting.is_alive()
        answer.touch()
        waiting.join()

    def test_half_a_key_in_the_environment(self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", GOOD.access_key_id)
        rig = open_s3(credentials=CHAIN)
        assert refused(rig).reason == Reason.CREDENTIALS
        assert rig.standin.requests == []

    def test_the_environment_s_region(self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
        rig = open_s3(region=None)
        rig.ids()
        assert "/ap-south-1/s3/" in rig.standin.requests[0].headers["authorization"]
        assert rig.store.signing_region == "ap-south-1"

    def test_the_environment_turns_no_retries_on(self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_NEW_RETRIES_2026", "true")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
        monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
        rig = open_s3()
        rig.answer(UPLOADS, rig.refusal(503, "SlowDown"))
        refused(rig, retries=0)
        assert len(rig.standin.requests) == 1

    def test_the_environment_sends_requests_nowhere_else(
        self, open_s3: Opener, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        assert open_s3().ids() == ["id-1"]
