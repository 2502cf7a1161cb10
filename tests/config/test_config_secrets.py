"""Secrets are in no repr and no error; their files are read again. More: configs/bad/secret_*.yaml."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from cases import in_turn

from exporter.config import file_changes
from exporter.config.credentials import Secret
from exporter.config.document import read_document
from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.config.settings import Settings
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
    assert SECRET not in repr(validate(read_document(config, {}), Settings))


@in_turn("line", range(2, CONFIG.count("\n")))
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


@in_turn("key", KEYS)
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


class TestFileThatHasNotChanged:
    """It is not read again. Another's text is as long, so that only the rest tells them apart."""

    @pytest.fixture
    def file(self, tmp_path: Path):
        file = tmp_path / "secret"
        file.write_text("first\n")
        return file

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch):
        """Return the files that were read."""
        reads, read_text = [], Path.read_text
        monkeypatch.setattr(Path, "read_text", lambda *args, **_: reads.append(args) or read_text(*args))
        return reads

    @pytest.fixture
    def _settled(self, monkeypatch: pytest.MonkeyPatch):
        """Take every file for one that changed long ago."""
        monkeypatch.setattr(file_changes, "CLOCK_STEP_SECONDS", -60.0)

    @pytest.mark.usefixtures("_settled")
    def test_it_is_read_once(self, file: Path, reads: list[object]):
        secret = Secret(file=file)
        assert [secret.read() for _ in range(3)] == ["first"] * 3
        assert len(reads) == 1
        file.write_text("now longer\n")
        assert [secret.read() for _ in range(3)] == ["now longer"] * 3
        assert len(reads) == 2

    def test_one_that_changed_just_now_may_be_changing_still(self, file: Path, reads: list[object]):
        secret = Secret(file=file)
        assert [secret.read() for _ in range(3)] == ["first"] * 3
        assert len(reads) == 3

    @pytest.mark.usefixtures("_settled")
    def test_another_in_its_place_is_read(self, file: Path, tmp_path: Path):
        secret = Secret(file=file)
        secret.read()
        other = tmp_path / "other"
        other.write_text("other\n")
        other.replace(file)
        assert secret.read() == "other"

    @pytest.mark.usefixtures("_settled")
    def test_a_link_that_leads_elsewhere_is_followed_as_kubernetes_turns_them(self, tmp_path: Path):
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "secret").write_text(name)
        data = tmp_path / "..data"
        data.symlink_to("old")
        secret = Secret(file=data / "secret")
        assert secret.read() == "old"
        (tmp_path / "turned").symlink_to("new")
        (tmp_path / "turned").replace(data)
        assert secret.read() == "new"

    @pytest.mark.usefixtures("_settled")
    def test_one_that_is_gone_is_an_error(self, file: Path):
        secret = Secret(file=file)
        secret.read()
        file.unlink()
        with pytest.raises(OSError, match="No such file"):
            secret.read()

    @pytest.mark.usefixtures("_settled")
    def test_what_is_known_is_in_no_repr_and_makes_no_difference(self, file: Path):
        one, other = Secret(file=file), Secret(file=file)
        one.read()
        assert "first" not in repr(one)
        assert (one, hash(one)) == (other, hash(other))
