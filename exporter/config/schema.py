"""The config file's JSON Schema, made of the models; schema.json is its committed text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from exporter.config.models import File

SCHEMA_FILE = Path(__file__).with_name("schema.json")
_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "Text with environment variables: ${NAME}."}
_NARROW_TYPES = {"integer", "number", "boolean"}
_NARROW_KEYS = {"enum", "const", "pattern"}


def make_schema() -> str:
    """Return the text of schema.json."""
    schema = _admit_variables(File.model_json_schema())
    schema["$defs"]["Variable"] = _VARIABLE
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mpu-exporter config"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def _admit_variables(schema: dict[str, Any]) -> dict[str, Any]:
    """Let `${NAME}` stand wherever a schema wants more than any text, and drop titles that repeat keys."""
    schema = {key: _walk(value) for key, value in schema.items() if key != "title"}
    if "anyOf" in schema:
        schema["anyOf"] = [choice for part in schema["anyOf"] for choice in _list_choices(part)]
    elif schema.keys() & _NARROW_KEYS or schema.get("type") in _NARROW_TYPES:
        about: dict[str, Any] = {key: schema.pop(key) for key in ("default", "description") if key in schema}
        return about | {"anyOf": [schema, {"$ref": "#/$defs/Variable"}]}
    return schema


def _walk(value: object) -> object:
    if isinstance(value, dict):
        return _admit_variables(value)
    return [_walk(item) for item in value] if isinstance(value, list) else value


def _list_choices(schema: dict[str, Any]) -> list[Any]:
    return list(schema["anyOf"]) if schema.keys() == {"anyOf"} else [schema]
