"""The distribution of ages as bars: one small picture for each bucket, a table for all of them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from exporter.text.humanize import human_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.web.bucket_rows import AgeGroups

    Write = Callable[[int], str]

_BAR, _GAP, _HEIGHT = 10, 2, 24
_FULL_WIDTH = 1000


class Bar(NamedTuple):
    """A bar of a small picture, in its units: `x` and `y` of its upper left corner."""

    x: int
    y: int
    height: int


class Sparkline(NamedTuple):
    """A small picture of bars side by side, and the numbers as text for those who cannot see it."""

    width: int
    bars: tuple[Bar, ...]
    label: str


class ChartLine(NamedTuple):
    """A line of a table: ages, their number, and the width of its bar in thousandths."""

    label: str
    width: int
    number: str


def sparkline(what: str, groups: AgeGroups, write: Write) -> Sparkline | None:
    """Return a picture of `what` by age, None where all is 0; `write` makes numbers text."""
    largest = max((number for _, number in groups), default=0)
    if not largest:
        return None
    heights = [max(2, round(_HEIGHT * number / largest)) if number else 0 for _, number in groups]
    step = _BAR + _GAP
    numbers = "; ".join(f"{label}: {write(number)}" for label, number in label_groups(groups))
    return Sparkline(
        len(groups) * step - _GAP,
        tuple(Bar(place * step, _HEIGHT - height, height) for place, height in enumerate(heights)),
        f"{what} by age: {numbers}",
    )


def chart(groups: AgeGroups, write: Write) -> list[ChartLine]:
    """Return a line for each group."""
    largest = max((number for _, number in groups), default=0) or 1
    return [
        ChartLine(label, _FULL_WIDTH * number // largest, write(number))
        for label, number in label_groups(groups)
    ]


def label_groups(groups: Sequence[tuple[float | None, int]]) -> list[tuple[str, int]]:
    """Return the groups with their ages in words: up to 1h, 1h to 6h, over 30d."""
    labels = _labels(tuple(bound for bound, _ in groups))
    return [(label, count) for label, (_, count) in zip(labels, groups, strict=True)]


@lru_cache(maxsize=16)
def _labels(bounds: tuple[float | None, ...]) -> tuple[str, ...]:
    labels, before = [], ""
    for bound in bounds:
        if bound is None:
            labels.append(f"over {before}" if before else "any")
        else:
            span = _short(bound)
            labels.append(f"{before} to {span}" if before else f"up to {span}")
            before = span
    return tuple(labels)


def _short(seconds: float) -> str:
    """Return a span without units of which there are none: 1h, 30s, 1d 6h."""
    return re.sub(r" 0[hms]$|\.0(?=s$)", "", human_seconds(seconds))
