"""Query strings and percent-encoding of request URLs, as boto3 writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

QueryArgument = tuple[str, str | int | None]
"""A name, which needs no encoding as the names of the APIs do not, and its value; None: the bare name."""

_UNRESERVED = {"": re.compile("[A-Za-z0-9_.~-]*"), "/": re.compile("[A-Za-z0-9_.~/-]*")}


def percent_encoded(text: str, safe: str = "") -> str:
    """Return the percent-encoded UTF-8 of a text; `safe` ('' or '/') is left as it is.

    Raises UnicodeEncodeError for a text with lone surrogates.
    """
    return text if _UNRESERVED[safe].fullmatch(text) else quote(text, safe=safe)


def query_string(arguments: Iterable[QueryArgument]) -> str:
    """Return the query of these arguments, in their order. Raises UnicodeEncodeError."""
    return "&".join(
        name if value is None else f"{name}={percent_encoded(str(value))}" for name, value in arguments
    )
