"""Durations, by example and by property."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.durations import PATTERN, duration_text, parse_duration, parse_positive_duration

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("7d", 604800), ("2w", 1209600), ("30m1h", 5400), ("0s", 0)],
)
def test_examples(text: str, seconds: int):
    assert float(seconds) == parse_duration(text)


@given(st.dictionaries(st.sampled_from("smhdw"), st.integers(0, 3000), min_size=1))
def test_any_units_in_any_order_add_up(counts: dict[str, int]):
    text = "".join(f"{count}{unit}" for unit, count in counts.items())
    assert sum(count * UNITS[unit] for unit, count in counts.items()) == parse_duration(text)


@given(st.integers(0, 36500 * 86400))
def test_what_is_written_is_read_as_the_same(seconds: int):
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["0s", "1h", "1h30m", "7d", "30d", "1d12h", "1d1h1m1s"])
def test_durations_are_written_in_the_largest_units_from_days_down(text: str):
    assert duration_text(parse_duration(text)) == text


@given(st.text(alphabet="0123456789smhdwx .-", max_size=8))
def test_any_text_is_read_or_refused_and_the_published_pattern_agrees(text: str):
    assert bool(re.search(PATTERN, text)) == (find_fault(text) in {"", "twice", "at most"})


def find_fault(text: str):
    try:
        parse_duration(text)
    except ValueError as error:
        return next((sign for sign in ("twice", "at most") if sign in str(error)), "malformed")
    return ""


@given(st.one_of(st.integers(), st.floats()))
def test_bare_numbers_are_told_to_take_a_unit(number: float):
    with pytest.raises(ValueError, match="needs a unit: write 90s"):
        parse_duration(number)


@pytest.mark.parametrize(
    "value", ["", "5", "h", "1.5h", "-1s", "1h 30m", "5M", "10ms", "\u0661s", "5m\n", True, None, [], {}]
)
def test_everything_else_is_refused(value: object):
    with pytest.raises(ValueError, match="must be a duration such as"):
        parse_duration(value)


def test_no_unit_twice():
    with pytest.raises(ValueError, match="names a unit twice"):
        parse_duration("1h1h")


def test_the_longest():
    assert parse_duration("36500d") == 36500 * 86400.0
    with pytest.raises(ValueError, match="at most 36500d"):
        parse_duration("36500d1s")


def test_zero_where_it_makes_no_sense():
    assert parse_positive_duration("1s") == 1.0
    with pytest.raises(ValueError, match="at least 1s"):
        parse_positive_duration("0h0m")
