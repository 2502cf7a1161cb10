"""The config file: the settings, or every problem of it, each on a line without a secret."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import jsonschema
import yaml
from soak.fuzz.told import check_line

from exporter.config import schema
from exporter.config.document import NumberText, read_document
from exporter.config.load import load
from exporter.config.problems import ConfigError
from exporter.config.settings import Settings, StoreKind

_TESTS = Path(__file__).parents[2]
_SECRET = "hunter2-of-the-environment"
ENVIRON = {
    "PROD_KEY": _SECRET,
    "ACCOUNT": "123456789012",
    "BUCKET": "media",
    "RETRIES": "5",
    "EMPTY": "",
    "N": "7",
}
SEEDS = [
    *(path.read_bytes() for path in sorted((_TESTS / "config" / "configs").glob("*/*.yaml"))),
    (_TESTS.parent / "config.example.yaml").read_bytes()[:16_000],
    (
        b"targets: [{name: p, store: s3, buckets: [b], credentials: {access_key_id: a,"
        b" secret_access_key: '${PROD_KEY}'}}]\n"
    ),
    (
        b"targets: [{name: o, store: obs, endpoint_url: 'https://o', buckets: [{name: b, prefix: x/,"
        b" stale_after: 1d}]}]\n"
    ),
    (
        b"targets: [{name: g, store: glacier, region: r, vaults: [v], account_id: '-'}]\n"
        b"ages: [1h]\nages_as: gauges\n"
    ),
    (
        b"x-a: &a {interval: 5m}\nscan: {<<: *a, retries: ${N}}\n"
        b"targets: [{name: p, store: s3, discover: {include: [x]}}]\n"
    ),
]
_SCHEMA = json.loads(schema.make_schema())
_KEYS = {key for section in _SCHEMA["$defs"].values() for key in section.get("properties", ())}
WORDS = [
    *(f"{key}: ".encode() for key in sorted(_KEYS | _SCHEMA["properties"].keys())),
    *(
        b"${PROD_KEY}",
        b"${N}",
        b"${UNSET:-x}",
        b"${EMPTY}",
        b"$${",
        b"${",
        b"<<: *a",
        b"&a ",
        b"*a",
        b"!!int ",
        b"!!str ",
    ),
    *(
        b"null",
        b"true",
        b".inf",
        b".nan",
        b"1e3",
        b"4e-05",
        b"0x1F",
        b"0o7",
        b"010",
        b"1_000",
        b"12:30",
        b"2026-01-01",
    ),
    *(
        b"90s",
        b"1h30m",
        b"7d",
        b"s3",
        b"obs",
        b"glacier",
        b"- ",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\n  ",
        b"\n    ",
        b"|\n",
        b">-\n",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\t",
        b"---\n",
        b"...\n",
        b"'",
        b'"',
        b"\\ud800",
        b"\\0",
        b"# ",
    ),
]
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-config-"))
_FILE, _AGAIN = _FOLDER / "config.yaml", _FOLDER / "again.yaml"
os.chdir(_FOLDER)
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)


class _Dumper(yaml.SafeDumper):
    """Writes data so that it is read as the same data; a number with an exponent stays unquoted."""


_Dumper.add_representer(
    NumberText, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text))
)


def check(data: bytes) -> None:
    """Read one file."""
    _FILE.write_bytes(data)
    try:
        settings = load(_FILE, ENVIRON)
    except ConfigError as error:
        _check_problems(error)
    else:
        _check_settings(settings)
        _check_again(settings)


def _check_problems(error: ConfigError) -> None:
    assert error.problems
    assert len(set(error.problems)) == len(error.problems)
    for problem in error.problems:
        assert problem.startswith(f"{_FILE}:")
        check_line(problem)
        assert _SECRET not in problem, "a secret is told"


def _check_settings(settings: Settings) -> None:
    """What is accepted can be watched; and no secret is in what a log could show of it."""
    targets = settings.targets
    assert targets
    assert len({each.name for each in targets}) == len(targets)
    assert load(_FILE, ENVIRON) == settings
    for target in targets:
        assert target.name
        assert bool(target.buckets) != bool(target.discover)
        assert len({each.name for each in target.buckets}) == len(target.buckets)
        assert all(each.name and each.stale_after > 0 for each in target.buckets)
        scan = target.scan
        assert 0 < scan.interval < 10**12
        assert 0 < scan.request_timeout < 10**12
        assert 1 <= (scan.page_size or 1) <= (50 if target.store is StoreKind.GLACIER else 1000)
        if target.credentials and target.credentials.secret_access_key:
            secret = target.credentials.secret_access_key
            assert _SECRET not in repr(secret)
    assert list(settings.ages) == sorted(set(settings.ages))
    repr(settings).encode()


def _check_again(settings: Settings) -> None:
    """The data of the file, written in another way, are the same settings; and the schema takes them."""
    data = read_document(_FILE, ENVIRON).data
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=True).replace("${", "$${")
    _AGAIN.write_text(text)
    assert load(_AGAIN, {}) == settings
    errors = [error.json_path for error in _VALIDATOR.iter_errors(_plain(data))]
    assert not errors, f"the schema refuses {errors}"


def _plain(data: object) -> object:
    """Return data with the numbers that YAML 1.2 reads, as editors do."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return list(map(_plain, data))
    return float(data) if isinstance(data, NumberText) else data
