"""A query string in, checked parameters out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_MOST_FIELDS = 20


class QueryError(ValueError):
    """A query that cannot be answered; the text is for people."""


class Query:
    """The parameters of a request; an empty one counts as not given."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        """Read it; raises QueryError for what is not `known` or is given twice."""
        self._values: dict[str, str] = {}
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError as error:
            raise QueryError("too many parameters") from error
        for name, value in pairs:
            if name not in known:
                raise QueryError(f"no such parameter: {name!a}; there are {', '.join(known)}")
            if name in self._values:
                raise QueryError(f"{name}: given twice")
            self._values[name] = value

    @property
    def given(self) -> Mapping[str, str]:
        """What was given and is not empty."""
        return {name: value for name, value in self._values.items() if value}

    def text(self, name: str) -> str:
        """Return a text, '' where it was not given."""
        return self._values.get(name, "")

    def choice(self, name: str, choices: Collection[str], default: str = "") -> str:
        """Return one of the choices; raises QueryError."""
        value = self.text(name) or default
        if value and value not in choices:
            raise QueryError(f"{name}: {value!a} is none of {', '.join(choices)}")
        return value

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1 to `most`; raises QueryError."""
        text = self.text(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):  # noqa: PLR2004
            raise QueryError(f"{name}: {text!a} is no whole number from 1 to {most}")
        return int(text)
