"""The tables of values in the chart's README, written from the comments of values.yaml.

The comments are those of @bitnami/readme-generator-for-helm:

    ## @section TITLE                      a table of its own
    ## @descriptionStart … @descriptionEnd what stands above that table
    ## @param KEY [MODIFIERS] MEANING      a row
    ## @skip KEY                           no row, for it and what is below

Of the modifiers, `object` and `array` show a value whole rather than key by key, `default: TEXT` shows the
text instead of the value, and `nullable` says that the value may be null.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

LINE = re.compile(r"^\s*##\s?(?:@(\w+)\s*)?(.*)$")
PARAM = re.compile(r"^(\S+)\s+(?:\[(.*?)\]\s+)?(.*)$")


@dataclass
class Row:
    """One value: its key, what it means, and how it is shown."""

    key: str
    meaning: str
    whole: bool = False
    default: str | None = None


@dataclass
class Section:
    """A table and what stands above it."""

    title: str
    text: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass
class Comments:
    """What the comments of a values.yaml say."""

    sections: list[Section] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        return [row for section in self.sections for row in section.rows]


def read_comments(text: str) -> Comments:
    comments, describing = Comments(), False
    for found in filter(None, map(LINE.match, text.splitlines())):
        tag, rest = found[1], found[2].strip()
        if tag == "section":
            comments.sections.append(Section(rest))
        elif tag == "skip":
            comments.skipped.append(rest.split()[0])
        elif tag == "param":
            comments.sections[-1].rows.append(read_row(rest))
        elif tag in {"descriptionStart", "descriptionEnd"}:
            describing = tag == "descriptionStart"
        elif describing:
            comments.sections[-1].text.append(rest)
    return comments


def read_row(text: str) -> Row:
    found = PARAM.match(text)
    assert found, f"no meaning: {text}"
    row = Row(found[1], found[3])
    for modifier in filter(None, (found[2] or "").split(",")):
        name, _, value = modifier.strip().partition(": ")
        assert name in {"object", "array", "nullable", "default"}, f"{row.key}: unknown modifier {name}"
        row.whole |= name in {"object", "array", "default"}
        row.default = value or row.default
    return row


def leaves(values: Any, path: str = "") -> dict[str, Any]:
    """Return the values where maps end, by their keys."""
    if not isinstance(values, dict) or not values:
        return {path: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= leaves(value, f"{path}.{key}" if path else key)
    return found


def look_up(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def find_gaps(comments: Comments, values: dict[str, Any]) -> list[str]:
    """Return the keys of values without a row, of rows without a value, and of rows that are there twice."""
    keys = [row.key for row in comments.rows]
    whole = (*(row.key for row in comments.rows if row.whole), *comments.skipped)
    wanted = {k for k in leaves(values) if not any(k == w or k.startswith(f"{w}.") for w in whole)}
    wanted |= {row.key for row in comments.rows if row.whole}
    return sorted(wanted ^ set(keys)) + sorted({key for key in keys if keys.count(key) > 1})


def show(value: Any) -> str:
    """Return a value as a line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(show, value)) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z/.:-][\w/.:-]*|\d+\w*[A-Za-z]", value)
    return value if plain else json.dumps(value)


def write_tables(comments: Comments, values: dict[str, Any]) -> str:
    """Return the sections as Markdown."""
    blocks = []
    for section in comments.sections:
        rows = [
            f"| `{row.key}` | {row.default or f'`{show(look_up(values, row.key))}`'} | {row.meaning} |"
            for row in section.rows
        ]
        above = [f"### {section.title}", "", *section.text, *([""] if section.text else [])]
        blocks.append("\n".join([*above, "| value | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(blocks) + "\n"
