"""A query string in, checked values out, and links that differ in some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.model.top_uploads import ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.top_uploads import Order
    from exporter.web.rows import Row

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
"""How many uploads are shown where nobody said, and at most."""
_LONGEST_NUMBER = 9


class QueryError(Exception):
    """A value that cannot be used; the text is for people."""


@dataclass(frozen=True, slots=True)
class Query:
    """The values of a query string, of each name the last."""

    values: Mapping[str, str]

    @staticmethod
    def parse(query_string: bytes) -> Query:
        """Read what came after the `?`."""
        text = query_string.decode("ascii", "replace")
        try:
            return Query(dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=50)))
        except ValueError:  # more than so many fields
            return Query({})

    def text(self, name: str) -> str:
        """Return a value, '' where there is none."""
        return self.values.get(name, "")

    def only(self, *known: str) -> None:
        """Raise QueryError where there are other names: a program that mistypes one has to hear of it."""
        if unknown := sorted(self.values.keys() - set(known)):
            there = ", ".join(known) if known else "none"
            raise QueryError(f"no such parameter: {unknown[0]!a}; there are: {there}")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of the choices. Raises QueryError for anything else."""
        value = self.text(name) or default
        if value not in choices:
            raise QueryError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}")
        return value

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1 to `most`. Raises QueryError for anything else."""
        value = self.text(name) or str(default)
        sound = value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER
        if not sound or not 1 <= int(value) <= most:
            raise QueryError(f"{name} must be a whole number from 1 to {most}")
        return int(value)

    def link(self, path: str, **changes: str) -> str:
        """Return a link to this query with other values; '' leaves one out."""
        values = {name: value for name, value in {**self.values, **changes}.items() if value}
        return f"{path}?{urlencode(values, errors='replace')}" if values else path


def wishes(query: Query, *, lenient: bool = False) -> tuple[Order, int]:
    """Return order and number of uploads. Raises QueryError, unless `lenient`."""
    try:
        order = query.choice("sort", ORDERS, "age")
        return next(each for each in ORDERS if each == order), query.number("limit", DEFAULT_LIMIT, MAX_LIMIT)
    except QueryError:
        if not lenient:
            raise
        return "age", DEFAULT_LIMIT


def choose(rows: Sequence[Row], query: Query) -> list[Row]:
    """Return the buckets that are meant."""
    target, bucket = query.text("target"), query.text("bucket")
    return [row for row in rows if target in {"", row.entry.target} and bucket in {"", row.entry.bucket}]
