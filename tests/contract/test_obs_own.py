"""What only OBS and its SDK do: every trap of the SDK has a test here that fails without its guard."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme
from contract.authority import Authority
from contract.rig_obs import SIGNATURES, list_page
from contract.rigs import PARTS, UPLOADS, Opener, Part, Rig, Upload, failure, ids_of, some_uploads
from servers.s3 import Key
from servers.standin import Reply

from exporter.config.credentials import Credentials, Secret
from exporter.config.settings import ScanSettings
from exporter.model.errors import GoneError, Reason, StoreError
from exporter.stores.obs import signature
from exporter.stores.obs.credentials import Keys
from exporter.stores.obs.endpoint import read_server
from exporter.stores.obs.signature import ObsRequest, ObsSigner, SignedRequest


class TestTheSdkSendsNothing:
    def test_no_connection_is_the_sdks_and_one_carries_all(
        self, obs_rig: Rig, monkeypatch: pytest.MonkeyPatch
    ):
        def refuse(*_: object) -> None:
            raise AssertionError("Python opened a connection")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        uploads = some_uploads(5, parts=[Part(1, 5)])
        obs_rig.fill(uploads)
        assert obs_rig.ids() == ids_of(uploads)
        assert [obs_rig.size(upload).bytes for upload in uploads] == [5] * 5
        assert (obs_rig.standin.connections, len(obs_rig.standin.requests)) == (1, 6)
        assert not [request for request in obs_rig.standin.requests if "connection" in request.headers]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_it_does_not_retry(self, obs_rig: Rig, status: int):
        obs_rig.answer(UPLOADS, Reply(reset=True), on={1})
        assert failure(list_page, obs_rig).reason == Reason.CONNECTION
        obs_rig.answer(UPLOADS, obs_rig.refusal(status, "InternalError"), on={2})
        assert failure(list_page, obs_rig).status == status
        assert len(obs_rig.standin.requests) == 2

    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_it_follows_no_redirect(self, obs_rig: Rig, status: int):
        moved = obs_rig.refusal(status, "PermanentRedirect", "use the specified endpoint")
        obs_rig.answer(UPLOADS, replace(moved, headers={"Location": f"{obs_rig.standin.url}/elsewhere"}))
        error = failure(list_page, obs_rig)
        assert (error.reason, error.status) == (Reason.BAD_RESPONSE, status)
        assert "use the specified endpoint" in str(error)
        assert len(obs_rig.standin.requests) == 1

    @pytest.mark.parametrize("kind", ["application/json", "text/html", "application/xml"])
    @pytest.mark.parametrize("body", [b"", b"{}", b"<html></html>", b"<ListMultipartUploadsResult>"])
    def test_what_the_sdk_would_believe_is_refused(self, obs_rig: Rig, kind: str, body: bytes):
        obs_rig.answer(UPLOADS, Reply(200, {"Content-Type": kind}, body))
        obs_rig.answer(PARTS, Reply(200, {"Content-Type": kind}, body))
        assert failure(list_page, obs_rig).reason == Reason.BAD_RESPONSE
        with pytest.raises(StoreError) as raised:
            obs_rig.size(Upload("key", "id"))
        assert raised.value.reason == Reason.BAD_RESPONSE

    def test_a_refusal_without_body_has_its_code_in_a_header(self, obs_rig: Rig):
        headers = {"x-obs-error-code": "InvalidAccessKeyId", "x-obs-error-message": "unknown key"}
        obs_rig.answer(UPLOADS, Reply(403, headers))
        error = failure(list_page, obs_rig)
        assert (error.reason, error.code) == (Reason.CREDENTIALS, "InvalidAccessKeyId")
        assert "unknown key" in str(error)

    @pytest.mark.parametrize("code", ["NoSuchUpload", "NoSuchKey"])
    def test_an_ended_upload_is_gone(self, obs_rig: Rig, code: str):
        obs_rig.answer(PARTS, obs_rig.refusal(404, code))
        with pytest.raises(GoneError):
            obs_rig.size(Upload("key", "id"))
        assert obs_rig.traffic.failures == {}

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "UTC"])
    def test_times_are_right_in_any_zone(self, obs_rig: Rig, monkeypatch: pytest.MonkeyPatch, zone: str):
        summer = datetime(2026, 7, 1, 12, 0, 0, 250_000, tzinfo=UTC).timestamp()
        upload = Upload("key", "id", initiated=summer, parts=[Part(1, 5, modified=summer + 1)])
        obs_rig.fill([upload])
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            listed, totals = obs_rig.uploads(), obs_rig.size(upload)
        time.tzset()
        assert [upload.initiated for upload in listed] == [summer]
        assert totals.last_modified == summer + 1

    def test_whatever_the_sdk_raises_is_a_store_error(self, obs_rig: Rig, monkeypatch: pytest.MonkeyPatch):
        def choke(*_: object, **__: object) -> None:
            raise KeyError("Signature=abc")

        monkeypatch.setattr(signature.Authentication, "doAuth", choke)
        error = failure(list_page, obs_rig)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, False)
        text = f"{UPLOADS}: the SDK cannot sign with these credentials (KeyError); nothing was sent"
        assert str(error) == text
        assert obs_rig.standin.requests == []

    def test_it_says_nothing_when_it_is_first_compiled(self, tmp_path: Path):
        program = "import warnings; warnings.simplefilter('error', SyntaxWarning); "
        program += "warnings.filterwarnings('error', '.*escape'); import exporter.stores.obs.signature"
        command = [sys.executable, "-X", f"pycache_prefix={tmp_path}", "-c", program]
        here = Path(signature.__file__).parents[2]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, "")


class TestCredentials:
    @pytest.mark.parametrize(
        "credentials",
        [
            Credentials(access_key_id=Secret("key")),
            Credentials(secret_access_key=Secret("secret")),
            Credentials(session_token=Secret("token")),
            Credentials(None, Secret(" "), Secret("secret")),
            Credentials(None, Secret(file=Path("/nonexistent/key")), Secret("secret")),
            Credentials(None, Secret("key\r\nx-injected: 1"), Secret("secret")),
            Credentials(None, Secret("key"), Secret("secret"), Secret("tökén")),
            Credentials(None, Secret("key"), Secret("a\nb")),
            Credentials(None, Secret("key"), Secret("\udcff")),
        ],
    )
    def test_without_them_nothing_is_sent(self, open_obs: Opener, credentials: Credentials):
        rig = open_obs(credentials=credentials)
        error = failure(list_page, rig)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, False)
        assert "did not sign" not in str(error)
        told = (
            str(error).replace("secret's file", "").replace("no secret", "").replace("the secret holds", "")
        )
        assert "secret" not in told
        assert (rig.standin.requests, rig.traffic.failures) == ([], {})

    def test_a_file_that_is_no_text_is_no_key(self, open_obs: Opener, tmp_path: Path):
        (tmp_path / "key").write_bytes(b"\xff\xfe")
        file = Secret(file=tmp_path / "key")
        rig = open_obs(credentials=Credentials(None, file, file))
        assert failure(list_page, rig).reason == Reason.CREDENTIALS

    def test_a_request_the_sdk_left_unsigned_is_not_sent(self, obs_rig: Rig, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(signature.Authentication, "doAuth", lambda *_: {})
        error = failure(list_page, obs_rig)
        assert (error.reason, obs_rig.standin.requests) == (Reason.CREDENTIALS, [])
        assert "did not sign" in str(error)

    def test_they_come_from_the_environment_where_none_are_configured(
        self, open_obs: Opener, monkeypatch: pytest.MonkeyPatch
    ):
        rig = open_obs(credentials=Credentials())
        rig.server.key = Key("ENVKEY", "env-secret", "env-token")
        monkeypatch.setenv("OBS_ACCESS_KEY_ID", "ENVKEY")
        monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", "env-secret")
        monkeypatch.setenv("OBS_SECURITY_TOKEN", "env-token")
        assert list_page(rig) == []

    def test_the_environment_never_completes_what_is_configured(
        self, open_obs: Opener, monkeypatch: pytest.MonkeyPatch
    ):
        rig = open_obs(credentials=Credentials(access_key_id=Secret(Key().access_key_id)))
        monkeypatch.setenv("OBS_ACCESS_KEY_ID", Key().access_key_id)
        monkeypatch.setenv("OBS_SECRET_ACCESS_KEY", Key().secret)
        assert failure(list_page, rig).reason == Reason.CREDENTIALS

    def test_files_are_read_again_for_each_call(self, open_obs: Opener, tmp_path: Path):
        files = [tmp_path / name for name in ("key", "secret", "token")]
        rig = open_obs(credentials=Credentials(None, *(Secret(file=file) for file in files)))
        for key in (Key("ONE", "secret-1", "token-1"), Key("TWO", "secret-2", "token-2")):
            rig.server.key = key
            for file, text in zip(files, (key.access_key_id, key.secret, key.token), strict=True):
                file.write_text(f"{text}\n")
            assert list_page(rig) == []


class TestClock:
    @pytest.mark.parametrize("kind", SIGNATURES)
    @pytest.mark.parametrize("seconds", [3600.0, -40 * 86400.0])
    def test_a_call_is_made_once_more_with_the_server_s_time(
        self, open_obs: Opener, kind: str, seconds: float
    ):
        rig = open_obs(kind)
        rig.server.skew = seconds
        date = {"Date": formatdate(time.time() + seconds, usegmt=True)}
        rig.fault(UPLOADS, reply=lambda reply: replace(reply, headers={**reply.headers, **date}))
        assert [list_page(rig) for _ in range(2)] == [[], []]
        assert rig.traffic.requests == {UPLOADS: 3}
        assert rig.traffic.failures == {}


class TestTls:
    @pytest.mark.parametrize(
        ("name", "is_trusted", "reason"),
        [
            ("media.localhost", True, None),
            ("media.localhost", False, Reason.TLS),
            ("other.localhost", True, Reason.TLS),
        ],
    )
    def test_certificate_and_host_name_are_verified_by_default(
        self,
        open_obs: Opener,
        authority: Authority,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        *,
        is_trusted: bool,
        reason: Reason | None,
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        signer = authority if is_trusted else Authority(trustme.CA(), Path())
        rig = open_obs(tls=signer.context(name))
        rig.fill(some_uploads(2))
        assert (failure(list_page, rig).reason if reason else len(list_page(rig))) == (reason or 2)
        assert len(rig.standin.requests) == (0 if reason else 1)


class TestThreads:
    @pytest.mark.parametrize("signature", SIGNATURES)
    def test_one_store_serves_many_threads(self, open_obs: Opener, signature: str):
        rig = open_obs(signature, scan=ScanSettings(page_size=3))
        uploads = [Upload(f"key {n}", f"u{n}", parts=[Part(1, n)]) for n in range(300)]
        rig.fill(uploads)
        start = threading.Barrier(32)

        def work(n: int) -> list[int | None]:
            start.wait()
            return [rig.size(upload).bytes for upload in uploads[n::32]]

        with ThreadPoolExecutor(32) as pool:
            sizes = list(pool.map(work, range(32)))
        assert sizes == [list(range(300))[n::32] for n in range(32)]
        assert len(rig.standin.requests) == 300

    @pytest.mark.parametrize("kind", SIGNATURES)
    def test_two_requests_signed_at_once_never_share_keys_or_names(
        self, open_obs: Opener, monkeypatch: pytest.MonkeyPatch, kind: str
    ):
        signer = ObsSigner(read_server(open_obs(kind).target), kind, "eu-de")
        asked = [
            (ObsRequest(UPLOADS, "media", "", [("uploads", None)]), Keys("ONE", "secret-1", None)),
            (ObsRequest(PARTS, "other", "key", [("uploadId", "id")]), Keys("TWO", "secret-2", "token")),
        ]

        def sign(request: ObsRequest, keys: Keys) -> SignedRequest:
            return signer.sign(request, keys, 1e9)

        alone, met = [sign(*each) for each in asked], threading.Barrier(2)
        for sdk in (signature.Authentication, signature.V4Authentication):
            monkeypatch.setattr(sdk, "doAuth", meeting(sdk.doAuth, met))
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda each: sign(*each), asked)) == alone


def meeting(method: Callable[..., object], met: threading.Barrier) -> Callable[..., object]:
    """Return the method, entered by two threads at once."""

    def meet(*arguments: object) -> object:
        met.wait(timeout=10)
        return method(*arguments)

    return meet
