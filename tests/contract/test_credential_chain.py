"""What the SDK's credential chain may run into: it ends in time, and the failure names its cause."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from contract.rig_glacier import vault
from contract.rig_s3 import by_boto3, path_style
from contract.rigs import Opener, Rig, Upload, refused
from servers import wait_until
from servers.s3 import Key
from servers.standin import Reply, Request, StandIn

from exporter.config.credentials import AssumeRole, Credentials
from exporter.model.errors import Reason, StoppingError, StoreError

GOOD = Key()
SECRET = "Wf9/kLmn3PqRsTuVwXyZ0123456789abcdefGHIJ"
PROFILE = Credentials(profile="ops")
CHAIN = Credentials()


@pytest.fixture(params=[path_style, by_boto3])
def open_chain(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Return what opens a rig of S3 through each engine, without keys of its own."""
    with ExitStack() as stack:

        def open_one(credentials: Credentials = PROFILE) -> Rig:
            rig = stack.enter_context(request.param(credentials=credentials))
            rig.fill([Upload("k", "id-1")])
            return rig

        yield open_one


class Sdk:
    """The SDK's files, and its part of the environment."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.env = monkeypatch.setenv
        self.file = folder / "config"
        monkeypatch.setenv("AWS_CONFIG_FILE", str(self.file))
        monkeypatch.setenv("HOME", str(folder))

    def config(self, *lines: str, mark: bytes = b"") -> None:
        """Write the profile that targets name."""
        self.file.write_bytes(mark + "\n".join(["[profile ops]", *lines, ""]).encode())

    def process(self, script: str) -> None:
        """Have the profile's keys come from a shell's script."""
        path = self.folder / "script"
        path.write_text(script)
        self.config(f"credential_process = sh {path}")

    def printing(self, fields: object) -> None:
        """Have the profile's keys come from a command that prints this JSON."""
        (self.folder / "output").write_text(json.dumps(fields))
        self.process(f"cat {self.folder / 'output'}")

    def fifo(self) -> Path:
        """Make a pipe that nobody writes to."""
        path = self.folder / "fifo"
        os.mkfifo(path)
        return path


@pytest.fixture
def sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sdk:
    return Sdk(tmp_path, monkeypatch)


def keys(**changes: object) -> dict[str, object]:
    """Return what a credential process prints."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    fields = {"AccessKeyId": GOOD.access_key_id, "SecretAccessKey": GOOD.secret, "Expiration": until}
    return {"Version": 1, **fields, **changes}


def refused_in_time(rig: Rig, seconds: float = 1.0) -> StoreError:
    """List with so much time for the call; return why that failed, which it does not take much longer for."""
    started = time.monotonic()
    error = refused(rig, request_timeout=seconds)
    assert time.monotonic() - started < seconds + 3.0
    assert rig.standin.requests == []
    return error


def is_running(process: int) -> bool:
    """Whether a process is there, and has not ended without anybody having asked how."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class TestTime:
    @pytest.mark.parametrize(
        "start",
        ["sleep 600 & echo $!", "(setsid sleep 600 & echo $!)"],  # a child; one of a session of its own
    )
    def test_a_process_that_never_ends_is_ended_with_its_children(
        self, open_chain: Opener, sdk: Sdk, start: str
    ):
        sdk.process(f"{start} > {sdk.folder / 'pids'}; echo $$ >> {sdk.folder / 'pids'}; exec sleep 600")
        error = refused_in_time(open_chain())
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, False)
        assert "credential_process did not end within request_timeout, and was ended" in str(error)
        processes = [int(text) for text in (sdk.folder / "pids").read_text().split()]
        wait_until("both to end", lambda: not any(map(is_running, processes)), seconds=5)

    def test_one_that_writes_without_end_is_ended(self, open_chain: Opener, sdk: Sdk):
        sdk.process(f"echo $$ > {sdk.folder / 'pids'}; exec yes")
        error = refused(open_chain())
        assert error.reason == Reason.CREDENTIALS
        assert "credential_process wrote more than 64 KiB" in str(error)
        process = int((sdk.folder / "pids").read_text())
        wait_until("it to end", lambda: not is_running(process), seconds=5)

    def test_a_stop_ends_it_at_once(self, open_chain: Opener, sdk: Sdk):
        sdk.process(f"echo $$ > {sdk.folder / 'pids'}; exec sleep 600")
        rig = open_chain()

        def stop() -> None:
            wait_until("the process", (sdk.folder / "pids").exists, seconds=10)
            rig.stop.set()

        stopping = Thread(target=stop)
        stopping.start()
        with pytest.raises(StoppingError):
            rig.ids()
        stopping.join()
        process = int((sdk.folder / "pids").read_text())
        wait_until("it to end", lambda: not is_running(process), seconds=5)

    def test_a_child_that_goes_on_does_not_hold_up_the_keys(self, open_chain: Opener, sdk: Sdk):
        sdk.printing(keys())
        sdk.process(f"sleep 20 & cat {sdk.folder / 'output'}")
        assert open_chain().ids(request_timeout=5.0) == ["id-1"]

    def test_a_service_that_never_answers(self, open_chain: Opener, sdk: Sdk):
        sdk.env("AWS_METADATA_SERVICE_TIMEOUT", "600")
        with StandIn(lambda _: Reply(hang=True)) as server:
            sdk.env("AWS_EC2_METADATA_DISABLED", "false")
            sdk.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
            error = refused_in_time(open_chain(CHAIN), seconds=0.3)
        assert error.reason == Reason.CREDENTIALS
        assert "no keys from the instance's metadata service within request_timeout" in str(error)

    @pytest.mark.parametrize("serve", ["container", "instance"])
    def test_an_answer_that_drips_ends_with_the_lookup_and_the_next_one_asks_again(
        self, open_chain: Opener, sdk: Sdk, serve: str
    ):
        with service(sdk, serve, Reply(body=b" " * 60_000, drip_body=0.01)) as server:
            rig = open_chain(CHAIN)
            errors: list[StoreError] = []
            while len(server.requests) < 2 and len(errors) < 10:  # loading the SDK takes time as well
                errors.append(refused_in_time(rig, seconds=0.3))
            assert len(server.requests) >= 2
        assert {error.reason for error in errors} == {Reason.CREDENTIALS}
        assert "within request_timeout" in str(errors[-1])

    @pytest.mark.parametrize("serve", ["container", "instance"])
    def test_an_answer_without_end_is_read_to_64_kib(self, sdk: Sdk, serve: str):
        with (
            service(sdk, serve, Reply(body=b" " * 70_000, no_length=True)),
            path_style(credentials=CHAIN) as rig,
        ):
            error = refused_in_time(rig, seconds=5.0)
        assert error.reason == Reason.CREDENTIALS
        assert "credential service answered with more than 64 KiB" in str(error).replace(
            "metadata", "credential"
        )

    def test_the_metadata_service_is_not_asked_for_the_region(self, sdk: Sdk):
        sdk.env("AWS_DEFAULTS_MODE", "auto")
        environment(sdk)
        with service(sdk, "instance", Reply(hang=True)) as server, path_style(credentials=CHAIN) as rig:
            rig.fill([Upload("k", "id-1")])
            rig.retarget(engine="boto3")
            assert (rig.ids(), server.requests) == (["id-1"], [])

    def test_a_renewal_that_hangs_does_no_harm_while_the_keys_hold(self, open_chain: Opener, sdk: Sdk):
        soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        sdk.printing(keys(Expiration=soon))
        rig = open_chain()
        assert rig.ids() == ["id-1"]
        sdk.process(f"echo >> {sdk.folder / 'asked'}; exec sleep 600")
        listed = [rig.ids(request_timeout=1.5) for _ in range(4)]
        assert listed == [["id-1"]] * 4
        if rig.target.engine == "boto3":  # the other one uses keys for a second before it asks again
            assert (sdk.folder / "asked").read_text() == "\n"

    def test_a_machine_without_threads_is_a_failure_that_may_pass(
        self, sdk: Sdk, monkeypatch: pytest.MonkeyPatch
    ):
        def refuse(_: Thread) -> None:
            raise RuntimeError("can't start new thread")

        environment(sdk)
        with path_style(credentials=CHAIN) as rig, monkeypatch.context() as patch:
            patch.setattr("threading.Thread.start", refuse)
            error = refused(rig)
        assert (error.reason, error.retryable) == (Reason.CREDENTIALS, True)
        assert "no thread can be started" in str(error)

    def test_glacier_s_too(self, sdk: Sdk):
        sdk.process("exec sleep 600")
        with vault(credentials=PROFILE) as rig:
            assert "was ended" in str(refused_in_time(rig, seconds=0.3))


@contextmanager
def service(sdk: Sdk, kind: str, reply: Reply) -> Iterator[StandIn]:
    """Serve keys to a container or an instance, with this answer to everything."""
    with StandIn(lambda _: reply) as server:
        if kind == "container":
            sdk.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url)
        sdk.env("AWS_EC2_METADATA_DISABLED", str(kind == "container").lower())
        sdk.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
        yield server


def web_identity(sdk: Sdk, path: Path) -> None:
    sdk.env("AWS_WEB_IDENTITY_TOKEN_FILE", str(path))
    sdk.env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")


def container(sdk: Sdk, path: Path) -> None:
    sdk.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")
    sdk.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(path))


def environment(sdk: Sdk, **changes: str) -> None:
    """Put keys into the environment, with these instead of the right ones."""
    named = {"ACCESS_KEY_ID": GOOD.access_key_id, "SECRET_ACCESS_KEY": GOOD.secret, **changes}
    for name, value in named.items():
        sdk.env(f"AWS_{name}", value)


ENVIRONMENT = "the environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
SSO = ("sso_account_id = 123456789012", "sso_role_name = reader", "sso_region = eu-west-1")
SSO_URL = "sso_start_url = https://example.org/start"
CAUSES: dict[str, tuple[Credentials, Callable[[Sdk], object], str]] = {
    "a FIFO as web identity token": (
        CHAIN,
        lambda sdk: web_identity(sdk, sdk.fifo()),
        "/fifo is not a regular file",
    ),
    "no web identity token": (
        CHAIN,
        lambda sdk: web_identity(sdk, sdk.folder / "none"),
        "/none is not there",
    ),
    "a FIFO as a profile's token": (
        PROFILE,
        lambda sdk: sdk.config(
            "role_arn = arn:aws:iam::1:role/reader", f"web_identity_token_file = {sdk.fifo()}"
        ),
        "/fifo is not a regular file",
    ),
    "a FIFO as container token": (
        CHAIN,
        lambda sdk: container(sdk, sdk.fifo()),
        "/fifo is not a regular file",
    ),
    "no SSO cache": (PROFILE, lambda sdk: sdk.config(*SSO, SSO_URL), "run aws sso login"),
    "no SSO cache of a session": (
        PROFILE,
        lambda sdk: sdk.config(*SSO[:2], "sso_session = ours", "[sso-session ours]", SSO[2], SSO_URL),
        "run aws sso login",
    ),
    "a process that prints nothing": (
        PROFILE,
        lambda sdk: sdk.process("true"),
        "credential_process wrote nothing to its standard output",
    ),
    "a process that prints nonsense": (
        PROFILE,
        lambda sdk: sdk.process("echo nonsense"),
        "credential_process wrote 9 bytes that are no JSON object",
    ),
    "a process that prints bytes": (
        PROFILE,
        lambda sdk: sdk.process(r"printf '\377\376'"),
        "credential_process wrote 2 bytes that are no JSON object",
    ),
    "a process that prints a list": (
        PROFILE,
        lambda sdk: sdk.printing(["Version", 1]),
        "that are no JSON object",
    ),
    "a process of another version": (
        PROFILE,
        lambda sdk: sdk.printing(keys(Version=2)),
        "Unsupported version '2'",
    ),
    "a process with a number for a key": (
        PROFILE,
        lambda sdk: sdk.printing(keys(AccessKeyId=7, Expiration=None)),
        "the access key from the profile's credential_process is no text",
    ),
    "a process whose keys end at no time": (
        PROFILE,
        lambda sdk: sdk.printing(keys(Expiration="99999999999999999999")),
        "expire is no time: write it like 2030-01-31T00:00:00Z (the profile's credential_process",
    ),
    "a process whose keys end at a number": (
        PROFILE,
        lambda sdk: sdk.printing(keys(Expiration=4070908800)),
        "expire is no time: write it like 2030-01-31T00:00:00Z (the profile's credential_process",
    ),
    "a process whose keys end in no time zone": (
        PROFILE,
        lambda sdk: sdk.printing(keys(Expiration="2099-01-01T00:00:00")),
        "expire has no time zone: write it like",
    ),
    "a process whose keys have ended": (
        PROFILE,
        lambda sdk: sdk.printing(keys(Expiration="2020-01-01T00:00:00Z")),
        "the keys have expired: get new ones, or check the clock (the profile's credential_process)",
    ),
    "keys of the environment that have ended": (
        CHAIN,
        lambda sdk: environment(sdk, CREDENTIAL_EXPIRATION="2020-01-01T00:00:00Z"),
        f"the keys have expired: get new ones, or check the clock ({ENVIRONMENT})",
    ),
    "a timeout that is no number": (
        PROFILE,
        lambda sdk: sdk.config(f"metadata_service_timeout = {SECRET}"),
        "a setting of the SDK that has to be a number is none",
    ),
    "a timeout below nothing": (
        CHAIN,
        lambda sdk: (
            sdk.env("AWS_METADATA_SERVICE_TIMEOUT", "-1"),
            sdk.env("AWS_EC2_METADATA_DISABLED", "false"),
        ),
        "the timeout of the instance's metadata service is no number of seconds above 0",
    ),
    "profiles without end": (
        PROFILE,
        lambda sdk: sdk.config(
            *("role_arn = arn:aws:iam::123456789012:role/r", "source_profile = p0"),
            *(
                f"[profile p{number}]\nrole_arn = arn:aws:iam::123456789012:role/r\n"
                f"source_profile = p{number + 1}"
                for number in range(1500)
            ),
        ),
        "source_profile, or JSON, are nested too deeply",
    ),
    "a container's service at no URL": (
        CHAIN,
        lambda sdk: sdk.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://[::1"),
        "the address of a service is no URL",
    ),
    "a process that fails": (
        PROFILE,
        lambda sdk: sdk.process("echo the vault is sealed >&2; exit 3"),
        "credential_process ended with status 3: the vault is sealed",
    ),
    "a process that fails and tells a secret": (
        PROFILE,
        lambda sdk: sdk.process(f"echo token={SECRET} >&2; exit 3"),
        "credential_process ended with status 3: it does not say why",
    ),
    "a process that is not there": (
        PROFILE,
        lambda sdk: sdk.config("credential_process = /no/such/command"),
        "credential_process cannot be started (No such file or directory)",
    ),
    "a byte order mark": (
        PROFILE,
        lambda sdk: sdk.config("region = eu-west-1", mark=b"\xef\xbb\xbf"),
        "/config begins with a byte order mark: save it as UTF-8 without one",
    ),
    "a config that is none": (
        PROFILE,
        lambda sdk: sdk.file.write_text("{}"),
        "the SDK cannot parse its file",
    ),
    "a container's service at no port": (
        CHAIN,
        lambda sdk: sdk.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:99999/"),
        "the address of the container's credential service is no URL",
    ),
    "a container's token that is not ASCII": (
        CHAIN,
        lambda sdk: (
            sdk.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"),
            sdk.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "tök"),
        ),
        "the container's credential service would be sent a token that no header can carry",
    ),
    "a folder as config": (
        CHAIN,
        lambda sdk: sdk.env("AWS_CONFIG_FILE", str(sdk.folder)),
        "(AWS_CONFIG_FILE) is a folder",
    ),
    "a folder as config of a profile": (
        PROFILE,
        lambda sdk: sdk.env("AWS_CONFIG_FILE", str(sdk.folder)),
        "(AWS_CONFIG_FILE) is a folder",
    ),
    "a FIFO as credentials file": (
        CHAIN,
        lambda sdk: sdk.env("AWS_SHARED_CREDENTIALS_FILE", str(sdk.fifo())),
        "/fifo (AWS_SHARED_CREDENTIALS_FILE) is no regular file",
    ),
    "a credentials file that is not there": (
        CHAIN,
        lambda sdk: sdk.env("AWS_SHARED_CREDENTIALS_FILE", str(sdk.folder / "none")),
        "/none (AWS_SHARED_CREDENTIALS_FILE) is not there",
    ),
    "a config without end": (
        PROFILE,
        lambda sdk: (sdk.file.touch(), os.truncate(sdk.file, 2**24 + 1)),
        "/config is larger than 16 MiB; check AWS_CONFIG_FILE",
    ),
    "no keys anywhere": (
        CHAIN,
        lambda sdk: sdk.env("AWS_EC2_METADATA_DISABLED", "true"),
        "the instance's metadata service is switched off by AWS_EC2_METADATA_DISABLED",
    ),
    "a role that wants MFA": (
        PROFILE,
        lambda sdk: sdk.config(
            "role_arn = arn:aws:iam::123456789012:role/reader",
            "mfa_serial = arn:aws:iam::123456789012:mfa/ann",
            "source_profile = base",
            "[profile base]",
            f"aws_access_key_id = {GOOD.access_key_id}",
            f"aws_secret_access_key = {SECRET}",
        ),
        "the profile has mfa_serial",
    ),
    "a line break behind the access key": (
        CHAIN,
        lambda sdk: environment(sdk, ACCESS_KEY_ID=f"{GOOD.access_key_id}\n"),
        f"the access key from {ENVIRONMENT} holds a line break",
    ),
    "a line break behind the secret": (
        CHAIN,
        lambda sdk: environment(sdk, SECRET_ACCESS_KEY=f"{SECRET}\n"),
        f"the secret key from {ENVIRONMENT} holds a line break",
    ),
    "a token that is not ASCII": (
        CHAIN,
        lambda sdk: environment(sdk, SESSION_TOKEN="tök"),
        "holds characters other than printable ASCII",
    ),
    "a secret that is no Unicode": (
        CHAIN,
        lambda sdk: environment(sdk, SECRET_ACCESS_KEY="\udcff"),
        f"the secret key from {ENVIRONMENT}",
    ),
}


def from_instance(sdk: Sdk, server: StandIn) -> None:
    sdk.env("AWS_EC2_METADATA_DISABLED", "false")
    sdk.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{server.url}/")


def from_container(sdk: Sdk, server: StandIn) -> None:
    sdk.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/keys")
    sdk.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token 1")


def in_file(sdk: Sdk, key: Key) -> None:
    sdk.config(f"aws_access_key_id = {key.access_key_id}", f"aws_secret_access_key = {key.secret}")


def from_process(sdk: Sdk, key: Key) -> None:
    sdk.printing(keys(AccessKeyId=key.access_key_id, SecretAccessKey=key.secret, Expiration=None))


class TestRefusedByTheStore:
    @pytest.mark.parametrize("write", [in_file, from_process])
    def test_keys_are_looked_for_anew(self, open_chain: Opener, sdk: Sdk, write: Callable[[Sdk, Key], None]):
        write(sdk, GOOD)
        rig = open_chain()
        rig.ids()
        rig.server.key = Key("AKIANEW7EXAMPLE", "new-secret")
        write(sdk, rig.server.key)
        assert rig.ids() == ["id-1"]
        assert rig.traffic.failures == {}

    def test_not_for_each_refusal(self, open_chain: Opener, sdk: Sdk):
        from_process(sdk, GOOD)
        script = sdk.folder / "script"
        script.write_text(f"echo >> {sdk.folder / 'asked'}; {script.read_text()}")
        rig = open_chain()
        rig.server.key = Key("AKIANEW7EXAMPLE", "new-secret")
        assert {refused(rig).reason for _ in range(3)} == {Reason.CREDENTIALS}
        assert (sdk.folder / "asked").read_text() == "\n" * 2
        assert len(rig.standin.requests) == 3

    def test_where_none_are_found_the_old_ones_stay(self, open_chain: Opener, sdk: Sdk):
        from_process(sdk, GOOD)
        rig = open_chain()
        rig.ids()
        rig.server.key = Key("AKIANEW7EXAMPLE", "new-secret")
        sdk.process("exit 1")
        assert "InvalidAccessKeyId" in str(refused(rig))
        rig.server.key = GOOD
        assert rig.ids() == ["id-1"]


class TestServices:
    @pytest.mark.parametrize(
        ("arrange", "asked"),
        [
            (
                from_instance,
                [
                    ("PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}),
                    (
                        "GET",
                        "/latest/meta-data/iam/security-credentials/",
                        {"x-aws-ec2-metadata-token": "token 1"},
                    ),
                    (
                        "GET",
                        "/latest/meta-data/iam/security-credentials/my%20role",
                        {"x-aws-ec2-metadata-token": "token 1"},
                    ),
                ],
            ),
            (from_container, [("GET", "/keys", {"authorization": "token 1"})]),
        ],
    )
    def test_they_give_keys(
        self,
        sdk: Sdk,
        arrange: Callable[[Sdk, StandIn], None],
        asked: list[tuple[str, str, dict[str, str]]],
    ):
        texts = {
            "/latest/api/token": "token 1",
            "/latest/meta-data/iam/security-credentials/": "my role",
        }
        fields = json.dumps(keys(Token="t"))

        def answer(request: Request) -> Reply:
            return Reply(body=texts.get(request.path, fields).encode())

        with StandIn(answer) as server, path_style(credentials=CHAIN) as rig:
            arrange(sdk, server)
            rig.server.key = replace(GOOD, token="t")
            rig.fill([Upload("k", "id-1")])
            assert rig.ids() == ["id-1"]
            requests = [(each.method, each.target, each.headers) for each in server.requests]
        assert [(method, path) for method, path, _ in requests] == [
            (method, path) for method, path, _ in asked
        ]
        for (_, _, sent), (_, _, headers) in zip(requests, asked, strict=True):
            assert headers.items() <= sent.items()


class TestCause:
    @pytest.mark.parametrize("name", CAUSES)
    def test_it_is_named_and_no_secret_is(self, sdk: Sdk, name: str):
        credentials, arrange, words = CAUSES[name]
        arrange(sdk)
        with path_style(credentials=credentials) as rig:
            error = refused_in_time(rig, seconds=5.0)
        assert error.reason == Reason.CREDENTIALS
        assert words in str(error)
        assert [text for text in (SECRET, GOOD.access_key_id, "[hidden]") if text in str(error)] == []

    def test_a_value_where_the_sdk_has_settings_is_told(self, sdk: Sdk):
        sdk.config(
            "s3 = foo", f"aws_access_key_id = {GOOD.access_key_id}", f"aws_secret_access_key = {SECRET}"
        )
        with path_style(credentials=PROFILE) as rig:
            error = refused_in_time(rig, seconds=5.0)
        assert (error.reason, "a value stands where indented settings" in str(error)) == (
            Reason.UNSUPPORTED,
            True,
        )

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ("[]", "the answer is not the JSON object that holds keys"),
            ("null", "the answer is not the JSON object that holds keys"),
            ("{}", "the answer lacks one of the fields of keys"),
            ("\xff", "the container's credential service answered with what is no text"),
        ],
    )
    def test_an_answer_without_keys_is_told(self, sdk: Sdk, answer: str, words: str):
        reply = Reply(body=answer.encode("latin-1"))
        with service(sdk, "container", reply), path_style(credentials=CHAIN) as rig:
            error = refused_in_time(rig, seconds=5.0)
        assert (error.reason, words in str(error)) == (Reason.CREDENTIALS, True)

    def test_it_heals(self, open_chain: Opener, sdk: Sdk):
        sdk.process("echo nonsense")
        rig = open_chain()
        refused(rig)
        sdk.printing(keys())
        assert rig.ids() == ["id-1"]

    def test_a_role_takes_keys_of_a_chain_that_fails_as_well(self, sdk: Sdk):
        sdk.process("echo nonsense")
        role = AssumeRole("arn:aws:iam::123456789012:role/reader")
        with path_style(credentials=replace(PROFILE, assume_role=role)) as rig:
            error = refused(rig)
        assert (error.reason, "no JSON object" in str(error)) == (Reason.CREDENTIALS, True)
