"""Templates in, HTML out: every value that a template prints is put on one line and escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.text.quoting import one_line

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, **values: object) -> str:
    """Return a template of this folder, filled. Raises jinja2.UndefinedError where a value is missing."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    from jinja2 import (  # noqa: PLC0415 - an exporter whose pages nobody opens does without it
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _make_visible(value: object) -> object:
    r"""Return text on one line, `\n` or `\u202e` for what nobody could see; what is escaped already stays."""
    return one_line(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
