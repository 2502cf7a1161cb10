"""Label values: printable, bounded, and different for different texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.checks import check_bucket, check_label_value, check_region
from exporter.scan.bucket_tags import MAX_VALUE_LENGTH
from exporter.text.labels import MAX_BYTES, MAX_LENGTH, label_value

if TYPE_CHECKING:
    from collections.abc import Callable

CUT_LENGTH = 124
_any_text = st.text(st.characters(codec=None), max_size=MAX_LENGTH + 20)


def read_back(shown: str) -> str:
    """Return the text that a label which was not cut stands for."""
    named = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    return re.sub(
        r"\\(?:u(.{4})|U(.{8})|(.))",
        lambda found: named[found[3]] if found[3] else chr(int(found[1] or found[2], 16)),
        shown,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('a"b{}', 'a"b{}'),
        ("ä🪣 <script>", "ä🪣 <script>"),
        ("dir\\sub/", r"dir\\sub/"),
        ("a\nb\r\t", r"a\nb\r\t"),
        ("\x1b[31m\x85", r"\u001b[31m\u0085"),
        ("\u202e\udc85\U000e0001", r"\u202e\udc85\U000e0001"),
        ("a" * MAX_LENGTH, "a" * MAX_LENGTH),
    ],
)
def test_what_is_printable_stays_and_the_rest_is_written_out(text: str, shown: str):
    assert shown == label_value(text)


@given(_any_text)
def test_a_label_is_printable_and_bounded_and_unless_cut_can_be_read_back(text: str):
    shown = label_value(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    if len(shown) <= MAX_LENGTH:
        assert text == read_back(shown)
    else:
        assert (len(shown), shown[-33]) == (CUT_LENGTH, "~")


@given(
    _any_text | st.integers(1, 2000).map("\U0001faa3".__mul__),
    st.sampled_from([MAX_LENGTH, MAX_VALUE_LENGTH]),
)
def test_a_label_has_at_most_a_kilobyte(text: str, max_length: int):
    assert len(label_value(text, max_length).encode()) <= MAX_BYTES


@pytest.mark.parametrize(
    ("check", "limit"), [(check_bucket, MAX_BYTES), (check_label_value, MAX_BYTES), (check_region, 100)]
)
def test_what_the_config_has_as_a_label_s_value_is_bounded_too(check: Callable[[str], str], limit: int):
    assert check("x" * limit) == "x" * limit
    for text in ("x" * (limit + 1), "ä" * limit):
        with pytest.raises(ValueError, match="must"):
            check(text)


def test_long_ones_that_begin_alike_stay_apart():
    """Nor is a text that looks like one that was cut taken for it."""
    long = "x" * 1000
    texts = [
        long,
        f"{long}a",
        f"{long}b",
        label_value(long),
        label_value(long)[:MAX_LENGTH],
        long[:MAX_LENGTH],
    ]
    assert len(texts) == len({label_value(text) for text in texts})
