"""The chart's values.schema.json holds the config's schema, so that `helm install` checks `config` by it.

`REWRITE_EXPECTED=1` writes it anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from values_schema import make_definitions, write_definitions

FILE = Path(__file__).parents[2] / "helm" / "mpu-exporter" / "values.schema.json"


def test_the_chart_has_the_schema_of_the_config():
    if os.environ.get("REWRITE_EXPECTED"):
        FILE.write_text(write_definitions(FILE.read_text()))
    definitions = json.loads(FILE.read_text())["definitions"]
    assert make_definitions() == {name: definitions[name] for name in definitions if name[0].isupper()}


def test_what_is_written_by_hand_stays():
    text = FILE.read_text()
    kept = {key: part for key, part in json.loads(text).items() if key != "definitions"}
    written = json.loads(write_definitions(text.replace('"Bucket"', '"Pail"')))
    assert kept == {key: part for key, part in written.items() if key != "definitions"}
    assert json.loads(text)["definitions"] == written["definitions"]
