"""What a refused request was about: what is said of the refusal depends on it."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """The bucket that a request was about, and the endpoint_url it was sent to, both as configured.

    `key` is the upload's, '' for requests about the bucket; no message shows it.
    """

    bucket: str = ""
    endpoint_url: str | None = None
    key: str = ""
