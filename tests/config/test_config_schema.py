"""The shipped JSON Schema: fresh, true to the settings, and patient with variables."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from servers import need_package

from exporter.config import schema
from exporter.config.document import read_document
from exporter.config.settings import Settings
from exporter.config.shapes import list_sections, make_section

jsonschema = need_package("jsonschema")

CONFIGS = Path(__file__).with_name("configs")
SCHEMA = json.loads(schema.make_schema())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ENVIRON = {"ACCOUNT": "123456789012", "BUCKET": "media", "RETRIES": "5"}
TARGET = {"name": "prod", "store": "s3", "buckets": ["media"]}


def find_errors(**keys: object):
    return [error.json_path for error in VALIDATOR.iter_errors({"targets": [TARGET], **keys})]


def test_shipped_file_is_fresh():
    """REWRITE_EXPECTED=1 in the environment writes it anew."""
    if os.environ.get("REWRITE_EXPECTED"):
        schema.SCHEMA_FILE.write_text(schema.make_schema(), encoding="utf-8")
    assert schema.SCHEMA_FILE.read_text(encoding="utf-8") == schema.make_schema()


def test_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_key_has_a_description():
    for _, section in list_sections(make_section(Settings)):
        definition = SCHEMA["$defs"].get(section.name, SCHEMA)
        assert list(section.keys) == [
            key for key, about in definition["properties"].items() if about["description"]
        ]


@pytest.mark.parametrize("path", sorted((CONFIGS / "good").glob("*.yaml")), ids=lambda path: path.stem)
def test_good_files_pass(path: Path):
    VALIDATOR.validate(read_document(path, ENVIRON).data)


def test_variables_pass_everywhere():
    scan = dict.fromkeys(SCHEMA["$defs"]["Scan"]["properties"], "${X}")
    target = {
        "name": "${X}",
        "store": "${X}",
        "addressing_style": "${X}",
        "tls": {"insecure_skip_verify": "${X:-no}"},
    }
    assert (
        find_errors(scan=scan, ages=["${X}"], targets=[{**target, "buckets": ["${X}"], "account_id": "${X}"}])
        == []
    )


def test_top_level_x_keys_pass():
    assert find_errors(**{"x-anything": {"a": [1]}}) == []


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"scann": {}}, "$"),
        ({"ages": [1]}, "$.ages[0]"),
        ({"ages": ["1y"]}, "$.ages[0]"),
        ({"scan": {"workers": 65}}, "$.scan.workers"),
        ({"scan": {"workers": "2"}}, "$.scan.workers"),
        ({"scan": {"interval": 300}}, "$.scan.interval"),
        ({"targets": []}, "$.targets"),
        ({"targets": [{"name": "a"}]}, "$.targets[0]"),
        ({"targets": [{**TARGET, "store": "swift"}]}, "$.targets[0].store"),
        ({"targets": [{**TARGET, "labels": {"a-b": "c"}}]}, "$.targets[0].labels"),
        ({"targets": [{**TARGET, "buckets": [{"name": "a", "interval": "5m"}]}]}, "$.targets[0].buckets"),
        ({"targets": [{**TARGET, "expected_bucket_owner": "me"}]}, "$.targets[0].expected_bucket_owner"),
    ],
)
def test_faults_are_found(keys: dict[str, object], path: str):
    assert [path] == find_errors(**keys)
