"""The config file's JSON Schema, made of its shape; schema.json is its committed text."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.config.field_types import Leaf
from exporter.config.key_definition import REQUIRED
from exporter.config.settings import Settings
from exporter.config.shapes import ListOf, MappingOf, list_sections, make_section

if TYPE_CHECKING:
    from exporter.config.shapes import Section, SectionKey, Shape

SCHEMA_FILE = Path(__file__).with_name("schema.json")
_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "Text with environment variables: ${NAME}."}
_NARROW_TYPES = {"integer", "number", "boolean"}
_NARROW_KEYS = {"enum", "const", "pattern"}


def make_schema() -> str:
    """Return the text of schema.json."""
    top = make_section(Settings)
    sections = {section.name: section for _, section in list_sections(top) if section is not top}
    definitions = {name: _describe_section(sections[name]) for name in sorted(sections)}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mpu-exporter config",
        "$defs": {**definitions, "Variable": _VARIABLE},
        **_describe_section(top),
    }
    schema["patternProperties"] = {"^x-": {}}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _describe_section(section: Section) -> dict[str, Any]:
    required = [name for name, known in section.keys.items() if known.required]
    return {
        "additionalProperties": _describe(section.others) if section.others else False,
        "description": section.settings_class.__doc__,
        "properties": {name: _describe_key(known) for name, known in section.keys.items()},
        **({"required": required} if required else {}),
        "type": "object",
    }


def _describe_key(known: SectionKey) -> dict[str, Any]:
    about: dict[str, Any] = {"description": known.key.full_description}
    if not (known.key.default is REQUIRED or is_dataclass(known.key.default)):
        about["default"] = known.key.default
    schema = _describe(known.shape)
    if known.nullable:
        schema = {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
    return dict(sorted((about | schema).items()))


def _describe(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, Leaf):
        return _describe_leaf(shape)
    if isinstance(shape, ListOf):
        bounds = {"maxItems": shape.most, "minItems": shape.least}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"items": _describe(shape.item), **given, "type": "array"}
    if isinstance(shape, MappingOf):
        entries = {shape.key.schema["pattern"]: _describe(shape.value)}
        return {"additionalProperties": False, "patternProperties": entries, "type": "object"}
    section = {"$ref": f"#/$defs/{shape.name}"}
    return {"anyOf": [{"type": "string"}, section]} if shape.bare else section


def _describe_leaf(leaf: Leaf) -> dict[str, Any]:
    """Let `${NAME}` stand wherever a schema wants more than any text."""
    schema = dict(sorted(leaf.schema.items()))
    if schema.keys() & _NARROW_KEYS or schema["type"] in _NARROW_TYPES:
        return {"anyOf": [schema, {"$ref": "#/$defs/Variable"}]}
    return schema
