"""The exporter's own JSON Schema of its config, as values.schema.json holds it: Helm reads no other file."""

from __future__ import annotations

import json
import re
from typing import Any

from exporter.config.schema import make_schema

WIDTH = 140
OURS = re.compile(r'    "Config": \{\n.*?\n(?=  \},\n)', re.DOTALL)
"""The lines of values.schema.json that are generated: the last ones of its definitions."""


def make_definitions() -> dict[str, Any]:
    """Return the sections of the config, `Config` the whole of it.

    Whether there are targets is left to the templates, which know whether this config is used at all.
    """
    schema = json.loads(make_schema())
    sections = schema.pop("$defs")
    unused = {"$schema", "title", "required"}
    whole = {key: value for key, value in schema.items() if key not in unused}
    return {name: _translate(section) for name, section in {"Config": whole, **sections}.items()}


def write_definitions(text: str) -> str:
    """Return the text of values.schema.json with the exporter's schema as it is now."""
    lines = [f"    {json.dumps(name)}: {_show(section, 4)}" for name, section in make_definitions().items()]
    written, count = OURS.subn(lambda _: ",\n".join(lines) + "\n", text)
    assert count == 1, "values.schema.json has no place for the exporter's schema"
    return written


def _translate(schema: Any) -> Any:
    """Return a schema for Helm: draft 7, and patterns by Go, which repeats a thing at most 1,000 times.

    Go knows not all regular expressions of Python, so that these are not judged.
    """
    if isinstance(schema, list):
        return [_translate(item) for item in schema]
    if isinstance(schema, str):
        return re.sub(r"\{(\d+),\d{4,}\}", r"{\1,}", schema.replace("#/$defs/", "#/definitions/"))
    if isinstance(schema, dict):
        return {key: _translate(item) for key, item in schema.items() if item != "regex" or key != "format"}
    return schema


def _show(value: Any, indent: int) -> str:
    """Return JSON on one line where it fits, else a line for each part."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or indent + len(line) <= WIDTH:
        return line
    inner = " " * (indent + 2)
    parts = [f"{inner}{json.dumps(key)}: {_show(item, indent + 2)}" for key, item in value.items()]
    return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
