"""Environment variables in texts, by example and by property; then in a file, typed as if written there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.document import INVALID, read_document
from exporter.config.environment import substitute

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"A": "1", "EMPTY": "", "_x9": "nine", "NESTED": "${A}"}
NAMES = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text().filter(lambda text: "${" not in text and not text.endswith("$"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "1"),
        ("a${A}b${_x9}c", "a1bninec"),
        ("${A}${A}", "11"),
        ("${EMPTY}", ""),
        ("${NO:-other}", "other"),
        ("${NO:-}", ""),
        ("${NO:-a b:-$c}", "a b:-$c"),
        ("${EMPTY:-other}", "other"),
        ("${A:-other}", "1"),
        ("${NESTED}", "${A}"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ $$ $1 {A} }", "$A $ $$ $1 {A} }"),
        ("", ""),
    ],
)
def test_examples(text: str, expected: str):
    assert (expected, []) == substitute(text, ENVIRON)


@given(TEXTS)
def test_a_text_without_variables_stays_as_it_is(text: str):
    assert (text, []) == substitute(text, ENVIRON)


@given(TEXTS, NAMES, st.text(), TEXTS)
def test_a_value_comes_through_unread(before: str, name: str, value: str, after: str):
    assert (before + value + after, []) == substitute(f"{before}${{{name}}}{after}", {name: value})


@given(TEXTS, NAMES, TEXTS.map(lambda text: text.replace("}", "")), TEXTS)
def test_a_default_comes_through_unread(before: str, name: str, default: str, after: str):
    assert substitute(f"{before}${{{name}:-{default}}}{after}", {}) == (before + default + after, [])


@given(st.text(alphabet="${}:-A x"))
def test_doubling_the_dollar_protects_any_text(text: str):
    assert substitute(text.replace("${", "$${"), {}) == (text, [])


def test_every_unset_variable_is_named():
    complaints = [
        f"the environment variable {n} is not set: set it, or write ${{{n}:-default}}" for n in "BC"
    ]
    assert complaints == substitute("${B}${A}${C}", ENVIRON)[1]


@pytest.mark.parametrize(
    "text", ["ab${", "ab${}", "ab${1A}", "ab${A B}", "ab${A-b}", "ab${A:-${A}", "ab${A", "ab${é}"]
)
def test_malformed_ones_are_told_with_their_place(text: str):
    assert "the ${ at character 3 of this value begins no variable" in substitute(text, ENVIRON)[1][0]


def read(tmp_path: Path, text: str, **environ: str):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return read_document(file, environ)


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("${V}", "5", 5),
        ("${V}", " 5\n", 5),
        ("${V}0", "5", 50),
        ("${V}", "true", True),
        ("${V}", "1.5", 1.5),
        ("${V}", "", None),
        ("${V}", "null", None),
        ("${V}", "a: [b] # c", "a: [b] # c"),
        ("${V}", "2026-01-01", "2026-01-01"),
        ("${V}", "=", "="),
        ("${V}", "<<", INVALID),
        ('"${V}"', "5", "5"),
        ("'${V}'", " 5 ", " 5 "),
        ("!!str ${V}", "5", "5"),
        ("!!int '${V}'", "5", 5),
        ("|-\n  ${V}", "5", "5"),
    ],
)
def test_typed_as_if_written_there(tmp_path: Path, written: str, value: str, expected: object):
    found = read(tmp_path, f"key: {written}", V=value).data["key"]
    assert (type(expected), expected) == (type(found), found)


def test_keys_are_left_alone(tmp_path: Path):
    assert read(tmp_path, "${A}: 1").data == {"${A}": 1}


def test_the_process_s_own_environment_is_read_like_any_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MPU_TEST", "1")
    text, errors = substitute("${MPU_TEST} ${}", os.environ)
    assert (text, len(errors)) == ("1 }", 1)
