"""The tables in the chart's README are those of values.yaml. `REWRITE_EXPECTED=1` writes them anew."""

from __future__ import annotations

import os

import pytest
import yaml
from charts import CHART
from values_table import Row, find_gaps, read_comments, read_row, show, write_tables

TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)


def test_the_readme_has_a_row_for_every_value():
    file = CHART / "README.md"
    readme = file.read_text()
    before, heading, rest = readme.partition("\n## Values\n\n")
    _, nextheading, after = rest.partition("\n## ")
    expected = before + heading + write_tables(read_comments(TEXT), VALUES) + nextheading + after
    if os.environ.get("REWRITE_EXPECTED"):
        file.write_text(expected)
    assert expected == file.read_text()


def test_every_value_has_a_meaning_and_every_meaning_a_value():
    assert find_gaps(read_comments(TEXT), VALUES) == []
    assert [row.key for row in read_comments(TEXT).rows if not row.meaning] == []


@pytest.mark.parametrize(
    ("comments", "gaps"),
    [
        ("## @param a A\n## @param b.c C\n## @param b.d D", []),
        ("## @param a A\n## @param b [object] B", []),
        ("## @param a A\n## @skip b", []),
        ("## @param a A\n## @param b.c C", ["b.d"]),
        ("## @param a A\n## @skip b\n## @param e E", ["e"]),
        ("## @param a A\n## @param a A\n## @skip b", ["a"]),
    ],
)
def test_gaps_are_found(comments: str, gaps: list[str]):
    assert find_gaps(read_comments(f"## @section S\n{comments}"), {"a": 1, "b": {"c": 2, "d": 3}}) == gaps


def test_modifiers_are_read():
    assert read_row("a.b [nullable] What it is") == Row("a.b", "What it is")
    assert read_row("a [object] What") == Row("a", "What", whole=True)
    assert read_row("a [default: an example] What") == Row("a", "What", whole=True, default="an example")
    with pytest.raises(AssertionError, match="a: unknown modifier objekt"):
        read_row("a [objekt] What")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", '""'),
        ("/-/ready", "/-/ready"),
        ("30m", "30m"),
        ("1", '"1"'),
        (None, "null"),
        (True, "true"),
        ({"a": [1, "b c"], "d": {}}, '{a: [1, "b c"], d: {}}'),
    ],
)
def test_values_are_shown_as_yaml(value: object, shown: str):
    assert show(value) == shown
    assert yaml.safe_load(shown) == value


def test_a_table_has_a_row_per_value():
    text = "## @section S\n## @descriptionStart\n## About.\n## @descriptionEnd\n## @param a What\n"
    assert write_tables(read_comments(text), {"a": []}) == (
        "### S\n\nAbout.\n\n| value | default | meaning |\n|---|---|---|\n| `a` | `[]` | What |\n"
    )
