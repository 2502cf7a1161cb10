"""How pages write numbers, money and moments, and what cells of tables and choices of forms hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exporter.model.uploads import age_at
from exporter.text.humanize import DASH, human_age, human_count, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.model.results import Summary
    from exporter.web.bucket_rows import Cost, State, Totals
    from exporter.web.pages.age_chart import Sparkline
    from exporter.web.pages.shortened import Shortened

_HALF_A_CENT = 0.005


class Moment(NamedTuple):
    """A moment in UTC for people, and in ISO 8601 for programs; `span`, if any, is what is shown of it."""

    text: str
    iso: str
    span: str = ""


class Cell(NamedTuple):
    """What a cell of a table shows: a value, in a badge if it has one, or a picture; a smaller note below.

    `link` is where the value leads to, with a `title` that says so; `warns` has it stand out.
    """

    value: str | Moment | Shortened = DASH
    note: str | Moment | Shortened = ""
    badge: State | None = None
    picture: Sparkline | None = None
    link: str = ""
    title: str = ""
    warns: bool = False


class Choice(NamedTuple):
    """A select of a form: its name, its label, its options as value and text, and the chosen value."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    chosen: str


class Head(NamedTuple):
    """The head of a column; `link` sorts by it, `aria_sort` is '' where the table is sorted by another."""

    title: str
    css_class: str = ""
    link: str = ""
    aria_sort: str = ""


ALL = ("", "all")
"""The option that leaves a filter out."""


def filter_choice(name: str, label: str, options: Iterable[tuple[str, str]], chosen: str) -> Choice:
    """Return the select of a filter; a chosen value that is no option becomes one, as it filters too."""
    every = [ALL, *options]
    return Choice(name, label, every if chosen in dict(every) else [*every, (chosen, chosen)], chosen)


def at_odds(counts: Summary | Totals) -> str:
    """Return how many uploads the listing lacks, and how many it shows that are not there; '' for none."""
    parts = ((counts.unlisted, "unlisted"), (counts.denied, "denied, not counted"))
    return ", ".join(f"{human_count(number)} {what}" for number, what in parts if number)


def money(cost: Cost) -> str:
    """Return amount and currency; what would be rounded to nothing is shown as `< 0.01`."""
    return f"{money_amount(cost)} {cost[0]}"


def money_amount(cost: Cost) -> str:
    """Return the amount alone."""
    amount = cost[1]
    return "< 0.01" if 0 < amount < _HALF_A_CENT else f"{amount:,.2f}"


def moment(seconds: float, before: float | None = None, *, at_least: bool = False) -> Moment:
    """Return Unix seconds as a moment; with `before`, also how long before that it was."""
    text = utc_text(seconds)
    span = "" if before is None else human_age(age_at(before, seconds), at_least=at_least)
    return Moment(text, f"{text.replace(' ', 'T')}Z", span)


def day(seconds: float) -> Moment:
    """Return Unix seconds as a moment of which the day is shown."""
    whole = moment(seconds)
    return whole._replace(span=whole.text.split()[0])


def time_ago(seconds: float | None, now: float, note: str) -> Cell:
    """Return a cell with the time since a moment."""
    if seconds is None:
        return Cell(note=note)
    ago = moment(seconds, now)
    return Cell(ago._replace(span=f"{ago.span} ago"), note)
