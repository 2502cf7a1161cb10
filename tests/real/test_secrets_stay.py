"""The exporter as a process, at debug level, on servers that say back what they were told: no secret is in
its log, on its pages or in what its commands write."""

import base64
import itertools
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from servers import wait_until
from servers.entra import CLIENT, TENANT
from servers.exporter import serving
from servers.google import ACCOUNT, PRIVATE_KEY
from servers.obs import Obs
from servers.s3 import S3, Key, Part, Upload, error
from servers.standin import Reply, Request, StandIn

SECRET = "Zq8rXUtnFEMI/K7MDENG+bPxRfiCYzzEXAMPLEK3y"
TOKEN = "FwoGZXIvYXdzEPT9wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAe0000="
ACCESS_KEY = "AKIAQ7EXAMPLE2HIDDEN"
ACCOUNT_KEY = base64.b64encode(bytes(range(7, 71))).decode()
SAS_SIGNATURE = "dGhlIHNpZ25hdHVyZSBvZiBhIFNBUyB0b2tlbg%3D%3D"
SAS = f"sv=2021-12-02&ss=b&srt=sco&sp=rl&se=2040-01-01T00%3A00%3A00Z&sig={SAS_SIGNATURE}"
CLIENT_SECRET = "q1W8Q~zXcVbNmAsDfGhJkLqWeRtYuIoPaSdFgHjK"
BEARERS = {
    "azure": "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3N0b3JhZ2UifQ.c2lnbmF0dXJlLW9mLWl0",
    "gcs": "ya29.c.b0AXv0zTPexample-of-a-token_that-Nobody-has",
}
OF_CLOUDS = (
    *(ACCOUNT_KEY, SAS_SIGNATURE, CLIENT_SECRET, *BEARERS.values()),
    *(PRIVATE_KEY.splitlines()[2], "client_assertion=ey", "assertion=ey", "c2lnbmF0dXJl", "sig=d"),
)


class Echo:
    """A server that answers each request with another error, which says what the request said, and more."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        """Signatures that were sent."""
        self._turns = itertools.count()
        self._tokens = {cloud: itertools.count() for cloud in BEARERS}

    def __call__(self, request: Request) -> Reply:
        if request.method == "POST":
            return self._token(request)
        authorization = request.headers.get("authorization", "")
        signature = re.split(r"[=:]", authorization)[-1] or "none"
        if len(signature) > 20:
            self.said.add(signature.rstrip("="))
        signed = f"https://s3.example.com/media?X-Amz-Credential={ACCESS_KEY}%2Fx&X-Amz-Signature={signature}"
        if authorization.startswith("SharedKey"):
            self.said.add(authorization.rpartition(":")[2].rstrip("="))
        told = f"{authorization} {request.target} {ACCOUNT_KEY} {CLIENT_SECRET}"
        text = f"{told} {SECRET} x-amz-security-token: {TOKEN} {signed}&X-Amz-Security-Token={TOKEN}"
        answers: list[Callable[[], Reply]] = [
            lambda: error(403, "AccessDenied", text),
            lambda: error(403, "SignatureDoesNotMatch", f"StringToSign: {text}"),
            lambda: error(400, signature, text),
            lambda: error(500, "InternalError", text),
            lambda: Reply(200, {"Content-Type": "text/html"}, f"<html>{text}</html>".encode()),
            lambda: Reply(307, {"Location": signed}, b""),
            lambda: Reply(200, {"Content-Type": "application/xml"}, f"<Error><Code>{text}</Code>".encode()),
            lambda: Reply(
                403,
                {"Content-Type": "application/json"},
                json.dumps({"code": text, "message": text}).encode(),
            ),
            lambda: Reply(raw=f"HTTP/1.1 403 {text}\r\n\r\n".encode()),
            lambda: Reply(raw=f"{text}\r\n\r\n".encode()),
        ]
        return answers[next(self._turns) % len(answers)]()

    def _token(self, request: Request) -> Reply:
        """Give a token that ends at once, or refuse it and say what was sent."""
        of = "azure" if "/oauth2/v2.0/" in request.path else "gcs"
        if next(self._tokens[of]) % 2 == 0:
            answer = {"access_token": BEARERS[of], "token_type": "Bearer", "expires_in": 1}
            return Reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())
        said = f"AADSTS7000215: {request.body.decode()} {CLIENT_SECRET} {BEARERS[of]} {PRIVATE_KEY}"
        answer = {"error": "invalid_client", "error_description": said}
        return Reply(401, {"Content-Type": "application/json"}, json.dumps(answer).encode())


KEYS = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET, "session_token": TOKEN}
KINDS = {
    "wire": {"store": "s3", "engine": "wire", "region": "eu-west-1", "addressing_style": "path"},
    "boto3": {"store": "s3", "engine": "boto3", "region": "eu-west-1", "addressing_style": "path"},
    "obs": {"store": "obs", "signature": "obs"},
    "obs-v2": {"store": "obs", "signature": "v2"},
    "obs-v4": {"store": "obs", "signature": "v4", "region": "eu-west-1"},
    "glacier": {"store": "glacier", "region": "eu-west-1"},
    "gcs": {
        "store": "gcs",
        "credentials": {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET},
    },
    "azure": {"store": "azure", "account": "media1", "credentials": {"account_key": ACCOUNT_KEY}},
    "azure-sas": {"store": "azure", "account": "media1", "credentials": {"sas_token": SAS}},
}
NAMED = {"glacier": "vaults", "azure": "containers"}


def targets(url: str, prefix: str = "") -> list[dict[str, object]]:
    buckets = [f"bucket{n}" for n in range(6)]
    return [
        {
            "name": f"{prefix}{name}",
            "endpoint_url": url,
            NAMED.get(name.partition("-")[0], "buckets"): buckets,
            "credentials": KEYS,
            **settings,
        }
        for name, settings in KINDS.items()
    ]


def check(text: str, servers: list[Echo]) -> None:
    """Assert that nothing in the text is a secret or was a signature."""
    of_amazon = (SECRET, TOKEN.rstrip("="), ACCESS_KEY, "X-Amz-Signature=", "X-Amz-Security-Token=")
    assert [piece for piece in (*of_amazon, *OF_CLOUDS) if piece in text] == []
    for signature in set().union(*(server.said for server in servers)):
        assert signature not in text


@pytest.fixture
def echo() -> Iterator[tuple[Echo, str]]:
    handler = Echo()
    with StandIn(handler, name="localhost") as server:
        yield handler, server.url


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_serve_tells_no_secret_that_a_server_says_back(echo, tmp_path: Path, form: str):
    handler, url = echo
    config = {
        "scan": {"interval": "1s", "retries": 1, "request_timeout": "5s", "workers": 6},
        "targets": targets(url),
    }
    flags = ("--log.level=debug", f"--log.format={form}")
    with serving(tmp_path, config, *flags) as exporter:
        failed = re.compile(r"msg\W+scan failed|msg=.scan failed")
        wait_until(
            "failures and signatures",
            lambda: len(failed.findall(exporter.log.read_text())) >= 60 and len(handler.said) > 30,
            log=exporter.log,
        )
        shown = [exporter.text(path) for path in ("/", "/metrics")]
    text = exporter.log.read_text()
    for name in KINDS:
        assert name in text
    assert "[hidden]" in text
    for each in (text, *shown):
        check(each, [handler])


@pytest.mark.parametrize(
    "words",
    [
        ["scan", "--format=json"],
        ["scan", "--format=prometheus"],
        ["uploads", "--format=json"],
        ["check", "--probe", "--all-buckets"],
        ["check", "--estimate"],
    ],
    ids=" ".join,
)
def test_neither_do_commands(echo, tmp_path: Path, words: list[str]):
    handler, url = echo
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"scan": {"retries": 0, "request_timeout": "5s"}, "targets": targets(url)}))
    line = [sys.executable, "-m", "exporter", *words, f"--config.file={file}", "--log.level=debug"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert len(handler.said) > 10
    assert "Traceback" not in done.stderr
    check(done.stdout + done.stderr, [handler])


def by_token(url: str, folder: Path) -> list[dict[str, object]]:
    """Return targets that get tokens from a server with TLS, whose CA is in the folder."""
    told = {"type": "service_account", "client_email": ACCOUNT, "private_key": PRIVATE_KEY}
    (folder / "google.json").write_text(
        json.dumps({**told, "token_uri": f"{url}/token", "private_key_id": "1"})
    )
    common = {"endpoint_url": url, "tls": {"ca_file": str(folder / "ca.pem")}}
    names = [f"bucket{n}" for n in range(6)]
    file = {"credentials_file": str(folder / "google.json")}
    return [
        {"name": "azure-token", "store": "azure", "account": "media1", "containers": names, **common},
        {"name": "gcs-token", "store": "gcs", "buckets": names, "credentials": file, **common},
    ]


def test_neither_is_a_token_nor_what_it_was_given_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("localhost").configure_cert(context)
    handler = Echo()
    with StandIn(handler, tls=context, name="localhost") as server:
        for name, text in {
            "AZURE_AUTHORITY_HOST": server.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": CLIENT_SECRET,
        }.items():
            monkeypatch.setenv(name, text)
        config = {
            "scan": {"interval": "1s", "retries": 0, "request_timeout": "5s"},
            "targets": by_token(server.url, tmp_path),
        }
        with serving(tmp_path, config, "--log.level=debug") as exporter:
            carried = [f"Bearer {bearer}" for bearer in BEARERS.values()]
            wait_until(
                "tokens and refusals",
                lambda: (
                    {*carried} <= {each.headers.get("authorization") for each in server.requests}
                    and {"GetToken", "AADSTS"} <= {*re.findall("GetToken|AADSTS", exporter.log.read_text())}
                    and exporter.log.read_text().count("scan failed") > 8
                ),
                log=exporter.log,
            )
            shown = [exporter.text(path) for path in ("/", "/metrics")]
    for each in (exporter.log.read_text(), *shown):
        check(each, [handler])


def test_the_sdks_own_debug_lines_would_tell_and_are_not_written(tmp_path: Path):
    s3, obs = S3(), Obs()
    for server in (s3, obs):
        server.key = Key(ACCESS_KEY, SECRET, TOKEN)
    s3.buckets["media"] = obs.buckets["media"] = [Upload("a", "1", parts=[Part(1, 5)])]
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(StandIn(server, name="localhost")).url
            for name, server in (("s3", s3), ("obs", obs))
        }
        config = {
            "targets": [
                {
                    "name": name,
                    "endpoint_url": urls["s3"],
                    "buckets": ["media"],
                    "credentials": KEYS,
                    **KINDS[name],
                }
                for name in ("wire", "boto3")
            ]
            + [
                {
                    "name": name,
                    "endpoint_url": urls["obs"],
                    "buckets": ["media"],
                    "credentials": KEYS,
                    **KINDS[name],
                }
                for name in ("obs-v2", "obs-v4")
            ],
        }
        with serving(tmp_path, config, "--log.level=debug") as exporter:
            wait_until(
                "scans", lambda: exporter.log.read_text().count("scan finished") >= 4, log=exporter.log
            )
    text = exporter.log.read_text()
    check(text, [])
    assert {line.partition(" level=")[2].partition(" ")[0] for line in text.splitlines()} <= {"debug", "info"}
    assert "Signature" not in text
    assert "botocore" not in text


def test_a_library_that_nobody_thought_of_writes_no_debug_line():
    code = (
        "import logging; from exporter.cli import log_format; log_format.configure('debug', 'logfmt');"
        "logging.getLogger('http.unheard').debug('Authorization: x');"
        "logging.getLogger('exporter.x').debug('ours')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert "ours" in done.stderr
    assert "Authorization" not in done.stderr
