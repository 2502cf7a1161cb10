"""Where a bucket's listing can be cut into segments that are listed side by side."""

from __future__ import annotations

from typing import NamedTuple


class Boundaries(NamedTuple):
    """Keys at about equal distances, in the order in which the last complete listing had them.

    `endings` are what may stand behind each key where keys are compared: see `pagination.key_order`; none
    where the listing was in no known order. `pages` is the number of full pages that the uploads make.
    """

    keys: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    pages: int = 0
