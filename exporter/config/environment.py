"""Environment variables in texts: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(
    r"""
    (?P<literal>\$\$\{)
    | \$\{ (?P<name>[A-Za-z_][A-Za-z0-9_]{0,254}) (?: :- (?P<default>(?: (?!\$\{)[^}] )*) )? \}
    | \$\{
    """,
    re.VERBOSE,
)


def substitute(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return `text` with its variables replaced, and an error for each that could not be.

    A default stands in for a variable that is unset or empty, as in a shell. Neither values nor defaults are
    substituted again. The errors show variable names and nothing else of the text: it may be a secret.
    """
    errors: list[str] = []

    def replace(token: re.Match[str]) -> str:
        name, default = token["name"], token["default"]
        if token["literal"]:
            return "${"
        if name is None:
            errors.append(_malformed(token.start()))
            return ""
        if name not in environ and default is None:
            errors.append(
                f"the environment variable {name} is not set: set it, or write ${{{name}:-default}}"
            )
        return environ.get(name, "") or default or ""

    return _TOKEN.sub(replace, text), errors


def _malformed(position: int) -> str:
    return (
        f"the ${{ at character {position + 1} of this value begins no variable: "
        "write ${NAME} or ${NAME:-default} (no variable inside a default), or $${ for a literal ${"
    )
