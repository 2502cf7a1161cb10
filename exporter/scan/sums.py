"""Sums over uploads as one record: what they add to the tally of any scan, while they stay as they are."""

from __future__ import annotations

from typing import NamedTuple


class Sums(NamedTuple):
    """What some uploads add to a tally; see `exporter.scan.tally`.

    `initiated` is the sum of the initiations that are known, in whole microseconds: it gives the sum of ages
    at any time. `most_parts` is the number of the sized upload that has the most, 0 where none has any.
    `oldest_initiated` and `oldest_activity` are Unix seconds, infinite where none is known.
    `ages` are the uploads of each age group, `age_bytes` the bytes of those that are sized, `classes` the
    bytes of each storage class.
    """

    uploads: int
    undated: int
    sized: int
    unsized: int
    empty: int
    stale: int
    stale_sized: int
    abort_scheduled: int
    abort_overdue: int
    ages: tuple[int, ...]
    age_bytes: tuple[int, ...]
    initiated: int
    parts: int
    bytes: int
    stale_bytes: int
    most_parts: int
    oldest_initiated: float
    oldest_activity: float
    classes: dict[str, int]
