"""config.example.yaml: loads, passes the schema, and shows every key with its default and description.

With REWRITE_EXPECTED=1 in the environment, keys that are not shown are added and all comments written anew.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from dataclasses import is_dataclass
from pathlib import Path

import yaml
from servers import need_package

from exporter.config.key_definition import REQUIRED
from exporter.config.load import load
from exporter.config.schema import SCHEMA_FILE
from exporter.config.settings import Settings, StoreKind
from exporter.config.shapes import Leaf, list_sections, make_section

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ENVIRON = {
    "CEPH_ACCESS_KEY_ID": "key",
    "CEPH_SECRET_ACCESS_KEY": "secret",
    "OBS_ACCESS_KEY_ID": "key",
    "OBS_SECRET_ACCESS_KEY": "secret",
}


COLUMN, WIDTH = 36, 120
LINE = re.compile(r"(?P<head> *(?:- )?)(?P<key>\w+):(?P<value>.*?)(?: +# .*)?")
HIDDEN = re.compile(r"targets\.scan\..*|targets\.vaults\.prefix")
"""Keys that are shown at the top, or refused."""


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


def list_defined():
    """Yield the path, the key and the shape of every key that the example has to show."""
    for path, section in list_sections(make_section(Settings)):
        for name, known in section.keys.items():
            where = f"{path}.{name}".removeprefix(".")
            if not HIDDEN.fullmatch(where):
                yield where, known.key, known.shape


def describe(key, shape):
    """Return the comment of a key: its description, choices that this does not name, bounds and stores."""
    choices = shape.schema.get("enum", []) if isinstance(shape, Leaf) else []
    if all(re.search(rf"\b{choice}\b", key.description) for choice in choices):
        choices = []
    bounds = [f"{key.bounds[name]:g}" for name in ("ge", "le") if "le" in key.bounds]
    stores = [f"{key.store_names} only"] if key.stores else []
    limits = [" | ".join(choices), " to ".join(bounds), *stores]
    return " ".join([key.description, *(f"{unbroken(text)}." for text in limits if text)])


def unbroken(text):
    """Return a text that is not wrapped; only ASCII space is."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def locate(lines):
    """Return the first line that shows a key, by its path."""
    found, parents = {}, []
    for number, line in enumerate(lines):
        if shown := LINE.fullmatch(line):
            column = len(shown["head"])
            parents = [parent for parent in parents if parent[0] < column] + [(column, shown["key"])]
            found.setdefault(".".join(key for _, key in parents), number)
    return found


def add_missing(lines):
    """Return the lines with every key that is not shown, after the key before it."""
    before, shown = "", read_shown("\n".join(lines))
    for path, key, _ in list_defined():
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


def write_comments(lines):
    """Return the lines with a comment at the first of each key."""
    comments = {path: describe(key, shape) for path, key, shape in list_defined()}
    lines = [line for line in lines if not line.startswith(" " * COLUMN + "# ")]
    described = {number: comments[path] for path, number in locate(lines).items() if path in comments}
    for number, line in enumerate(lines):
        if number not in described:
            yield line
            continue
        shown = LINE.fullmatch(line)
        wrapped = textwrap.wrap(described[number], WIDTH - COLUMN - 2)
        first, *more = (text.replace("\N{NO-BREAK SPACE}", " ") for text in wrapped)
        yield f"{shown['head']}{shown['key']}:{shown['value']}".ljust(COLUMN - 2) + f"  # {first}"
        yield from (f"{'':{COLUMN}}# {text}" for text in more)


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


def test_shows_no_other_key():
    places = ("targets.labels.", "targets.price_per_gib_month.STANDARD", "targets.price_per_gib_month.WARM")
    shown = {path for path in read_shown(EXAMPLE.read_text()) if not path.startswith(places)}
    assert {path for path in shown if not HIDDEN.fullmatch(path)} == {path for path, *_ in list_defined()}


def test_shows_every_default():
    shown = read_shown(EXAMPLE.read_text())
    for path, key, _ in list_defined():
        if key.default is REQUIRED or is_dataclass(key.default) or path.startswith("targets.vaults."):
            continue
        assert key.default in shown[path], path
