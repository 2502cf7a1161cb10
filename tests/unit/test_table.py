"""Tables that fit: names give way, numbers do not, and nothing is wider than the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.terminal.table import Column, cells, cut, table

COLUMNS = (
    Column("target", cut=True),
    Column("bucket", cut=True),
    Column("uploads", right=True),
    Column("took", right=True, spare=True),
)
ROWS = [
    ("prod", "a-bucket-with-a-very-long-name-indeed", "1,200", "3.1s"),
    ("another-target-of-ours", "b", "7", "0.2s"),
    ("prod", "gone", "failed: not_found: there is none"),
]


def test_without_a_terminal_nothing_is_left_out():
    assert table(COLUMNS, ROWS).splitlines() == [
        "target                  bucket                                 uploads  took",
        "prod                    a-bucket-with-a-very-long-name-indeed    1,200  3.1s",
        "another-target-of-ours  b                                            7  0.2s",
        "prod                    gone                                   failed: not_found: there is none",
    ]


def test_a_single_long_cell_is_not_paid_for_in_every_row():
    """A store may say anything, such as a storage class of 200,000 characters."""
    columns = (*COLUMNS, Column("class", spare=True), Column("id", cut=True))
    few = [("prod", "media", "7", "0.2s", name, "an-id") for name in ["x" * 200_000, *["STANDARD"] * 1_000]]
    long, *others = table(columns, few).splitlines()[1:]
    assert ("x" * 200_000 in long, long.split()[-1]) == (True, "an-id")
    assert max(map(len, others)) < 300


def test_the_longest_names_are_cut_in_the_middle():
    assert table(COLUMNS, ROWS, 60).splitlines() == [
        "target                 bucket                  uploads  took",
        "prod                   a-bucket-wi…ame-indeed    1,200  3.1s",
        "another-ta…et-of-ours  b                             7  0.2s",
        "prod                   gone                    failed: not_…",
    ]


def test_what_is_spare_goes_before_names_become_unreadable():
    head, *_ = table(COLUMNS, ROWS, 36).splitlines()
    assert head.split() == ["target", "bucket", "uploads"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abc…fg"),
        ("abcdefg", 5, "ab…fg"),
        ("漢字漢字", 5, "漢…字"),
        ("é" * 7, 5, "éé…éé"),
        ("abc", 1, "…"),
        ("", 0, ""),
    ],
)
def test_a_cut(text: str, width: int, expected: str):
    assert cut(text, width) == expected


def test_a_cut_at_the_end():
    assert cut("abcdefg", 5, at_end=True) == "abcd…"


texts = st.text("ab-漢é\u0301", max_size=30)


@given(st.lists(st.tuples(texts, texts, st.just("1,234"), st.just("1s"))), st.integers(1, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int):
    lines = table(COLUMNS, rows, width).splitlines()
    assert all(cells(line) <= width for line in lines)
    assert len(lines) == 1 + len(rows)


@given(texts, st.integers(1, 40))
def test_what_is_cut_keeps_its_ends(text: str, width: int):
    shown = cut(text, width)
    assert cells(shown) <= width
    before, mark, after = shown.partition("…")
    assert (text == shown) if not mark else (text.startswith(before) and text.endswith(after))
