"""How pages write numbers, money and moments, and what cells of tables and choices of forms hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import age_at
from exporter.text.humanize import DASH, human_count, human_seconds, utc_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.model.results import Summary
    from exporter.web.bucket_rows import Cost, Health, Totals
    from exporter.web.pages.age_chart import Sparkline

_HALF_A_CENT = 0.005


class Moment(NamedTuple):
    """A moment in UTC for people, and in ISO 8601 for programs."""

    text: str
    iso: str


class Cell(NamedTuple):
    """What a cell of a table shows: a value, in a badge if it has one, or a picture; a smaller note below."""

    value: str | Moment = DASH
    note: str | Moment = ""
    badge: Health | None = None
    picture: Sparkline | None = None


class Choice(NamedTuple):
    """A select of a form: its name, its label, its options as value and text, and the chosen value."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    chosen: str


ALL = ("", "all")
"""The option that leaves a filter out."""


def at_odds(counts: Summary | Totals) -> str:
    """Return how many uploads the listing lacks, and how many it shows that are not there; '' for none."""
    parts = ((counts.unlisted, "unlisted"), (counts.denied, "denied, not counted"))
    return ", ".join(f"{human_count(number)} {what}" for number, what in parts if number)


def money(cost: Cost) -> str:
    """Return amount and currency; what would be rounded to nothing is shown as `< 0.01`."""
    currency, amount = cost
    shown = "< 0.01" if 0 < amount < _HALF_A_CENT else f"{amount:,.2f}"
    return f"{shown} {currency}"


def moment(seconds: float) -> Moment:
    """Return Unix seconds as a moment."""
    text = utc_text(seconds)
    return Moment(text, f"{text.replace(' ', 'T')}Z")


def time_ago(seconds: float | None, now: float) -> Cell:
    """Return a cell with the time since a moment, and the moment below it."""
    if seconds is None:
        return Cell()
    return Cell(f"{human_seconds(age_at(now, seconds))} ago", moment(seconds))
