"""How old a bucket's uploads are, drawn: small bars in a row, larger ones with their numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.human import human_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _GAP, _HEIGHT = 9, 2, 24


def bins(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, int]]:
    """Return what each range of ages is called and how many uploads are in it; `counts` are cumulative."""
    if not counts:
        return []
    single = [counts[0], *(after - before for before, after in pairwise(counts))]
    names = [_bound(bound) for bound in bounds]
    return list(zip([*(f"up to {name}" for name in names), f"over {names[-1]}"], single, strict=True))


def _bound(seconds: float) -> str:
    return (
        human_seconds(seconds).removesuffix(" 0h").removesuffix(" 0m").removesuffix(" 0s").replace(".0s", "s")
    )


def sparkline(found: Sequence[tuple[str, int]]) -> str:
    """Return bars as an SVG that says in words what it shows, '' where there is nothing to show."""
    most = max((number for _, number in found), default=0)
    if not most:
        return ""
    said = ", ".join(f"{name}: {number}" for name, number in found if number)
    bars = "".join(_bar(at, number, most) for at, (_, number) in enumerate(found))
    width = len(found) * (_WIDTH + _GAP) - _GAP
    return (
        f'<svg class="spark" role="img" aria-label="Ages: {said}" width="{width}" height="{_HEIGHT}">'
        f"<title>{said}</title>{bars}</svg>"
    )


def _bar(at: int, number: int, most: int) -> str:
    height = max(3, round(_HEIGHT * number / most)) if number else 1
    kind = "" if number else ' class="none"'
    return (
        f'<rect{kind} x="{at * (_WIDTH + _GAP)}" y="{_HEIGHT - height}" width="{_WIDTH}" height="{height}"/>'
    )


def chart(found: Sequence[tuple[str, int]]) -> str:
    """Return a list of labelled bars, '' where there is nothing to show."""
    most = max((number for _, number in found), default=0)
    if not most:
        return ""
    items = "".join(
        f'<li><span>{name}</span> <svg aria-hidden="true" width="100%" height="12">'
        f'<rect width="{100 * number / most:.1f}%" height="12" rx="2"/></svg> <b>{number:,}</b></li>'
        for name, number in found
    )
    heading = '<h2 id="ages">Ages of uploads</h2>'
    return f'<section class="ages" aria-labelledby="ages">{heading}<ul>{items}</ul></section>'
