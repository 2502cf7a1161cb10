"""config.example.yaml: loads, passes the schema, and shows every key with its default."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from servers import need_package

from exporter.config.load import load
from exporter.config.schema import SCHEMA_FILE
from exporter.config.settings import StoreKind
from exporter.config.validate import list_sections

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ENVIRON = {
    "CEPH_ACCESS_KEY_ID": "key",
    "CEPH_SECRET_ACCESS_KEY": "secret",
    "OBS_ACCESS_KEY_ID": "key",
    "OBS_SECRET_ACCESS_KEY": "secret",
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


def read_shown():
    shown = {}
    for path, value in list_shown(yaml.safe_load(EXAMPLE.read_text())):
        shown.setdefault(path, []).append(value)
    return shown


def list_fields():
    for path, section in list_sections():
        for key, field in section.model_fields.items():
            where = f"{path}.{key}".removeprefix(".")
            if path != "targets.scan" and where != "targets.vaults.prefix":  # shown at the top; refused
                yield where, field


def test_loads():
    settings = load(EXAMPLE, ENVIRON)
    assert set(StoreKind) == {target.store for target in settings.targets}


def test_names_every_variable_it_needs():
    assert set(ENVIRON) == set(re.findall(r"^[^#\n]*\$\{(\w+)\}", EXAMPLE.read_text(), re.MULTILINE))


def test_passes_the_schema():
    jsonschema = need_package("jsonschema")
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), json.loads(SCHEMA_FILE.read_text()))


def test_shows_every_key():
    places = ("targets.labels.", "targets.price_per_gib_month.STANDARD", "targets.price_per_gib_month.WARM")
    free = {path for path in read_shown() if path.startswith(places)}
    again = {path for path in read_shown() if path.startswith("targets.scan.")}
    assert {path for path, _ in list_fields()} == set(read_shown()) - again - free


def test_shows_every_default():
    shown = read_shown()
    for path, field in list_fields():
        if field.is_required() or field.default_factory or path.startswith("targets.vaults."):
            continue
        assert field.default in shown[path], path
