"""config.example.yaml: loads, passes the schema, and shows every key with its default and description.

With REWRITE_EXPECTED=1 in the environment, keys that are not shown are added and all comments written anew,
and the package's copy is made of it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest
import yaml
from servers import need_package

from exporter.config.example import (
    EXAMPLE_FILE,
    HIDDEN,
    LINE,
    list_shown_keys,
    locate,
    make_example,
    write_comments,
)
from exporter.config.key_definition import REQUIRED, list_keys
from exporter.config.load import load
from exporter.config.schema import SCHEMA_FILE
from exporter.config.settings import StoreKind, TargetSettings

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ENVIRON = {
    "CEPH_ACCESS_KEY_ID": "key",
    "CEPH_SECRET_ACCESS_KEY": "secret",
    "OBS_ACCESS_KEY_ID": "key",
    "OBS_SECRET_ACCESS_KEY": "secret",
    "AZURE_STORAGE_CONNECTION_STRING": "AccountName=backups;AccountKey=a2V5",
    "GCS_ACCESS_KEY_ID": "key",
    "GCS_SECRET_ACCESS_KEY": "secret",
}


def list_shown(data: object, path: str = ""):
    """Yield the path and value of every key of the example, list positions left out."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield f"{path}.{key}".removeprefix("."), value
            yield from list_shown(value, f"{path}.{key}")
    elif isinstance(data, list):
        for item in data:
            yield from list_shown(item, path)


def read_shown(text):
    shown = {}
    for path, value in list_shown(yaml.safe_load(text)):
        shown.setdefault(path, []).append(value)
    return shown


def add_missing(lines):
    """Return the lines with every key that is not shown, after the key before it."""
    before, shown = "", read_shown("\n".join(lines))
    for path, key, _ in list_shown_keys():
        if path not in shown:
            place = locate(lines)[before]
            column = len(LINE.fullmatch(lines[place])["head"])
            while place + 1 < len(lines) and lines[place + 1].startswith(" " * (column + 1)):
                place += 1
            default = yaml.safe_dump(key.default, default_flow_style=True).split("\n")[0]
            lines = [
                *lines[: place + 1],
                f"{'':{column}}{path.split('.')[-1]}: {default}",
                *lines[place + 1 :],
            ]
        before = path
    return lines


def test_loads():
    settings = load(EXAMPLE, ENVIRON)
    assert set(StoreKind) == {target.store for target in settings.targets}


def test_names_every_variable_it_needs():
    assert set(ENVIRON) == set(re.findall(r"^[^#\n]*\$\{(\w+)\}", EXAMPLE.read_text(), re.MULTILINE))


def test_passes_the_schema():
    jsonschema = need_package("jsonschema")
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), json.loads(SCHEMA_FILE.read_text()))


def test_shows_every_key_with_its_comment():
    text = EXAMPLE.read_text()
    expected = "\n".join(write_comments(add_missing(text.splitlines()))) + "\n"
    if os.environ.get("REWRITE_EXPECTED"):
        EXAMPLE.write_text(expected)
    assert EXAMPLE.read_text() == expected


def test_the_package_has_it():
    """It is a copy, made after the test before this one has written its own."""
    if os.environ.get("REWRITE_EXPECTED"):
        EXAMPLE_FILE.write_text(EXAMPLE.read_text())
    assert EXAMPLE_FILE.read_text() == EXAMPLE.read_text()


def test_printed_it_names_the_schema_to_editors():
    first, *rest = make_example().splitlines()
    assert first == "# yaml-language-server: $schema=mpu-exporter.schema.json"
    assert rest[1:] == EXAMPLE.read_text().splitlines()[1:]


@pytest.mark.parametrize("store", StoreKind)
class TestOfOneStore:
    def test_it_has_this_stores_targets_and_keys_and_is_valid(self, store: StoreKind, tmp_path: Path):
        (tmp_path / "config.yaml").write_text(make_example(store))
        targets = load(tmp_path / "config.yaml", ENVIRON).targets
        expected = [target for target in load(EXAMPLE, ENVIRON).targets if target.store == store]
        assert [target.name for target in expected] == [target.name for target in targets]
        others = {
            name for _, name, key in list_keys(TargetSettings) if key.stores and store not in key.stores
        }
        shown = read_shown(make_example(store))
        assert [path for path in shown if path.removeprefix("targets.") in others] == []
        assert shown["scan"] == [yaml.safe_load(EXAMPLE.read_text())["scan"]]

    def test_it_shows_every_key_that_a_target_of_this_store_takes(self, store: StoreKind):
        known = {
            path
            for path, key, _ in list_shown_keys()
            if re.fullmatch(r"targets(\.credentials|\.tls)?\.\w+", path)
            and not (key.stores and store not in key.stores)
        }
        assert known - set(read_shown(make_example(store))) == set()

    def test_the_first_of_each_key_has_a_comment(self, store: StoreKind):
        lines = make_example(store).splitlines()
        named = {path for path, *_ in list_shown_keys()}
        bare = [path for path, number in locate(lines).items() if path in named and "#" not in lines[number]]
        assert bare == []
        assert max(map(len, lines)) <= 120


def test_shows_no_other_key():
    places = ("targets.labels.", "targets.price_per_gib_month.STANDARD", "targets.price_per_gib_month.WARM")
    shown = {path for path in read_shown(EXAMPLE.read_text()) if not path.startswith(places)}
    assert {path for path in shown if not HIDDEN.fullmatch(path)} == {path for path, *_ in list_shown_keys()}


def test_shows_every_default():
    shown = read_shown(EXAMPLE.read_text())
    for path, key, _ in list_shown_keys():
        if key.default is REQUIRED or is_dataclass(key.default) or path.startswith("targets.vaults."):
            continue
        assert key.default in shown[path], path
