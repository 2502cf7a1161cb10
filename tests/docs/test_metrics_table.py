"""The table in docs/metrics.md is made of the definitions in the code; `REWRITE_EXPECTED=1` writes it."""

from __future__ import annotations

import os
import re

import pytest
from docs.documents import ROOT
from prometheus_client import generate_latest
from servers.promtool import promtool_check_metrics
from unit.example_board import full_registry

from exporter.metrics.definition import Definition, Kind
from exporter.metrics.reference import DEFINITIONS

START, END = "<!-- generated: metrics -->\n", "<!-- end -->\n"
FILE = ROOT / "docs/metrics.md"
CODE = re.compile(r"\b(?:[a-z]+(?:[._][a-z]+)+|[a-z]+: true|[a-z]+\(\))")
"""Names of metrics, labels and keys in a HELP text, which has no markup."""


def row(definition: Definition) -> str:
    labels = [*definition.labels, "le"] if definition.kind is Kind.GAUGE_HISTOGRAM else definition.labels
    text = CODE.sub(lambda found: f"`{found[0]}`", definition.text)
    more = f" [More]({definition.see})" if definition.see else ""
    names = ", ".join(f"`{label}`" for label in labels)
    return f"| `{definition.name}` | {definition.kind} | {names} | {text}{more} |\n"


def test_the_table_is_that_of_the_definitions():
    text = FILE.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    head = "| name | type | labels | meaning |\n|---|---|---|---|\n"
    expected = "".join((before, start, head, *map(row, DEFINITIONS), end, after))
    if os.environ.get("REWRITE_EXPECTED"):
        FILE.write_text(expected, encoding="utf-8")
    assert expected == FILE.read_text(encoding="utf-8")


@pytest.mark.server
def test_promtool_finds_nothing_in_any_metric():
    lines = generate_latest(full_registry()).decode().splitlines(keepends=True)
    ours = [line for line in lines if " mpu_" in line or line.startswith("mpu_")]
    assert promtool_check_metrics("".join(ours)) == ""
