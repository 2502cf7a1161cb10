"""What a command loads of the packages that take much memory or time: only what its targets need."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from servers import wait_until
from servers.exporter import serving

NOBODY = "http://127.0.0.1:1"
"""Where no server listens: a scan fails with its first request, after all that signs it has been loaded."""
HEAVY = ("bcrypt", "boto3", "botocore", "google", "jinja2", "obs", "prometheus_client", "uvicorn")
CHAIN = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
S3 = {"name": "t", "store": "s3", "region": "eu-west-1", "endpoint_url": NOBODY, "scan": {"retries": 0}}
KEYS = {"credentials": {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret"}}
MEDIA = {"buckets": ["media"]}
BLOBS = {
    **{name: value for name, value in S3.items() if name != "region"},
    "store": "azure",
    "account": "media1",
    "containers": ["media"],
    "credentials": {"account_key": "a2V5"},
}
TARGETS: dict[str, tuple[dict[str, object], list[str]]] = {
    "S3, keys and endpoint_url": (S3 | KEYS | MEDIA, []),
    "S3, lifecycle rules": (S3 | KEYS | MEDIA | {"lifecycle": True}, []),
    "S3, list of buckets": (S3 | KEYS | {"discover": {}}, []),
    "S3, the SDK's chain": (S3 | MEDIA, ["boto3", "botocore"]),
    "S3, boto3 as the engine": (S3 | KEYS | MEDIA | {"engine": "boto3"}, ["boto3", "botocore"]),
    "OBS": (S3 | KEYS | MEDIA | {"store": "obs"}, ["obs"]),
    "Google Cloud, an HMAC key": ({**S3, **KEYS, **MEDIA, "region": None, "store": "gcs"}, []),
    "Azure, a key of the account": (BLOBS, []),
    "Glacier": (S3 | KEYS | {"store": "glacier", "vaults": ["tapes"]}, ["boto3", "botocore"]),
}
"""The only target of a config, and what is loaded for it."""
FEW_NEED = ("asyncio", "decimal", "difflib", "multiprocessing", "shutil", "subprocess", "tempfile")
SCANS_NEED = (
    *("concurrent", "email", "hashlib", "http", "json", "logging"),
    *("socket", "sqlite3", "ssl", "threading"),
)
COMMANDS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "--help": ([], (*FEW_NEED, *SCANS_NEED, "dataclasses", "inspect")),
    "check --help": ([], (*FEW_NEED, *SCANS_NEED, "dataclasses", "inspect")),
    "check": (["yaml"], (*FEW_NEED, *SCANS_NEED)),
    "scan": (["lxml", "pycurl", "yaml"], FEW_NEED),
}
"""Every package that a command loads for the first target, and standard modules that it does not."""


@pytest.fixture(autouse=True)
def _said_on_stderr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in CHAIN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")


def imported(text: str) -> set[str]:
    """Return the top-level names among the imports that Python tells, those that failed too."""
    return {name.partition(".")[0] for name in re.findall(r"^import time:.*\| +(\S+)$", text, re.MULTILINE)}


def loaded(text: str) -> list[str]:
    """Return which of the packages are among the imports that Python tells."""
    names = imported(text)
    return [name for name in HEAVY if name in names]


def run(*words: str) -> str:
    """Run Python; return what it and Python's account of imports say."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_these_packages_and_no_more(tmp_path: Path, command: str):
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"targets": [TARGETS["S3, keys and endpoint_url"][0]]}))
    flags = [] if command.endswith("--help") else [f"--config.file={file}"]
    found = imported(run("-m", "exporter", *command.split(), *flags)) - imported(run("-c", "")) - {"exporter"}
    packages, unwanted = COMMANDS[command]
    assert packages == [name for name in sorted(found - sys.stdlib_module_names) if find_spec(name)]
    assert [name for name in unwanted if name in found] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_scan_loads_what_its_target_needs(tmp_path: Path, kind: str):
    config, wanted = TARGETS[kind]
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"targets": [config]}))
    command = [sys.executable, "-m", "exporter", "scan", f"--config.file={file}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "connection" in done.stderr
    assert loaded(done.stderr) == wanted


def test_serve_loads_beside_that_what_it_serves_with(tmp_path: Path):
    config, wanted = TARGETS["S3, keys and endpoint_url"]
    with serving(tmp_path, {"targets": [config]}) as exporter:
        wait_until("the scan", lambda: exporter.reason("media") is not None, log=exporter.log)
    assert loaded(exporter.log.read_text()) == [*wanted, "prometheus_client", "uvicorn"]
