"""Texts of strangers: shells pass them on byte by byte, spreadsheets and terminals do not act on them."""

import csv
import io
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from cases import in_turn
from hostile import MALICIOUS_KEYS
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import need

from exporter.text.quoting import csv_cell, one_line, shell_quoted

SHELLS = {
    "bash": ["bash", "--norc"],
    "bash that knows history": ["bash", "--norc", "-o", "history", "-o", "histexpand"],
    "zsh": ["zsh", "-f"],
    "zsh with all that expands": ["zsh", "-f", "-o", "magic_equal_subst", "-o", "extended_glob"],
    "busybox": ["busybox", "sh"],
}
"""Those that know `$'…'`."""
DEBIAN = {"zsh", "busybox"}


def each_shell(names: Iterable[str]) -> list[Any]:
    """Return the names as parameters, those marked that Debian has in packages of their own."""
    return [
        pytest.param(name, marks=[pytest.mark.server] if SHELLS[name][0] in DEBIAN else []) for name in names
    ]


TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0")),
    st.text("'!\\\n$`\x1b\udc80\u202e =~-#\"a7", max_size=12),
    st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
)


def encoded(text: str) -> bytes:
    """Return the bytes that a key stands for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def arrived(shell: list[str], texts: list[str]) -> list[bytes]:
    """Return the words that a command gets from a shell that reads a line with these texts."""
    script = f"printf '%s\\0' {' '.join(map(shell_quoted, texts))}\n"
    done = subprocess.run(shell, input=script.encode(), capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    return done.stdout.split(b"\0")[:-1]


class TestShell:
    @pytest.mark.parametrize("shell", each_shell(SHELLS))
    def test_malicious_keys_arrive_as_they_are(self, shell: str):
        need(SHELLS[shell][0])
        assert [encoded(key) for key in MALICIOUS_KEYS] == arrived(SHELLS[shell], MALICIOUS_KEYS)

    @pytest.mark.parametrize("shell", each_shell(SHELLS))
    def test_so_they_do_after_the_name_of_a_flag(self, shell: str):
        need(SHELLS[shell][0])
        words = [f"--key={key}" for key in MALICIOUS_KEYS]
        assert [encoded(word) for word in words] == arrived(SHELLS[shell], words)

    def test_a_bash_that_knows_history_would_replace_what_is_not_quoted(self):
        shell = SHELLS["bash that knows history"]
        done = subprocess.run(
            shell, input=b'echo a\necho "!!"\n', capture_output=True, timeout=60, check=True
        )
        assert done.stdout == b"a\necho a\n"

    @pytest.mark.parametrize("shell", each_shell(["bash", "zsh", "busybox"]))
    @settings(max_examples=50, deadline=None)
    @given(texts=st.lists(TEXTS.filter(lambda text: "\ud800" not in text), min_size=1, max_size=20))
    def test_so_does_any_text_without_a_nul(self, shell: str, texts: list[str]):
        need(shell)
        assert [encoded(text) for text in texts] == arrived(SHELLS[shell], texts)

    def test_printable_keys_arrive_in_dash_too_which_knows_no_escapes(self):
        need("dash")
        keys = [key for key in MALICIOUS_KEYS if key.isprintable()]
        assert len(keys) > 30
        assert [encoded(key) for key in keys] == arrived(["dash"], keys)

    @pytest.mark.parametrize(
        "text", ["media/a-b_c.bin", "--key=a", "obs://bucket/key", "2~x"[:1], "a@b,c:d+e%"]
    )
    def test_harmless_text_stays_as_it_is(self, text: str):
        assert text == shell_quoted(text)

    @given(TEXTS)
    def test_what_is_written_is_one_printable_line(self, text: str):
        assert shell_quoted(text).isprintable()


class TestCell:
    @in_turn("key", MALICIOUS_KEYS)
    def test_no_cell_begins_as_a_formula_does(self, key: str):
        assert csv_cell(key).lstrip(" ")[:1] not in {"=", "+", "-", "@", "\t", "\r"}
        assert key == csv_cell(key).removeprefix("'" if not key.startswith("'") else "")

    @given(TEXTS)
    def test_cells_read_back(self, text: str):
        file = io.StringIO()
        csv.writer(file).writerow(["a", csv_cell(text), "b"])
        file.seek(0)
        assert [["a", csv_cell(text), "b"]] == list(csv.reader(file, strict=True))

    @pytest.mark.parametrize("text", ["\uff1d1", "\n=1", "  @x"])
    def test_neither_do_its_disguises(self, text: str):
        assert csv_cell(text) == f"'{text}"


class TestLine:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain ü 🪣", "plain ü 🪣"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\x1b[31m", r"\x1b[31m"),
            ("\x9b", r"\x9b"),
            ("\u202ea", r"\u202ea"),
            ("\U000e0001", r"\U000e0001"),
            ("\udcff", r"\xff"),
            ("\ud800", r"\ud800"),
            ("\\\n", r"\\\n"),
        ],
    )
    def test_what_is_not_printable_is_shown_as_an_escape(self, text: str, shown: str):
        assert shown == one_line(text)

    @given(TEXTS)
    def test_it_is_one_printable_line(self, text: str):
        assert one_line(text).isprintable()
