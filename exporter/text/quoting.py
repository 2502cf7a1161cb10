"""Untrusted text (keys, names, errors) made safe for shells, spreadsheets, terminals and log lines."""

from __future__ import annotations

import re

# a leading = or one after another is a command's path to zsh
_BARE_WORD = re.compile(r"(?!=|.*==)[A-Za-z0-9@%+=:,./_-]+")
_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the latter are full-width
_NAMED = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_NAMED_BYTES = {ord(char): name for char, name in _NAMED.items()}
# what ends the quotes, and what an interactive bash replaces by an earlier command
_UNSAFE_BYTES = frozenset(b"'!")
_RAW_BYTES = range(0xDC80, 0xDD00)
"""Surrogates that stand for bytes that are not UTF-8 (PEP 383)."""


def shell_quoted(text: str) -> str:
    r"""Return one word for a shell: the bytes of `text`, nothing expanded.

    Printable text stands in single quotes where it needs any, which every shell reads. Other text is written
    as `$'…'` in plain ASCII with octal bytes, which bash, zsh, ksh, mksh and busybox read, and dash does not.
    No shell can pass on a NUL.
    """
    if _BARE_WORD.fullmatch(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", r"'\''") + "'"
    return "$'" + "".join(map(_shell_byte, _bytes(text))) + "'"


def csv_cell(text: str) -> str:
    """Return a cell that no spreadsheet reads as a formula: a `'` is put before what could be one."""
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) or text.lstrip().startswith(_FORMULAS) else text


def one_line(text: str) -> str:
    r"""Return the text on one line; what is not printable as `\n`, `\x1b`, `\u202e`.

    That is control characters, what turns the direction of writing, what has no width, and bytes that are no
    UTF-8.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if char in _NAMED or char.isprintable():
        return _NAMED.get(char, char)
    number = ord(char)
    if number in _RAW_BYTES:
        return f"\\x{number - 0xDC00:02x}"
    width, letter = (2, "x") if number < 0x100 else (4, "u") if number < 0x10000 else (8, "U")  # noqa: PLR2004
    return f"\\{letter}{number:0{width}x}"


def _bytes(text: str) -> bytes:
    return b"".join(
        bytes([ord(char) - 0xDC00]) if ord(char) in _RAW_BYTES else char.encode("utf-8", "surrogatepass")
        for char in text
    )


def _shell_byte(byte: int) -> str:
    if byte in _NAMED_BYTES:
        return _NAMED_BYTES[byte]
    plain = 0x20 <= byte < 0x7F and byte not in _UNSAFE_BYTES  # noqa: PLR2004 - ASCII that is printable
    return chr(byte) if plain else f"\\{byte:03o}"
