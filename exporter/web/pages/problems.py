"""What is wrong apart from single buckets: a list of buckets that cannot be had, a config of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.text.humanize import human_seconds
from exporter.web.pages.layout import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.model.targets import TargetStatus


def find_problems(watched: Iterable[TargetStatus], problems: Sequence[str], now: float) -> str:
    """Return a section that tells all of it, '' where nothing is wrong.

    `problems` are what was wrong with the config when it was last read; `now` is Unix seconds.
    """
    items = [*_of_config(problems), *_of_discovery(watched, now)]
    if not items:
        return ""
    shown = "".join(f"<li>{item}</li>" for item in items)
    return (
        f'<section class="trouble" aria-labelledby="trouble"><h2 id="trouble">Trouble</h2>'
        f"<ul>{shown}</ul></section>"
    )


def _of_config(problems: Sequence[str]) -> Iterator[str]:
    if problems:
        told = "".join(f"<br>{text(problem)}" for problem in problems)
        yield f"The config cannot be used; what was read before stays in use:{told}"


def _of_discovery(watched: Iterable[TargetStatus], now: float) -> Iterator[str]:
    for each in watched:
        found = each.discovery
        if found is None or found.success is not False:
            continue
        why = text(str(found.failure or ""))
        last = "never had so far"
        if found.last_success is not None:
            last = f"last had {human_seconds(max(0.0, now - found.last_success))} ago"
        yield f"The list of buckets of <b>{text(each.settings.name)}</b> cannot be had, {last}: {why}"
