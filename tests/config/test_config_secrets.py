"""Secrets are in no repr and no error; their files are read again. More: configs/bad/secret_*.yaml."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from exporter.config import ConfigError, load
from exporter.config.document import read_document
from exporter.config.validate import validate

SECRET = "wJalrXUtnFEMI"
CONFIG = """
targets:
  - name: prod
    store: s3
    buckets: [media]
    proxy_url: http://user:wJalrXUtnFEMI@proxy
    credentials: {access_key_id: wJalrXUtnFEMI, secret_access_key: wJalrXUtnFEMI}
"""


@pytest.fixture
def config(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return file


def test_in_no_repr(config: Path):
    settings = load(config, {})
    assert settings.targets[0].credentials.secret_access_key.read() == SECRET
    assert SECRET not in repr(settings) + str(settings)
    assert SECRET not in repr(validate(read_document(config, {})))


@pytest.mark.parametrize("line", range(2, CONFIG.count("\n")))
@pytest.mark.parametrize(
    "text",
    ["{}: 1", "- {}", "{}", "name: {}", "scan: {}", "x: [{}", "scan: {{workers: {}}}", "*{}", "a: !{}"],
)
def test_in_no_error_whatever_is_broken_around_it(config: Path, line: int, text: str):
    lines = CONFIG.split("\n")
    lines.insert(line, "    " + text.format(SECRET))
    config.write_text("\n".join(lines))
    with pytest.raises(ConfigError) as caught:
        load(config, {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


KEYS = [
    *("name", "store", "region", "endpoint_url", "addressing_style", "signature", "vaults", "account_id"),
    *("prefix", "stale_after", "labels", "scan", "credentials", "tls", "proxy_url", "request_payer"),
    *("expected_bucket_owner", "no_key"),
]
SHAPES = [
    "'{} /'",
    "[{} /]",
    "{{{}: 1}}",
    "{{a: {}}}",
    "'http://{}:x/'",
    "'http://a:{}@b/?c'",
    "'a${{{} /'",
    "!{}",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_in_no_error_whichever_key_it_was_pasted_to(tmp_path: Path, key: str, shape: str):
    file = tmp_path / "config.yaml"
    file.write_text(f"targets:\n  - buckets: [media]\n    {key}: {shape.format(SECRET)}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert SECRET not in str(caught.value)


def test_file_is_read_again_each_time(tmp_path: Path, config: Path):
    (tmp_path / "secret").write_text("first\n")
    config.write_text(
        "targets:\n  - {name: a, store: s3, buckets: [b], "
        "credentials: {access_key_id: k, secret_access_key_file: secret}}"
    )
    secret = load(config, {}).targets[0].credentials.secret_access_key
    assert secret.read() == "first"
    Path(secret.file).write_text("second\n")
    assert secret.read() == "second"
