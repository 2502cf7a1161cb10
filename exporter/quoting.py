"""Texts that strangers chose, made harmless for shells, spreadsheets and log lines."""

from __future__ import annotations

import shlex

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_NAMED = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def shell_quoted(text: str) -> str:
    """Return a shell word; what is not printable as bytes in `$'…'`, which bash, zsh and ksh read."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(_escaped(char) for char in text)}'"


def csv_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def one_line(text: str) -> str:
    """Return the text on one line, what is not printable as escapes."""
    return text if text.isprintable() else "".join(_NAMED.get(char, _escaped(char)) for char in text)


def _escaped(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
