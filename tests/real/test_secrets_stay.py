"""The exporter as a process, at debug level, on servers that say back what they were told: no secret is in
its log, on its pages or in what its commands write."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from servers import wait_until
from servers.exporter import serving
from servers.obs import Obs
from servers.s3 import S3, Key, Part, Upload, error
from servers.standin import Reply, Request, StandIn

SECRET = "Zq8rXUtnFEMI/K7MDENG+bPxRfiCYzzEXAMPLEK3y"
TOKEN = "FwoGZXIvYXdzEPT9wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAe0000="
ACCESS_KEY = "AKIAQ7EXAMPLE2HIDDEN"


class Echo:
    """A server that answers each request with another error, which says what the request said, and more."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        """Signatures that were sent."""
        self._turns = itertools.count()

    def __call__(self, request: Request) -> Reply:
        authorization = request.headers.get("authorization", "")
        signature = re.split(r"[=:]", authorization)[-1] or "none"
        if len(signature) > 20:
            self.said.add(signature.rstrip("="))
        signed = f"https://s3.example.com/media?X-Amz-Credential={ACCESS_KEY}%2Fx&X-Amz-Signature={signature}"
        text = f"{authorization} {SECRET} x-amz-security-token: {TOKEN} {signed}&X-Amz-Security-Token={TOKEN}"
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


KEYS = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET, "session_token": TOKEN}
KINDS = {
    "wire": {"store": "s3", "engine": "wire", "region": "eu-west-1", "addressing_style": "path"},
    "boto3": {"store": "s3", "engine": "boto3", "region": "eu-west-1", "addressing_style": "path"},
    "obs": {"store": "obs", "signature": "obs"},
    "obs-v2": {"store": "obs", "signature": "v2"},
    "obs-v4": {"store": "obs", "signature": "v4", "region": "eu-west-1"},
    "glacier": {"store": "glacier", "region": "eu-west-1"},
}


def targets(url: str, prefix: str = "") -> list[dict[str, object]]:
    buckets = [f"bucket{n}" for n in range(6)]
    return [
        {
            "name": f"{prefix}{name}",
            "endpoint_url": url,
            "vaults" if name == "glacier" else "buckets": buckets,
            "credentials": KEYS,
            **settings,
        }
        for name, settings in KINDS.items()
    ]


def check(text: str, servers: list[Echo]) -> None:
    """Assert that nothing in the text is a secret or was a signature."""
    for piece in (SECRET, TOKEN.rstrip("="), ACCESS_KEY, "X-Amz-Signature=", "X-Amz-Security-Token="):
        assert piece not in text
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
