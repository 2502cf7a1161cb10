"""The distribution of ages as bars, with the numbers for whoever cannot see them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.text.humanize import human_seconds
from exporter.web.pages.layout import number

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAR, _GAP, _HEIGHT = 10, 2, 24


def spark(groups: Sequence[tuple[float | None, int]]) -> str:
    """Return a small picture for a row, '' where there is nothing to draw."""
    most = max((count for _, count in groups), default=0)
    if not most:
        return ""
    bars = []
    for position, (_, count) in enumerate(groups):
        height = max(2, round(_HEIGHT * count / most)) if count else 0
        place = f'x="{position * (_BAR + _GAP)}" width="{_BAR}"'
        bars.append(f'<rect class="track" {place} y="{_HEIGHT - 1}" height="1"/>')
        if height:
            bars.append(f'<rect {place} y="{_HEIGHT - height}" height="{height}"/>')
    told = "; ".join(f"{label}: {number(count)}" for label, count in labelled(groups))
    box = f"0 0 {len(groups) * (_BAR + _GAP) - _GAP} {_HEIGHT}"
    return (
        f'<svg class="spark" viewBox="{box}" preserveAspectRatio="none" role="img" aria-label="{told}">'
        f"<title>{told}</title>{''.join(bars)}</svg>"
    )


def chart(groups: Sequence[tuple[float | None, int]]) -> str:
    """Return a table with a bar beside each number."""
    most = max((count for _, count in groups), default=0) or 1
    rows = "".join(
        f'<tr><th scope="row">{label}</th><td><svg viewBox="0 0 1000 10" preserveAspectRatio="none"'
        f' aria-hidden="true"><rect class="track" width="1000" height="10"/>'
        f'<rect width="{1000 * count // most}" height="10"/></svg></td>'
        f'<td class="number">{number(count)}</td></tr>'
        for label, count in labelled(groups)
    )
    return (
        '<table class="ages"><caption class="hidden">Uploads by age</caption><thead class="hidden"><tr>'
        '<th scope="col">Age</th><td></td><th scope="col">Uploads</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def labelled(groups: Sequence[tuple[float | None, int]]) -> list[tuple[str, int]]:
    """Return the groups with their ages in words: up to 1h, 1h to 6h, over 30d."""
    labels = _labels(tuple(bound for bound, _ in groups))
    return [(label, count) for label, (_, count) in zip(labels, groups, strict=True)]


@lru_cache(maxsize=16)
def _labels(bounds: tuple[float | None, ...]) -> tuple[str, ...]:
    found, before = [], ""
    for bound in bounds:
        if bound is None:
            found.append(f"over {before}" if before else "any")
        else:
            span = _short(bound)
            found.append(f"{before} to {span}" if before else f"up to {span}")
            before = span
    return tuple(found)


def _short(seconds: float) -> str:
    """Return a span without units of which there are none: 1h, 30s, 1d 6h."""
    return re.sub(r" 0[hms]$|\.0(?=s$)", "", human_seconds(seconds))
