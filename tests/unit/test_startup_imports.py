"""What a command loads of the packages that take much memory or time: only what its targets need."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from servers import wait_until
from servers.exporter import serving

NOBODY = "http://127.0.0.1:1"
"""Where no server listens: a scan fails with its first request, after all that signs it has been loaded."""
HEAVY = ("bcrypt", "boto3", "botocore", "jinja2", "obs", "prometheus_client", "uvicorn")
CHAIN = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
S3 = {"name": "t", "store": "s3", "region": "eu-west-1", "endpoint_url": NOBODY, "scan": {"retries": 0}}
KEYS = {"credentials": {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret"}}
MEDIA = {"buckets": ["media"]}
TARGETS: dict[str, tuple[dict[str, object], list[str]]] = {
    "S3, keys and endpoint_url": (S3 | KEYS | MEDIA, []),
    "S3, lifecycle rules": (S3 | KEYS | MEDIA | {"lifecycle": True}, []),
    "S3, list of buckets": (S3 | KEYS | {"discover": {}}, []),
    "S3, the SDK's chain": (S3 | MEDIA, ["boto3", "botocore"]),
    "S3, boto3 as the engine": (S3 | KEYS | MEDIA | {"engine": "boto3"}, ["boto3", "botocore"]),
    "OBS": (S3 | KEYS | MEDIA | {"store": "obs"}, ["obs"]),
    "Glacier": (S3 | KEYS | {"store": "glacier", "vaults": ["tapes"]}, ["boto3", "botocore"]),
}
"""The only target of a config, and what is loaded for it."""


@pytest.fixture(autouse=True)
def _said_on_stderr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in CHAIN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")


def loaded(text: str) -> list[str]:
    """Return which of the packages are among the imports that Python tells."""
    names = {name.partition(".")[0] for name in re.findall(r"^import time:.*\| +(\S+)$", text, re.MULTILINE)}
    return [name for name in HEAVY if name in names]


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
