"""Any text as the value of a metric's label: printable, of bounded length, and no other text's."""

from __future__ import annotations

MAX_BYTES = 1024
"""Maximum size of any label's value in UTF-8. Those made here keep it up to a `max_length` of 256."""
MAX_LENGTH = 100
"""Of a text that is shown whole; its escapes count in full."""
_CUT_OFF = 9
"""Number of characters below that length at which a longer text is cut."""
_DIGEST_BYTES = 16


def label_value(text: str, max_length: int = MAX_LENGTH) -> str:
    r"""Return the value of a label for `text`; two different texts have different ones.

    Backslashes are doubled, and what is not printable becomes `\n`, `\u001b`, `\U000e0001`: the text can be
    read back. A result longer than `max_length` is cut, and a `~` and a hash of the whole are put at its end,
    by which it is longer than any that is whole.
    """
    if "\\" in text or not text.isprintable():
        text = "".join(map(_escaped, text))
    if len(text) <= max_length:
        return text
    from hashlib import blake2b  # noqa: PLC0415 - the limits here are read by commands that do without

    digest = blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{text[: max_length - _CUT_OFF]}~{digest}"


_NAMED = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escaped(char: str) -> str:
    if char in _NAMED or char.isprintable():
        return _NAMED.get(char, char)
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004 - what four digits hold
