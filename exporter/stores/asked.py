"""What a refused request was about: it stands in what is said of the refusal."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """The bucket that a request was about, and the endpoint_url it was sent to, both as configured."""

    bucket: str = ""
    endpoint_url: str | None = None
