"""Files made to do harm, and the lines that problems are told with."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cases import in_turn

from exporter.config.document import read_document
from exporter.config.load import load
from exporter.config.problems import ConfigError

GOOD = [path.read_text() for path in sorted((Path(__file__).with_name("configs") / "good").glob("*.yaml"))]
SNIPPETS = [
    *"{}[],:#&*|>'\"%@`- \n\r\\~<=0.\x07\x7f\x85\xa0\u2028\u00e9\U0001f600",
    *("- - a", "a: b: c", "<<: *x", "&x y", "|+\n  a\n\n", ">-\n  a\n  b", "---", "...", "'a''b'", "'a\n b'"),
    *('"\\x41\\u263a"', '"a\\\n b"', '{"a":b}', "[a:b]", "[a, b", "07", "1_0", ".5", "1:30", "No"),
]


def read(tmp_path: Path, text: str):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return read_document(file, {})


def read_problem(tmp_path: Path, text: str):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path))


def test_alias_bomb(tmp_path: Path):
    lines = ["x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 20)]
    expected = (
        "/config.yaml: holds more than 100000 values, aliases (*name) unfolded: no config does; write less"
    )
    assert expected == read_problem(tmp_path, "\n".join(lines))


def test_merge_bomb(tmp_path: Path):
    lines = ["x0: &x0 {a: 1}"]
    lines += [f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 20)]
    assert "holds more than 100000 values" in read_problem(tmp_path, "\n".join(lines))


def test_aliases_nested_deep_without_being_written_deep(tmp_path: Path):
    lines = ["x0: &x0 [1]", *(f"x{n}: &x{n} [[[[[*x{n - 1}]]]]]" for n in range(1, 60))]
    document = read(tmp_path, "\n".join(lines))
    assert "is too deep" in document.problems[0].text


def test_large_file(tmp_path: Path):
    expected = "/config.yaml: is larger than 1048576 bytes: no config is; is this the right file?"
    assert expected == read_problem(tmp_path, "#" * (1 << 20) + "\n")


def test_number_of_many_digits(tmp_path: Path):
    assert [p.text for p in read(tmp_path, f"a: {'1' * 5000}").problems] == [
        "is not what its YAML tag (!!) says"
    ]


def test_nothing_is_constructed_from_tags(tmp_path: Path):
    document = read(tmp_path, "a: !!python/object/apply:os.getcwd []\nb: !!binary aGk=\nc: !!omap [a: 1]")
    assert [problem.where for problem in document.problems] == ["a", "b", "c"]


def test_byte_order_mark_is_no_harm(tmp_path: Path):
    assert read(tmp_path, "\ufeffa: 1").data == {"a": 1}


def test_lines_are_those_of_the_keys_and_of_list_entries(tmp_path: Path):
    document = read(tmp_path, "a:\n  b:\n    - 1\n    - c: 2\n")
    lines = {(): 1, ("a",): 1, ("a", "b"): 2, ("a", "b", 0): 3, ("a", "b", 1): 4, ("a", "b", 1, "c"): 4}
    assert lines == document.lines
    assert document.line(("a", "b", 1, "no", "such")) == 4


def test_own_keys_win_over_merged_ones_and_earlier_merges_over_later(tmp_path: Path):
    text = "x-a: &a {p: 1, q: 1, r: 1}\nx-b: &b {q: 2, r: 2, s: 2}\nc: {r: 3, <<: [*b, *a]}\n"
    assert read(tmp_path, text).data == {"c": {"r": 3, "q": 2, "s": 2, "p": 1}}


def test_a_quoted_merge_sign_is_a_key_like_any_other(tmp_path: Path):
    assert read(tmp_path, "a: {'<<': 1}").data == {"a": {"<<": 1}}


def test_a_name_too_long_for_any_file(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(f"targets: [{{name: a, store: s3, buckets: [b], tls: {{ca_file: {'x' * 5000}}}}}]")
    with pytest.raises(ConfigError, match="the file cannot be read: File name too long"):
        load(file, {})


class TestLibyaml:
    """It reads what pyyaml's own parser reads, which is taken where there is a question mark."""

    @staticmethod
    def read_all(tmp_path: Path, text: str):
        try:
            document = read(tmp_path, text)
        except ConfigError as error:
            return str(error)
        return repr(document.data), document.lines, document.problems

    @pytest.mark.slow
    @pytest.mark.no_cover
    @in_turn("seed", range(300))
    def test_both_read_the_same_and_complain_of_the_same(self, tmp_path: Path, seed: int):
        rng = random.Random(seed)
        text = rng.choice(GOOD).replace("?", "")
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(SNIPPETS) + text[place + rng.randint(0, 2) :]
        assert self.read_all(tmp_path, f"# ?\n{text}") == self.read_all(tmp_path, f"# -\n{text}")

    @pytest.mark.parametrize(
        "text", ["a: [b?c]", "a: \tb", "a: |# b", "a: b\n\ufeff", "a: &b {}\nb: {<<: !*c, b: *b}"]
    )
    def test_what_pyyaml_refuses_is_refused(self, tmp_path: Path, text: str):
        assert "is not valid YAML" in read_problem(tmp_path, text)
