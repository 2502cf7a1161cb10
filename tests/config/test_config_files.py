"""Whole config files: every rule has a bad file, and beside it the exact text that a person gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.config.cleanup import CleanupSettings
from exporter.config.credentials import Credentials, Secret
from exporter.config.key_definition import list_keys
from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.config.settings import BucketSettings, ScanSettings, Settings, StoreKind, TargetSettings
from exporter.config.target_sections import TlsSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIGS = Path(__file__).with_name("configs")
ENVIRON = {"ACCOUNT": "123456789012", "BUCKET": "from-environment", "RETRIES": "5"}
DAY = 86400.0
TARGET_KEYS = {name: key for _, name, key in list_keys(TargetSettings)}
*KINDS, LAST_KIND = (f"'{kind}'" for kind in StoreKind)
PLACEHOLDERS = {
    f"{', '.join(KINDS)} or {LAST_KIND}": "{kinds}",
    ", ".join(
        name for name, each in TARGET_KEYS.items() if not each.stores or "s3" in each.stores
    ): "{keys of a target of s3}",
    TARGET_KEYS["store"].description: "{meaning of store}",
    **{
        f"{name}: is for store {each.store_names} only": f"{name}: is for store {{kinds}} only"
        for name, each in TARGET_KEYS.items()
        if len(each.stores) > 1
    },
}
"""What grows with every key or kind of store, and how the expected texts call it."""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(CONFIGS / "bad")


def load_problems(path: Path | str, environ: Mapping[str, str] = ENVIRON):
    with pytest.raises(ConfigError) as caught:
        load(Path(path), environ)
    assert "\n".join(caught.value.problems) == str(caught.value)
    return str(caught.value) + "\n"


@pytest.mark.parametrize("path", sorted((CONFIGS / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_bad_file_gets_its_text(path: Path):
    """REWRITE_EXPECTED=1 in the environment rewrites the texts; read the difference before committing it."""
    expected = path.with_suffix(".txt")
    problems = load_problems(path.name)
    for text, placeholder in PLACEHOLDERS.items():
        problems = problems.replace(text, placeholder)
    if os.environ.get("REWRITE_EXPECTED"):
        expected.write_text(problems)
    assert expected.read_text() == problems


def test_every_text_has_its_file():
    texts = {path.stem for path in (CONFIGS / "bad").glob("*.txt")}
    assert {path.stem for path in (CONFIGS / "bad").glob("*.yaml")} == texts


@pytest.mark.parametrize("path", sorted((CONFIGS / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_text_shows_a_secret(path: Path):
    assert "hunter" not in load_problems(path.name)


def test_servers_that_only_look_like_those_of_a_bucket_are_accepted():
    assert len(load(CONFIGS / "good/endpoints.yaml", {}).targets) == 6


def test_missing_file():
    expected = "no.yaml: cannot be read: No such file or directory: check the path and its permissions"
    advice = "mpu-exporter config example prints one to begin with"
    assert load_problems("no.yaml") == f"{expected}; {advice}\n"


def test_folder():
    expected = "../files: cannot be read: Is a directory: check the path and its permissions\n"
    assert expected == load_problems("../files")


def test_minimal_file_gets_the_defaults_of_the_settings():
    target = TargetSettings("prod", StoreKind.S3, (BucketSettings("media"),))
    assert Settings((target,)) == load(CONFIGS / "good/minimal.yaml", {})


def test_anchors_merges_and_handed_down_defaults():
    settings = load(CONFIGS / "good/anchors.yaml", {})
    one, two, three = settings.targets
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/media"
    assert settings.ages == ()
    assert ScanSettings(interval=600.0, page_size=100, workers=4) == one.scan
    assert (BucketSettings("2026-01-01", None, 2 * DAY), BucketSettings("backups", "db/", DAY)) == one.buckets
    assert (one.region, two.region, three.region) == ("eu-west-1", "us-east-1", "eu-west-1")
    assert ScanSettings(interval=600.0, page_size=None, workers=4, keep_for=0.0) == two.scan
    assert [("plain", "logs/"), ("whole", None), (arn, "logs/")] == [(b.name, b.prefix) for b in two.buckets]
    assert [b.prefix for b in three.buckets] == [None, None, None]


def test_every_store():
    environ = ENVIRON | {"PROXY": ""}
    settings = load(CONFIGS / "good/stores.yaml", environ)
    amazon, huawei, archive = settings.targets
    folder = CONFIGS / "good/../files"
    assert folder / "state.db" == settings.state.path
    assert (
        TargetSettings(
            name="amazon",
            store=StoreKind.S3,
            buckets=(BucketSettings("from-environment"),),
            scan=ScanSettings(
                retries=5,
                workers=1,
                max_requests=5000,
                requests_per_second=2.0,
                recheck_factor=1.0,
                recheck_at_least=21600.0,
            ),
            addressing_style="virtual",
            engine="wire",
            labels=(("team", "media"), ("on", "call")),
            credentials=Credentials(
                None,
                Secret(file=folder / "key.txt"),
                Secret(file=folder / "secret.txt"),
                Secret("fallback-token"),
            ),
            request_payer="requester",
            expected_bucket_owner="123456789012",
            price_per_1000_requests=0.005,
            tags=("owner", "Owner", "cost center"),
        )
        == amazon
    )
    assert (
        TargetSettings(
            name="huawei",
            store=StoreKind.OBS,
            buckets=(BucketSettings("media"),),
            endpoint_url="https://obs.eu-west-101.myhuaweicloud.eu/",
            addressing_style="path",
            signature="v4",
            credentials=Credentials(None, Secret("${KEY}"), Secret("a$b")),
            tls=TlsSettings(folder / "ca.pem", cert_file=folder / "ca.pem", key_file=folder / "ca.pem"),
            proxy_url="http://user:pass@proxy:3128",
        )
        == huawei
    )
    assert (
        TargetSettings(
            name="archive",
            store=StoreKind.GLACIER,
            buckets=(BucketSettings("cold"), BucketSettings("colder", None, 30 * DAY)),
            scan=ScanSettings(page_size=50, parts="never"),
            region="eu-central-1",
            account_id="123456789012",
            credentials=Credentials(profile="archive"),
            tags=("owner",),
        )
        == archive
    )


def test_azure_has_defaults_of_its_own_and_what_is_given_goes_before_them():
    defaults, given, google = load(CONFIGS / "good/clouds.yaml", ENVIRON).targets
    assert ScanSettings(interval=3600.0, page_size=5000, workers=3) == defaults.scan
    assert (DAY, CleanupSettings("store", 7 * DAY)) == (defaults.stale_after, defaults.cleanup)
    assert (BucketSettings("uploads", None, DAY), BucketSettings("logs", None, 3 * DAY)) == defaults.buckets
    assert ScanSettings(interval=300.0, page_size=1000, workers=3) == given.scan
    assert (given.stale_after, given.cleanup) == (7 * DAY, None)
    assert ScanSettings(page_size=1000, workers=3) == google.scan
    assert (google.stale_after, google.cleanup) == (7 * DAY, None)


def test_an_interval_at_the_top_goes_before_that_of_azure(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(
        "scan: {interval: 10m}\ntargets: [{name: a, store: azure, account: media, containers: [b]}]"
    )
    assert load(tmp_path / "config.yaml", {}).targets[0].scan.interval == 600.0


def test_paths_are_whole_so_that_a_later_change_of_folder_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(CONFIGS / "good")
    amazon = load(Path("stores.yaml"), ENVIRON).targets[0]
    monkeypatch.chdir("/")
    assert amazon.credentials.secret_access_key is not None
    assert amazon.credentials.secret_access_key.read() == "from-file-secret"


class TestNumbersWithAnExponent:
    """As Go, Helm and JSON write them; YAML 1.1 takes those without a dot and a sign for text."""

    CONFIG = """
scan:
  page_size: {whole}
  recheck_factor: {share}
targets:
- name: prod
  store: s3
  buckets: [media]
  price_per_1000_requests: {share}
"""

    @pytest.mark.parametrize("whole", ["1e+02", "1E2", "1.0e2", "1.0e+02", "${WHOLE}"])
    @pytest.mark.parametrize("share", ["4e-05", "4E-5", ".4e-4", "0.4e-4", "${SHARE}"])
    def test_are_numbers(self, tmp_path: Path, whole: str, share: str):
        (tmp_path / "config.yaml").write_text(self.CONFIG.format(whole=whole, share=share))
        [target] = load(tmp_path / "config.yaml", {"WHOLE": "1e2", "SHARE": "4e-05"}).targets
        found = (target.scan.page_size, target.scan.recheck_factor, target.price_per_1000_requests)
        assert found == (100, 4e-5, 4e-5)

    def test_are_text_where_text_is_wanted_and_in_quotes(self, tmp_path: Path):
        text = "targets: [{name: 1e3, store: s3, buckets: [12e5, {name: 1e+06}], prefix: 1E3}]\n"
        (tmp_path / "config.yaml").write_text(text)
        [target] = load(tmp_path / "config.yaml", {}).targets
        found = (target.name, *(bucket.name for bucket in target.buckets), target.prefix)
        assert found == ("1e3", "12e5", "1e+06", "1E3")
        (tmp_path / "config.yaml").write_text(self.CONFIG.format(whole='"1e2"', share="'4e-05'"))
        assert load_problems(tmp_path / "config.yaml").count(" number, without quotes\n") == 3

    @pytest.mark.parametrize(
        ("whole", "told"),
        [("1e-2", "whole number"), ("15e-1", "whole number"), ("1e400", "whole number"), ("1e4", "at most")],
    )
    def test_are_checked_like_others(self, tmp_path: Path, whole: str, told: str):
        (tmp_path / "config.yaml").write_text(self.CONFIG.format(whole=whole, share="1"))
        assert told in load_problems(tmp_path / "config.yaml")

    def test_and_against_the_store(self, tmp_path: Path):
        text = "scan: {page_size: 1e2}\ntargets: [{name: a, store: glacier, vaults: [tapes]}]\n"
        (tmp_path / "config.yaml").write_text(text)
        assert "must be at most 50 for store glacier" in load_problems(tmp_path / "config.yaml")
