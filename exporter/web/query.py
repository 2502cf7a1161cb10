"""Query strings: parsed, checked, and written as links with some values changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_FIELDS = 50
_MAX_DIGITS = 9


class QueryError(Exception):
    """An invalid value or parameter name; the text is for people."""


@dataclass(frozen=True, slots=True)
class Query:
    """The values of a query string; of a repeated name, the last.

    `fields` are all of them in their order, None where there are too many, which count as none.
    """

    values: Mapping[str, str]
    fields: Sequence[tuple[str, str]] | None = ()

    @staticmethod
    def parse(query_string: bytes) -> Query:
        """Parse the bytes after the `?`; a string with too many fields counts as empty."""
        text = query_string.decode("ascii", "replace")
        try:
            fields = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS)
        except ValueError:  # too many fields
            return Query({}, None)
        return Query(dict(fields), fields)

    def text(self, name: str) -> str:
        """Return a value, '' where there is none."""
        return self.values.get(name, "")

    def texts(self, name: str) -> list[str]:
        """Return all values of a name that may be repeated."""
        return [value for each, value in self.fields or () if each == name]

    def only(self, *known: str) -> None:
        """Raise QueryError for names other than these, so that a mistyped name does not go unnoticed."""
        if self.fields is None:
            raise QueryError(f"too many parameters: at most {_MAX_FIELDS} are read")
        if unknown := sorted(self.values.keys() - set(known)):
            there = ", ".join(known) if known else "none"
            raise QueryError(f"no such parameter: {unknown[0]!a}; there are: {there}")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of the choices. Raises QueryError for anything else."""
        value = self.text(name) or default
        if value not in choices:
            raise QueryError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}")
        return value

    def number(self, name: str, default: int, maximum: int) -> int:
        """Return a whole number from 1 to `maximum`. Raises QueryError for anything else."""
        value = self.text(name) or str(default)
        is_number = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        if not is_number or not 1 <= int(value) <= maximum:
            raise QueryError(f"{name} must be a whole number from 1 to {maximum}")
        return int(value)

    def link(self, path: str, **changes: str) -> str:
        """Return a link to `path` with this query and the changed values; '' removes a name."""
        values = {name: value for name, value in {**self.values, **changes}.items() if value}
        return f"{path}?{urlencode(values, errors='replace')}" if values else path
