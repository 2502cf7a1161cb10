"""Sources of keys and tokens: what can be wrong with what they give."""

from __future__ import annotations

from pathlib import Path

from exporter.text.file_limit import because

_ADVICE = "check the variable or key that names it, and who writes it"
_MAX_TOKEN_BYTES = 64 * 1024


class CredentialSourceError(Exception):
    """A source of keys gave none that can be used; the message says why, for people and without secrets."""


def key_fault(text: object, *, in_header: bool = True) -> str:
    """Return what is wrong with a key, '' for nothing; `in_header`: it is sent, not only signed with."""
    if not isinstance(text, str):
        return "is no text"
    if "\n" in text or "\r" in text:
        return "holds a line break"
    if in_header and not (text.isascii() and text.isprintable()):
        return "holds characters other than printable ASCII"
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in text):
        return "holds a control character"
    return ""


def read_token(path: str, what: str = "token file") -> str:
    """Return the text of a token's file. Raises CredentialSourceError: a FIFO, for one, would block."""
    name = f"the {what} {path}"
    try:
        if not Path(path).is_file():
            fault = "is not a regular file" if Path(path).exists() else "is not there"
            raise CredentialSourceError(f"{name} {fault}; {_ADVICE}")
        with Path(path).open("rb") as file:
            text = file.read(_MAX_TOKEN_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise CredentialSourceError(f"{name} is no text; {_ADVICE}") from None
    except (OSError, ValueError) as error:
        why = because(error) if isinstance(error, OSError) else "its name is no path"
        raise CredentialSourceError(f"{name} cannot be read ({why}); {_ADVICE}") from None
    if not text:
        raise CredentialSourceError(f"{name} is empty; {_ADVICE}")
    return text
