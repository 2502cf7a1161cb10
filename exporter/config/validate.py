"""Plain data in, a validated file out; pydantic's errors become problems in the words of this project."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeVar, get_args

from pydantic import ValidationError

from exporter.config.document import INVALID
from exporter.config.field_types import Section
from exporter.config.models import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from exporter.config.document import Document
    from exporter.config.problems import KeyPath

Model = TypeVar("Model", bound=Section)

_EXPECTED = {
    "finite_number": "a finite number",
    "float_type": "a number, without quotes",
    "string_type": "text: put quotes around it",
    "int_type": "a whole number, without quotes",
    "bool_type": "true or false, without quotes",
    "list_type": "a list: begin each entry with -, or write [a, b]",
    "dict_type": "a mapping: write key: value, or remove it",
    "model_type": "a mapping: write key: value, or remove it",
}


def validate(document: Document, model: type[Model]) -> Model | None:
    """Return the validated file, or note every fault in `document` and put INVALID where it is."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=False):
            _note(document, details, model)
        return None


def list_sections(
    model: type[Section] = File, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, type[Section]]]:
    """Yield every section of the config with its path, list positions left out: `targets.scan`."""
    yield ".".join(path), model
    for name, field in model.model_fields.items():
        for section in _find_sections(field.annotation):
            yield from list_sections(section, (*path, name))


def _find_sections(annotation: object) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in _find_sections(part)]


def _note(document: Document, details: ErrorDetails, model: type[Section]) -> None:
    where, value = _find(document.data, details["loc"])
    if value is INVALID:
        return
    if not where:
        document.add(where, f"the file must be a mapping with the keys {', '.join(model.model_fields)}")
    elif details["type"] == "extra_forbidden":
        _note_unknown(document, where, model)
    elif details["type"] == "missing":
        document.add(where, f"is required: {_describe_missing(where, model)}")
    else:
        document.add(where, _describe(details, value))
    _mark_invalid(document, where)


def _find(data: object, location: KeyPath) -> tuple[KeyPath, object]:
    """Return the path in the file for pydantic's location, and the value there.

    They differ where a text is written for a mapping, and at the keys of `labels`.
    """
    for depth, step in enumerate(location):
        if isinstance(data, list) and isinstance(step, int):
            data = data[step]
        elif not isinstance(data, dict) or step == "[key]":
            return location[:depth], data
        else:
            data = data.get(step)
    return location, data


def _mark_invalid(document: Document, where: KeyPath) -> None:
    """Put INVALID at a path, even of a missing key, so that no other check reports the value again."""
    holder = _find(document.data, where[:-1])[1]
    if where and isinstance(holder, list | dict):
        holder[where[-1]] = INVALID  # type: ignore[index]  # _find came this way
    else:
        document.data = INVALID


def _describe(details: ErrorDetails, value: object) -> str:
    """Return the text of a fault, without the value: it may be a secret."""
    kind, context = details["type"], details.get("ctx", {})
    if kind == "string_type" and (value is None or isinstance(value, list | dict)):
        return "must be text: one value, not nothing, a list or a mapping"
    texts = {
        "literal_error": f"must be {context.get('expected')}",
        "greater_than_equal": f"must be at least {context.get('ge', 0):g}",
        "less_than_equal": f"must be at most {context.get('le', 0):g}",
        "too_short": "needs at least one entry",
        "too_long": f"must have at most {context.get('max_length')} entries",
        "value_error": str(context.get("error")),
    }
    return texts.get(kind) or f"must be {_EXPECTED.get(kind, 'something else')}"


def _note_unknown(document: Document, where: KeyPath, model: type[Section]) -> None:
    sections = dict(list_sections(model))
    known = list(sections[_section_path(where)].model_fields)
    key, line = str(where[-1]), document.line(where)
    homes = [path or "the top level" for path, section in sections.items() if key in section.model_fields]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    text = f"unknown key: remove it, or use one of {', '.join(known)}"
    if homes:
        text = f"unknown key here: it belongs under {' or '.join(homes)}"
    elif near:
        text = f"unknown key: did you mean {near[0]}?"
    elif "credentials" in where:
        where = where[:-1]  # {access_key_id, abc} makes keys of what was meant as a value
    document.add(where, text, line)


def _describe_missing(where: KeyPath, model: type[Section]) -> str:
    field = dict(list_sections(model))[_section_path(where)].model_fields[str(where[-1])]
    return str(field.description)


def _section_path(where: KeyPath) -> str:
    return ".".join(step for step in where[:-1] if isinstance(step, str))
